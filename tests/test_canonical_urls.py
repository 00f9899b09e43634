"""Canonical URLs, and the table of addresses."""

import hashlib
import re
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.canonical_urls import (
    MAX_URL_LENGTH,
    browser_url,
    canonical_url,
    feed_url,
    host_key,
    redacted,
    split_url,
    url_md5,
)
from feeds.exceptions import ConfigurationError, InvalidURL
from feeds.fetching.ip_policy import IPPolicy
from tests.rigs.growth import assert_linear

TABLE = [
    line.split()[:2]
    for line in (Path(__file__).parent / "data" / "addresses.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def verdict(host: str) -> str:
    try:
        address = split_url(f"http://{host}/").host
    except InvalidURL:
        return "invalid"
    return "yes" if IPPolicy().allows(address) else "no"


def test_the_table_is_long_enough() -> None:
    assert len({host for host, _ in TABLE}) == len(TABLE) >= 120


@pytest.mark.parametrize(("host", "expected"), TABLE, ids=[host for host, _ in TABLE])
def test_every_address_of_the_table_is_decided_right(host: str, expected: str) -> None:
    assert verdict(host) == expected


def test_what_is_no_address_is_not_allowed() -> None:
    policy = IPPolicy(["0.0.0.0/0", "::/0"])
    assert not any(policy.allows(text) for text in ("", "example.org", "127.1", "0x7f000001", "1.2.3.4/8", "[::1]"))


def test_allowed_networks_open_private_ones_in_every_spelling_and_no_others() -> None:
    policy = IPPolicy(["127.0.0.0/8", "10.1.2.3", "fd00::/8", " 192.168.1.7/24 "])
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "10.1.2.3", "fd12::1", "192.168.1.200"):
        assert policy.allows(address), address
    for address in ("10.1.2.4", "fc00::1", "192.168.2.1", "::1", "169.254.169.254"):
        assert not policy.allows(address), address


def test_an_allowed_network_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="FEEDS_ALLOWED_NETWORKS: 'intranet' is no network"):
        IPPolicy(["intranet"])


def test_ports_of_other_services_are_refused_but_in_allowed_networks() -> None:
    policy = IPPolicy(["10.0.0.0/8"])
    assert [policy.allows_port("8.8.8.8", port) for port in (22, 25, 6379, 11211)] == [False] * 4
    assert all(policy.allows_port("8.8.8.8", port) for port in (80, 443, 8000, 8080, 8443, 3000, 61000))
    assert policy.allows_port("10.1.1.1", 6379)
    assert policy.allows_port("::ffff:10.1.1.1", 6379)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://example.org/feed", "http://example.org/feed"),
        ("http://example.org", "http://example.org/"),
        ("http://example.org?a=1", "http://example.org/?a=1"),
        ("  https://example.org/feed\n", "https://example.org/feed"),
        ("\ufeffhttps://example.org/feed", "https://example.org/feed"),
        ("HTTPS://EXAMPLE.org/Feed", "https://example.org/Feed"),
        ("http://example.org:80/", "http://example.org/"),
        ("http://example.org:/", "http://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:08080/", "http://example.org:8080/"),
        ("http://example.org./feed", "http://example.org/feed"),
        ("http://example.org/feed#top", "http://example.org/feed"),
        ("http://example.org/feed?#top", "http://example.org/feed?"),
        ("feed://example.org/x", "http://example.org/x"),
        ("feed:https://example.org/x", "https://example.org/x"),
        ("feed://https://example.org/x", "https://example.org/x"),
        ("FEED:http://example.org/x", "http://example.org/x"),
        ("http://example.org/%7Eme/%c3%a9", "http://example.org/~me/%C3%A9"),
        ("http://example.org/%2f%2F", "http://example.org/%2F%2F"),
        ("http://example.org/é b", "http://example.org/%C3%A9%20b"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/%%341", "http://example.org/%2541"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/a/%2e%2e/b", "http://example.org/b"),
        ("http://example.org/../../x", "http://example.org/x"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/a/b/.", "http://example.org/a/b/"),
        ("http://example.org/.well-known/x", "http://example.org/.well-known/x"),
        ("http://example.org//a///b/", "http://example.org//a///b/"),
        ("http://example.org/a?b=/../c", "http://example.org/a?b=/../c"),
        ("http://example.org/?b=2&a=1&b=1&", "http://example.org/?b=2&a=1&b=1&"),
        ("http://example.org/?q=a+b%20c&t[]=1|2", "http://example.org/?q=a+b%20c&t[]=1|2"),
        ('http://example.org/?q=ü "<>', "http://example.org/?q=%C3%BC%20%22%3C%3E"),
        ("http://me:s%40crt@example.org/", "http://me:s%40crt@example.org/"),
        ("http://me:p@ss@example.org/", "http://me:p%40ss@example.org/"),
        ("http://@example.org/", "http://example.org/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://例え。テスト/", "http://xn--r8jz45g.xn--zckzah/"),
        ("http://ｅｘａｍｐｌｅ.org/", "http://example.org/"),
        ("http://my_feeds.example.org/", "http://my_feeds.example.org/"),
        ("http://[2001:DB8:0:0::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://[::ffff:8.8.8.8]/", "http://8.8.8.8/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
    ],
)
def test_a_url_has_one_spelling(text: str, expected: str) -> None:
    assert canonical_url(text) == expected
    assert canonical_url(expected) == expected
    assert split_url(expected).credentials == split_url(text).credentials


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write it in full"),
        ("example.org/feed", "write it in full"),
        ("//example.org/feed", "write it in full"),
        ("http:/example.org", "write it in full"),
        ("/etc/passwd", "write it in full"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("ftp://example.org/feed", "must begin with http:// or https://"),
        ("gopher://example.org/", "must begin with http:// or https://"),
        ("feed:file:///etc/passwd", "must begin with http:// or https://"),
        ("http://", "no host"),
        ("http:///feed", "no host"),
        ("http://me@/feed", "no host"),
        ("http://example.org:0/", "port"),
        ("http://example.org:65536/", "port"),
        ("http://example.org:8o/", "port"),
        ("http://example.org:²/", "port"),
        ("http://example.org:" + "9" * 5000, "port"),
        ("http://exa mple.org/", "characters"),
        ("http://exam\u200bple.org/", "invisible"),
        ("http://℀.org/", "characters"),
        ("http://" + "a" * 64 + ".org/", "too long"),
        ("http://" + "a." * 130 + "org/", "too long"),
        ("http://example.org/a\r\nHost: evil", "control character"),
        ("http://example.org/a\x00", "control character"),
        ("http://example.org/\ud800", "control character"),
        ("http://example.org/" + "a" * MAX_URL_LENGTH, "longer than 8,000"),
        ("http://example.org/" + "é" * 2_000, "percent-encoded, is longer"),
    ],
)
def test_what_is_no_http_url_says_what_is_wrong_with_it(text: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message):
        canonical_url(text)
    shown, controls = re.subn("[\x00\r\n\ud800]", "\N{REPLACEMENT CHARACTER}", text.strip())
    assert feed_url(text) == (f"no URL: {shown}" if controls else shown)
    assert feed_url(feed_url(text)) == feed_url(text)
    assert host_key(text) == ""


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), st.text(max_size=40))
def test_the_canonical_form_is_stable(path: str, query: str) -> None:
    once = feed_url(f"http://me@example.org/{path}?{query}")
    assert feed_url(once) == once


@given(st.text(alphabet="/.%0123456789abcdefABCDEF~é ?#:@\\[]", max_size=60))
def test_the_canonical_form_is_stable_for_odd_paths(path: str) -> None:
    once = feed_url(f"http://example.org/{path}")
    assert feed_url(once) == once
    assert once.isascii()


@given(st.text(max_size=40))
def test_the_canonical_form_is_stable_for_odd_authorities(authority: str) -> None:
    once = feed_url(f"http://{authority}/x")
    assert feed_url(once) == once


@given(st.text(max_size=60))
def test_no_text_does_harm(text: str) -> None:
    assert feed_url(feed_url(text)) == feed_url(text)
    url_md5(text)
    redacted(text)
    host_key(text)


def test_the_md5_is_that_of_the_url_itself() -> None:
    url = "http://example.org/feed"
    assert url_md5(url) == UUID(hashlib.md5(url.encode()).hexdigest())


def test_the_host_key_has_neither_port_nor_credentials() -> None:
    assert host_key("https://me:secret@Example.org:8443/x") == "example.org"
    assert host_key("http://[2001:db8::1]:80/") == "2001:db8::1"


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@example.org/feed?x=@",
        "feed:https://me:secret@example.org/feed",
        "https://me:sec/ret@example.org/feed",
        "https://me:p@secret@example.org/feed",
        "ftp://me:secret@example.org/feed",
        "me:secret@example.org",
        "https://me:sec\nret@example.org/",
    ],
)
def test_credentials_are_redacted_even_where_the_text_is_no_url(url: str) -> None:
    assert "secret" not in redacted(url)
    assert "ret@" not in redacted(url)
    assert "me:" not in redacted(url)


def test_redacting_changes_nothing_else() -> None:
    assert redacted("https://example.org/@me/feed?a=b@c") == "https://example.org/@me/feed?a=b@c"
    assert redacted("not a url") == "not a url"


def test_credentials_are_in_no_error_text() -> None:
    for text in ("http://me:sec/ret@example.org/", "http://me:secret@", "ftp://me:secret@h/", "http://me:secret@h:x/"):
        with pytest.raises(InvalidURL) as caught:
            canonical_url(text)
        assert "sec" not in str(caught.value)


HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 7_900)))  # a punycode coder takes time that grows with the square of it


@pytest.mark.parametrize("host", [HAN, HAN[:254], f"a.{HAN[:64]}.org", "ß" * 250, "\u3300" * 100, "a" * 7_900])
def test_a_long_host_name_is_refused_before_it_is_mapped_and_after(host: str) -> None:
    for url in (f"http://{host}/", f"//{host}/x", f"http://a@{host}:80/"):
        with pytest.raises(InvalidURL):
            canonical_url(url)
        assert browser_url(url, "https://example.org/") == ""
    assert host_key(f"http://{host}/") == ""


def test_long_host_names_cost_no_more_than_they_are_long() -> None:
    assert_linear(host_key, ["\u4e00\u4e01\u4e02", "é", "%E4", "xn--", "a."], before="http://", after="/")
    assert_linear(redacted, ["\u4e00\u4e01\u4e02", "a@"], before="http://a@", after="/")
    assert_linear(browser_url, ["\u4e00\u4e01\u4e02", "é", "%E4%B8%80", "xn--", "a."], before="http://", after="/")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (r"/\evil.example/x", "https://evil.example/x"),
        (r"https:\\evil.example\x", "https://evil.example/x"),
        (r"https://evil.example\@example.org/", "https://evil.example/@example.org/"),
        ("ht\ntps://ex\tample.org/", "https://example.org/"),
        ("https:page", "https://example.org/blog/page"),
        ("https://EXAMPLE.org:443/a/../b?q='<é>", "https://example.org/b?q=%27%3C%C3%A9%3E"),
        ("https://user:pass@example.org/", "https://user:pass@example.org/"),
        ("https://2130706433/", "https://127.0.0.1/"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("https://example.org:99999/", ""),
        ("https://exa mple.org/", ""),
        ("https://-.example.org:0x50/", ""),
        ("x" * 8_001, ""),
        ("é" * 2_700, ""),
    ],
)
def test_a_url_is_what_a_browser_makes_of_it(text: str, url: str) -> None:
    assert browser_url(text, "https://example.org/blog/post") == url


def test_a_base_that_is_none_is_no_base() -> None:
    for base in ("nonsense", "x" * 9_000, "javascript:x", "mailto:a@b"):
        assert browser_url("https://example.org/x", base) == "https://example.org/x"
        assert browser_url("x", base) == ""


@given(st.text(max_size=60), st.text(max_size=30))
def test_a_url_that_a_browser_would_go_to_is_stable(text: str, base: str) -> None:
    url = browser_url(text, base)
    assert browser_url(url) == url
