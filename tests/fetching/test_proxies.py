"""Proxies of the settings and of a feed: real ones, which lead every name to our server."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from feeds.exceptions import ConfigurationError, InvalidURL
from feeds.fetching import proxies
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.proxies import Proxies, proxy_at
from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchOutcome, FetchSettings
from feeds.outcomes import FailureKind
from tests.rigs.names import directory, name_service
from tests.rigs.servers.feed_server import CERTIFICATE, FeedServer, answer
from tests.rigs.servers.proxies import ProxyServer

SCHEMES = ["http", "https", "socks5", "socks5h"]
PUBLIC = "93.184.216.34"
BODY = b"<rss version='2.0'/>"

StartProxy = Callable[..., ProxyServer]


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with FeedServer(tls=request.param, routes={"/feed": answer(body=BODY)}) as running:
        yield running


@pytest.fixture
def start_proxy(server: FeedServer) -> Iterator[StartProxy]:
    with ExitStack() as stack:
        yield lambda scheme, **options: stack.enter_context(ProxyServer(scheme, server.port, **options))


# Knows proxies by their name, and leads all else to the Internet.
NAMES = directory(lambda host: "127.0.0.1" if host == "localhost" else PUBLIC)


def fetch(settings: FetchSettings, url: str, **request: Any) -> FetchOutcome:
    return Fetcher(settings, getaddrinfo=NAMES).fetch(FeedRequest(url=url, **request))


def url_of(server: FeedServer) -> str:
    return f"{'https' if server.tls else 'http'}://feeds.test/feed"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("login", [False, True])
def test_all_feeds_go_through_the_proxy_of_the_settings(
    server: FeedServer, start_proxy: StartProxy, scheme: str, login: bool
) -> None:
    proxy = start_proxy(scheme, login=login)
    outcome = fetch(FetchSettings(proxy=proxy.url), url_of(server))
    assert isinstance(outcome, Fetched), outcome
    port = 443 if server.tls else 80
    asked = "http://feeds.test/feed" if scheme.startswith("http") and not server.tls else f"feeds.test:{port}"
    assert proxy.asked == [asked.replace("feeds.test", PUBLIC if scheme == "socks5" else "feeds.test")]
    (received,) = server.received
    assert (received.header("Host"), received.over_tls) == ("feeds.test", server.tls)
    assert outcome.public


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_login_that_the_proxy_does_not_take_is_a_failure_that_tells_none(
    server: FeedServer, start_proxy: StartProxy, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = start_proxy(scheme, login=True)
    with caplog.at_level("DEBUG"):
        outcome = fetch(FetchSettings(proxy=proxy.url.replace("geheim", "falsch")), url_of(server))
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.CONNECT  # a server out of reach: the fault is not the feed's
    assert proxy.refused == 1
    assert "falsch" not in repr(outcome) + caplog.text
    assert server.received == []


def test_a_feed_may_have_another_proxy_or_none(server: FeedServer, start_proxy: StartProxy) -> None:
    everybodys, own = start_proxy("http"), start_proxy("http")
    settings = FetchSettings(proxy=everybodys.url, proxy_networks=("127.0.0.1",), allowed_networks=("127.0.0.1",))
    assert isinstance(fetch(settings, url_of(server), proxy=own.url), Fetched)
    assert (len(everybodys.asked), len(own.asked)) == (0, 1)
    assert isinstance(fetch(settings, server.url(host="localhost"), proxy="direct"), Fetched)
    assert (len(everybodys.asked), len(own.asked)) == (0, 1)


def test_what_no_proxy_names_is_reached_without(server: FeedServer, start_proxy: StartProxy) -> None:
    proxy = start_proxy("http")
    settings = FetchSettings(proxy=proxy.url, no_proxy=("localhost",), allowed_networks=("127.0.0.1",))
    assert isinstance(fetch(settings, server.url(host="localhost")), Fetched)
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_left_out"),
    [
        ("example.org", "example.org", True),
        ("example.org", "www.example.org", True),
        (".example.org", "www.example.org", True),
        ("*.example.org", "www.example.org", True),
        ("Example.ORG", "example.org", True),
        ("example.org:8080", "example.org", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("example.org", "notexample.org", False),
        ("example.org", "example.org.evil.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("fd00::/8", "fd00::1", True),
        ("[::1]", "::1", True),
        ("10.0.0.1:8080", "10.0.0.1", True),
        ("[::1]:8080", "::1", True),
        ("*", "example.org", True),
        ("*", "10.0.0.1", True),
    ],
)
def test_no_proxy_names_hosts_with_all_below_them_addresses_and_networks(
    no_proxy: str, host: str, is_left_out: bool
) -> None:
    choose = Proxies("http://proxy.example:3128", [no_proxy]).chosen()
    assert (choose(host) is None) == is_left_out


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://localhost/",
        "http://printer.lan/",
        "http://nas/",
    ],
)
def test_nothing_private_is_asked_for_through_a_proxy_whatever_is_allowed(scheme: str, url: str) -> None:
    with FeedServer() as server, ProxyServer(scheme, server.port) as proxy:
        settings = FetchSettings(proxy=proxy.url, allowed_networks=("0.0.0.0/0", "::/0"))
        outcome = fetch(settings, url)
        assert isinstance(outcome, Failed)
        assert outcome.kind == FailureKind.REFUSED_ADDRESS
        assert "FEEDS_NO_PROXY" in outcome.text
        assert (proxy.asked, server.connections) == ([], 0)


def test_a_redirect_to_what_is_private_is_not_asked_for_through_a_proxy(
    server: FeedServer, start_proxy: StartProxy
) -> None:
    server.routes["/feed"] = answer(302, location="http://localhost/secret")
    proxy = start_proxy("http")
    outcome = fetch(FetchSettings(proxy=proxy.url, allowed_networks=("127.0.0.0/8",)), url_of(server))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(proxy.asked)) == (FailureKind.REFUSED_ADDRESS, 1)


def test_a_redirect_from_behind_a_proxy_leads_to_nothing_private_without_it(
    server: FeedServer, start_proxy: StartProxy
) -> None:
    server.routes["/feed"] = answer(302, location=f"http://127.0.0.1:{server.port}/secret")
    proxy = start_proxy("http")
    settings = FetchSettings(proxy=proxy.url, no_proxy=("127.0.0.0/8",), allowed_networks=("127.0.0.0/8",))
    outcome = fetch(settings, url_of(server))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(server.received)) == (FailureKind.REFUSED_ADDRESS, 1)


def test_a_name_that_leads_to_a_private_address_is_not_asked_for_of_a_proxy_that_is_given_addresses(
    server: FeedServer, start_proxy: StartProxy
) -> None:
    proxy = start_proxy("socks5")
    settings = FetchSettings(proxy=proxy.url, allowed_networks=("127.0.0.0/8",))
    fetcher = Fetcher(settings, getaddrinfo=name_service("127.0.0.1"))
    outcome = fetcher.fetch(FeedRequest(url=url_of(server)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, proxy.asked) == (FailureKind.REFUSED_ADDRESS, [])


def test_the_address_of_a_proxy_has_an_allowance_of_its_own(server: FeedServer, start_proxy: StartProxy) -> None:
    proxy = start_proxy("http")
    assert isinstance(fetch(FetchSettings(proxy=proxy.url), url_of(server)), Fetched)  # of the settings
    refused = fetch(FetchSettings(), url_of(server), proxy=proxy.url)
    assert isinstance(refused, Failed)
    assert refused.kind == FailureKind.REFUSED_ADDRESS
    assert "FEEDS_PROXY_NETWORKS" in refused.text
    settings = FetchSettings(proxy_networks=("127.0.0.0/8",))
    assert isinstance(fetch(settings, url_of(server), proxy=proxy.url), Fetched)
    direct = fetch(settings, server.url(host="localhost"))
    assert isinstance(direct, Failed)
    assert direct.kind == FailureKind.REFUSED_ADDRESS


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_proxy_that_says_nothing_is_left_at_the_deadline(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = FetchSettings(proxy=f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", fetch_deadline=0.3)
        outcome = fetch(settings, "https://feeds.test/feed")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text) == (FailureKind.TIMEOUT, "no complete answer in 0.3 seconds")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_proxy_that_talks_nonsense_is_a_failure(scheme: str) -> None:
    with FeedServer(routes={}) as nonsense:
        outcome = fetch(
            FetchSettings(proxy=f"{scheme}://127.0.0.1:{nonsense.port}", fetch_deadline=2.0), "https://feeds.test/"
        )
    assert isinstance(outcome, Failed)
    assert outcome.kind in (FailureKind.CONNECT, FailureKind.PROTOCOL, FailureKind.TLS, FailureKind.TIMEOUT)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://me:geheim@proxy:21",
        "proxy:3128",
        "http://",
        "socks4://proxy",
        "http://me:geheim@proxy:3128/path",
        "http://pro xy",
        "http://me:geheim@:3128",
        "http://proxy:99999",
        f"socks5://{'a' * 200}:geheim@proxy",
    ],
)
def test_what_is_no_proxy_is_said_without_its_password(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^FEEDS_PROXY: ") as raised:
        Proxies(text)
    assert "geheim" not in str(raised.value)
    outcome = fetch(FetchSettings(), "http://feeds.test/", proxy=text)
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.INVALID_URL
    assert outcome.text.startswith("the feed's proxy: ")


@pytest.mark.parametrize("text", ["no host", "http://example.org/", "10.0.0.0/99", "", "10.", "10.1.2"])
def test_what_no_proxy_cannot_name_is_said(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FEEDS_NO_PROXY: "):
        Proxies("", [text])


def test_a_socks_proxy_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    with pytest.raises(InvalidURL, match=r"feeds-project\[socks\]"):
        proxy_at("socks5://proxy.example")


def test_the_usual_ports_are_taken() -> None:
    texts = ["http://p", "https://p", "socks5://p", "socks5h://p", "socks5://p:80", "socks5://[::1]"]
    assert [proxy_at(text).location.port for text in texts] == [80, 443, 1080, 1080, 80, 1080]


def test_a_password_is_in_no_text_of_a_proxy() -> None:
    assert "geheim" not in repr(FetchSettings(proxy="http://me:geheim@proxy"))
