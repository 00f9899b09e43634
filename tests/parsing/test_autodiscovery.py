"""Pages, and the feeds that they lead to."""

import gzip
from dataclasses import replace

import pytest

from feeds import canonical_urls
from feeds.fetching import is_private_host
from feeds.fetching.values import FeedRequest, Fetched
from feeds.outcomes import FailureKind
from feeds.parsing import autodiscovery
from feeds.parsing.autodiscovery import feed_links
from feeds.parsing.parser import parse
from feeds.parsing.values import Document, Unreadable
from feeds.planning import redirects
from feeds.planning.values import FeedState, Move
from tests.rigs.growth import assert_linear
from tests.rigs.planning import NOW, feed_state

PAGE = "https://example.org/blog/"
RSS, ATOM, JSON_FEED = "application/rss+xml", "application/atom+xml", "application/feed+json"


def page(html: str, url: str = PAGE) -> Document:
    return Document(url=url, body=html.encode())


def known(url: str = PAGE, *, username: str = "") -> FeedState:
    return feed_state(url, request=FeedRequest(url=url, username=username))


def unreadable(document: Document) -> Unreadable:
    parsed = parse(document)
    assert isinstance(parsed, Unreadable)
    return parsed


def chosen(document: Document, feed: FeedState) -> Move | None:
    is_public = not is_private_host(canonical_urls.host_key(document.url))  # as its address says
    fetched = Fetched(url=document.url, body=document.body, body_digest=b"", public=is_public)
    return redirects.discovered(feed, fetched, unreadable(document))


def link(href: str, type_: str = RSS, title: str = "") -> str:
    return f'<link rel="alternate" type="{type_}" title="{title}" href="{href}">'


def choice(html: str, url: str = PAGE) -> str:
    move = chosen(page(html, url), known(url))
    return move.url if move else ""


@pytest.mark.parametrize("type_", [RSS, ATOM, JSON_FEED, "APPLICATION/RSS+XML; charset=utf-8", "application/json"])
def test_a_page_names_its_feed(type_: str) -> None:
    assert choice(f"<!DOCTYPE html><title>Blog</title>{link('/feed', type_)}") == "https://example.org/feed"


@pytest.mark.parametrize(
    ("html", "headers", "urls"),
    [
        ("", ('</f.atom>; rel="alternate"; type="application/atom+xml"; title="Posts"',), ["/f.atom"]),
        ("", ('</>; rel="https://api.w.org/", </f>; type=text/xml; rel=feed', "</x>; rel=shortlink"), ["/f"]),
        ("", ('</wp-json/wp/v2/posts/1>; rel="alternate"; type="application/json"',), []),
        ('<link rel="alternate" title="RSS" href="/rss.xml">', (), ["/rss.xml"]),  # of no type
        ('<link rel="alternate" href="/de/">', (), []),
        ('<a rel="alternate" type="application/rss+xml" href="/categories/list">x</a>', (), ["/categories/list"]),
        (link("/feed") + '<a rel="alternate" type="application/rss+xml" href="/list">x</a>', (), ["/feed"]),
        ("<link href=feed.atom rel=alternate title='Blog Posts' type=application/atom+xml>", (), ["/blog/feed.atom"]),
        (link("/entry", "application/atom+xml;type=entry") + link("/f", "application/x-atom+xml"), (), ["/f"]),
        (link("feed://example.org/f") + link("feed:https://example.org/g"), (), ["/f", "/g"]),
        (f"<script>{'x<y;' * 50_000}</script>{link('/late', 'text/xml')}", (), ["/late"]),
    ],
)
def test_a_page_leads_to_feeds_in_many_ways(html: str, headers: tuple[str, ...], urls: list[str]) -> None:
    """feedspub/feedspub-feedback #54, miniflux/v2 #2844, martinrotter/rssguard #2284."""
    found = [one.url for one in unreadable(replace(page(html), links=headers)).links]
    assert [url.partition("example.org")[2] for url in found] == urls


def test_a_burnt_feed_is_known_by_its_host() -> None:
    assert choice('<a href="http://feeds.feedburner.com/Example">x</a>') == "http://feeds.feedburner.com/Example"
    assert choice('<a href="http://feeds.feedburner.com/~r/Example/~3/x">x</a>') == ""


@pytest.mark.parametrize(
    "html",
    [
        "<p>no link at all",
        '<link rel="stylesheet" type="text/css" href="/style.css">',
        '<link rel="alternate" hreflang="de" href="/de/">',
        '<link rel="alternate" type="application/rss+xml">',
        '<link rel="alternate" type="application/rss+xml" href=" ">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed">',
        '<link rel="alternate" type="application/json" href="https://example.org/wp-json/wp/v2/pages/2">',
        '<link rel="alternate" type="application/json" href="https://example.org/?rest_route=/wp/v2/posts">',
        f"<!-- {link('/feed')} -->",
        f"<script>{link('/feed')}</script>",
        f"<template>{link('/feed')}</template>",
    ],
)
def test_what_names_no_feed_yields_none(html: str) -> None:
    assert choice(html) == ""


def test_attributes_may_be_written_in_every_way_that_html_allows() -> None:
    assert choice("<LINK REL='x ALTERNATE'\n TYPE=application/rss+xml HREF='/a?b=1&amp;c=2'/>") == (
        "https://example.org/a?b=1&c=2"
    )
    assert (
        choice('<link title="1 > 0" rel="alternate" type="application/rss+xml" href="/a">') == "https://example.org/a"
    )


def test_the_base_of_the_page_counts_and_only_the_first() -> None:
    html = f'<base target="_top"><base href="/deep/"><base href="/other/">{link("feed")}'
    assert choice(html) == "https://example.org/deep/feed"
    assert choice(link("feed")) == "https://example.org/blog/feed"


def test_a_page_gives_no_login_and_no_fragment() -> None:
    assert choice(link("https://ann:secret@example.org/feed#top")) == "https://example.org/feed"


def test_of_several_feeds_the_first_is_taken() -> None:
    assert choice(link("/one") + link("/two", ATOM)) == "https://example.org/one"


def test_the_pages_own_host_goes_before_others() -> None:
    assert choice(link("https://feeds.example/blog") + link("/feed")) == "https://example.org/feed"


def test_comments_go_last() -> None:
    assert choice(link("/comments/feed/") + link("https://feeds.example/blog")) == "https://feeds.example/blog"
    assert choice(link("/a", title="Blog » Comments Feed") + link("/b", title="Blog")) == "https://example.org/b"
    assert choice(link("/comments/feed/")) == "https://example.org/comments/feed/"


def test_a_json_feed_under_its_own_type_goes_before_plain_json() -> None:
    html = link("/plain.json", "application/json") + link("/feed.json", JSON_FEED)
    assert choice(html) == "https://example.org/feed.json"


def test_the_choice_is_explained() -> None:
    move = chosen(page(link("/one", ATOM, "My blog") + link("/two")), known())
    assert move is not None
    assert move.found
    assert move.reason == "a page; of 2 feeds on it this was chosen: Atom 'My blog'"


def test_a_public_page_leads_into_no_private_network_and_a_private_one_may() -> None:
    assert choice(link("http://10.0.0.1/feed") + link("http://intranet/feed")) == ""
    assert choice(link("http://10.0.0.1/feed"), "http://10.0.0.2/") == "http://10.0.0.1/feed"


def test_a_login_set_for_the_page_goes_to_no_other_origin() -> None:
    html = link("https://elsewhere.example/feed", ATOM) + link("/feed")
    move = chosen(page(html), known(username="ann"))
    assert move is not None
    assert move.url == "https://example.org/feed"
    assert choice(link("/feed"), "https://ann:secret@example.org/") == "https://ann:secret@example.org/feed"


def test_only_a_page_at_a_url_never_imported_is_looked_at() -> None:
    there = page(link("/feed"))
    assert chosen(there, known())
    assert not chosen(there, feed_state(PAGE, imported_at=NOW))
    assert not chosen(there, feed_state(PAGE, found_on="https://x/"))
    fetched = Fetched(url=PAGE, body=there.body, body_digest=b"")
    assert not redirects.discovered(known(), fetched, replace(unreadable(there), kind=FailureKind.HOSTILE))


# Candidates


def links(html: str, url: str = PAGE) -> list[str]:
    return [found.url.removeprefix("https://example.org") for found in unreadable(page(html, url)).links]


@pytest.mark.parametrize(
    "type_",
    [
        "text/xml",
        "application/xml",
        "application/x-rss+xml",
        "application/x.atom+xml",
        "application/x-atom+xml",
        "application/rss",
        "text/rss+xml",
        "application/atom+xml; type=feed",
        "application/rdf+xml",
    ],
)
def test_every_type_that_feeds_are_declared_by_is_known(type_: str) -> None:
    assert links(link("/feed", type_)) == ["/feed"]


@pytest.mark.parametrize("rel", ["feed", "alternate feed", "FEED home"])
def test_the_relation_feed_needs_no_type(rel: str) -> None:
    assert links(f'<link rel="{rel}" href="/feed">') == ["/feed"]
    assert links(f'<link rel="{rel}" type="text/html" href="/feed">') == []


@pytest.mark.parametrize(
    "type_", ["application/atom+xml;type=entry", 'application/atom+xml; type="entry"', "text/xml+oembed"]
)
def test_the_document_of_an_entry_is_no_feed(type_: str) -> None:
    assert links(f"<link rel='alternate' type='{type_}' href='/post/1.atom'>") == []


def test_a_sitemap_is_no_feed() -> None:
    assert links(link("/sitemap.xml", "text/xml")) == []


def test_types_that_say_more_go_first_and_of_equals_the_order_of_the_page_counts() -> None:
    html = (
        link("/j", "application/json") + link("/x", "text/xml") + link("/a", ATOM) + link("/r", RSS) + link("/a", RSS)
    )
    assert links(html) == ["/a", "/r", "/x", "/j"]


def test_a_link_counts_wherever_it_stands() -> None:
    script = "<script>var text = '" + "x" * 1_000_000 + "'</script>"
    assert links(f"<head></head><body>{script}<p>text{link('/feed')}") == ["/feed"]


def test_the_base_of_the_page_counts_for_what_stands_before_it_too() -> None:
    assert links(link("feed") + '<base href="/deep/">') == ["/deep/feed"]


@pytest.mark.parametrize("text", ["title", "textarea", "style", "iframe", "xmp"])
def test_what_is_text_in_the_page_is_no_link(text: str) -> None:
    assert links(f"<{text}>{link('/one')}</{text.upper()}>{link('/two')}") == ["/two"]
    assert links(f"<{text}>{link('/one')}") == []


def test_comments_end_where_they_end_for_browsers() -> None:
    assert links(f"<!-->{link('/one')}<!-- > {link('/two')} -->{link('/three')}") == ["/one", "/three"]


def test_a_quote_that_is_never_closed_loses_one_link() -> None:
    assert links(f"{link('/one')}<link title='x rel=alternate href=/two>{link('/three')}")[0] == "/one"


def test_a_reference_of_very_many_digits_is_no_trap() -> None:
    assert links(link("/feed", title="&#" + "9" * 5_000 + ";")) == ["/feed"]


def test_a_page_in_another_encoding_is_read() -> None:
    html = f'<meta charset="windows-1251">{link("/feed", title="Лодки")}'
    (found,) = unreadable(Document(url=PAGE, body=html.encode("cp1251"))).links
    assert found.title == "Лодки"
    assert unreadable(Document(url=PAGE, body=html.encode("utf-16"))).links[0].title == "Лодки"


def test_a_page_that_is_a_gzip_file_is_opened() -> None:
    (found,) = unreadable(Document(url=PAGE, body=gzip.compress(link("/feed").encode()))).links
    assert found.url == "https://example.org/feed"


def test_so_many_links_are_enough() -> None:
    assert len(links("".join(link(f"/{number}") for number in range(1_000)))) == autodiscovery.MAX_LINKS


# Anchors


@pytest.mark.parametrize(
    "href",
    [
        "/feed.xml",
        "/blog/feed/",
        "rss",
        "/rss.php",
        "/atom.xml",
        "/index.rdf",
        "/feeds/news.xml",
        "/feeds/posts/default",
        "/news.rss?a=b",
        "/?feed=rss2",
        "https://www.example.org/feed",
        "https://feeds.example.com/blog/rss",
    ],
)
def test_without_a_link_an_anchor_that_looks_like_a_feed_counts(href: str) -> None:
    assert len(links(f'<a class="x" href="{href}">Subscribe</a>')) == 1


@pytest.mark.parametrize(
    "href",
    [
        "/about",
        "/feedback",
        "/rss-explained",
        "https://elsewhere.example/feed",
        "/sitemap.xml",
        "#rss",
        "mailto:feed@x.example",
    ],
)
def test_other_anchors_do_not(href: str) -> None:
    assert links(f'<a href="{href}">RSS</a>') == []


def test_beside_a_link_no_anchor_counts() -> None:
    assert links(f'<a href="/feed.xml">RSS</a>{link("/comments")}') == ["/comments"]


# Videos


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("https://www.youtube.com/channel/UC0123456789abcdefghij-_", "channel_id=UC0123456789abcdefghij-_"),
        ("https://m.youtube.com/channel/UC0123456789abcdefghij-_/videos", "channel_id=UC0123456789abcdefghij-_"),
        ("https://www.youtube.com/playlist?list=PL0123456789", "playlist_id=PL0123456789"),
        ("https://youtube.com/playlist?a=b&list=PL0123456789&c=d", "playlist_id=PL0123456789"),
    ],
)
def test_the_feed_of_a_channel_or_playlist_is_known_by_the_url_of_its_page(url: str, query: str) -> None:
    assert links("<p>Before you continue", url) == [f"https://www.youtube.com/feeds/videos.xml?{query}"]


@pytest.mark.parametrize(
    "url", ["https://www.youtube.com/@boats", "https://www.youtube.com/watch?v=a&list=PL0123456789"]
)
def test_other_pages_of_videos_name_their_feed(url: str) -> None:
    assert links(link("https://www.youtube.com/feeds/videos.xml?channel_id=UC1"), url) == [
        "https://www.youtube.com/feeds/videos.xml?channel_id=UC1"
    ]
    assert links("", url) == []


# What it may cost


def test_a_page_costs_no_more_than_it_is_long() -> None:
    pieces = [
        *(
            b"<link ",
            b'<link "',
            b"<link '\"",
            b"<link a=",
            b'<link a="',
            b"<link a= ",
            b"<!--",
            b"<!-->",
            b"<",
            b"<a>",
        ),
        *(
            b"<script",
            b"<script>",
            b"</script",
            b'<link a="b>" ',
            b"<base href=x>",
            b"<a href=/feed>",
            b"<title>",
            b"&#",
            b"=",
        ),
        *(
            link("/feed").encode(),
            b"<link " + b"a<" * 900 + b">",
            b"<link " + b"&#" * 900 + b">",
            b"<link " + b" " * 1990,
        ),
    ]
    assert_linear(lambda body: feed_links(Document(url=PAGE, body=body)), pieces)
    assert_linear(
        lambda body: feed_links(Document(url=PAGE, body=body)), [b" ", b"a", b"/", b"a=", b'"'], before=b"<link "
    )


@pytest.mark.parametrize(
    "tag", ['<link rel="alternate" type="text/xml" href="/wp-json/{}">', '<a href="//x.org/{}/feed">']
)
def test_behind_a_thousand_urls_that_are_none_no_other_is_resolved(tag: str) -> None:
    many = "".join(tag.format(number) for number in range(autodiscovery.MAX_URLS))
    one = tag.format("last").replace("/wp-json/last", "/feed").replace("//x.org/last/feed", "/feed")
    assert links(many + one) == []
    assert links(many[: -len(tag.format(999))] + one) == ["/feed"]
