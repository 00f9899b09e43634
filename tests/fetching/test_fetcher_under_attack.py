"""What servers do to hold a worker, fill its memory, or reach what is not theirs; each ends soon, with its reason."""

import gzip
import resource
import socket
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from dramatiq.middleware import TimeLimitExceeded
from dramatiq.threading import raise_thread_exception

from feeds.fetching import FetchSettings
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.resolver import AddressInfo
from feeds.fetching.transport import KNOWN_ENCODINGS
from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchOutcome, Redirect
from feeds.outcomes import FailureKind
from tests.rigs.names import directory, name_service
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.feed_server import FeedServer, Pieces, Received, answer
from tests.rigs.threads import at_once

if "zstd" in KNOWN_ENCODINGS:
    from urllib3.response import zstd

LOOPBACK = ("127.0.0.0/8",)
DEADLINE = 0.5  # seconds
MEBIBYTE = 1024 * 1024
PUBLIC = "93.184.216.34"


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(settings())


def settings(*, allowed: tuple[str, ...] = LOOPBACK) -> FetchSettings:
    return FetchSettings(allowed_networks=allowed, max_body_bytes=MEBIBYTE)


def failed(fetcher: Fetcher, url: str, **request: Any) -> Failed:
    outcome = fetcher.fetch(FeedRequest(url=url, **request))
    assert isinstance(outcome, Failed), outcome
    return outcome


def see_deadline_end(fetcher: Fetcher, url: str, **request: Any) -> Failed:
    """Fetch with a short deadline, and see that it is what ended the fetch."""
    outcome = failed(fetcher, url, deadline=DEADLINE, **request)
    assert (outcome.kind, outcome.text) == (FailureKind.TIMEOUT, "no complete answer in 0.5 seconds")
    return outcome


# Time

HEAD = b"HTTP/1.1 200 OK\r\n"


def status_line(server: FeedServer) -> Pieces:
    return server.drip(b"HTTP/1.1 ", b"2")


def header_line(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"X: ", b"a")


def headers(server: FeedServer) -> Pieces:
    return server.drip(HEAD, b"X: a\r\n")


def body_until_close(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"\r\n", b"<")


def body_of_known_length(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"Content-Length: 100000\r\n\r\n", b"<")


def chunks(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n<\r\n")


def chunk_size(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0")


def trailers(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n")


def gzip_without_content(server: FeedServer) -> Pieces:
    return server.drip(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b""))


def silence(server: FeedServer) -> Pieces:
    return server.drip(b"", b"")


@pytest.mark.parametrize(
    "attack",
    [
        status_line,
        header_line,
        headers,
        body_until_close,
        body_of_known_length,
        chunks,
        chunk_size,
        trailers,
        gzip_without_content,
        silence,
    ],
)
def test_the_deadline_ends_a_drip(server: FeedServer, fetcher: Fetcher, attack: Callable[[FeedServer], Pieces]) -> None:
    server.routes["/feed"] = lambda _: attack(server)
    see_deadline_end(fetcher, server.url())


def test_the_deadline_ends_a_drip_over_tls(fetcher: Fetcher) -> None:
    with FeedServer(tls=True) as server:
        server.routes["/feed"] = lambda _: body_until_close(server)
        see_deadline_end(fetcher, server.url(), verify_tls=False)


def test_the_deadline_ends_a_drip_of_a_proxy_that_is_asked_for_a_tunnel(fetcher: Fetcher) -> None:
    for attack in (status_line, header_line, headers, silence):
        with FeedServer() as proxy:
            proxy.routes["feeds.test:443"] = lambda _, drip=attack, server=proxy: drip(server)
            see_deadline_end(fetcher, "https://feeds.test/", proxy=proxy.url(""))


def test_the_deadline_ends_a_request_that_is_not_read(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts by itself, and reads nothing
        large = (("X-Large", "x" * 20 * MEBIBYTE),)
        see_deadline_end(fetcher, f"http://127.0.0.1:{listener.getsockname()[1]}/", headers=large)


def test_the_deadline_ends_a_tls_handshake(fetcher: Fetcher) -> None:
    hello = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB begins
            while not hello.wait(0.05):
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        see_deadline_end(fetcher, f"https://127.0.0.1:{listener.getsockname()[1]}/")
        hello.set()
        thread.join()


def test_the_deadline_ends_a_connection_that_is_not_accepted(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # fill the queue of the listener
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        see_deadline_end(fetcher, f"http://127.0.0.1:{port}/")
        for sock in waiting:
            sock.close()


def test_the_deadline_ends_slow_name_resolution_and_the_next_name_still_resolves(server: FeedServer) -> None:
    never = threading.Event()

    def resolve(host: str, port: int, type: int) -> list[AddressInfo]:
        if host.startswith("slow"):
            never.wait(60)
        return list(name_service("127.0.0.1")(host, port))

    server.routes["/feed"] = answer(body=b"<rss/>")
    fetcher = Fetcher(settings(), getaddrinfo=resolve)
    for number in range(3):
        see_deadline_end(fetcher, server.url(host=f"slow{number}.test"))
    outcome = fetcher.fetch(FeedRequest(url=server.url(host="quick.test"), deadline=20.0))
    never.set()
    assert isinstance(outcome, Fetched)


def test_one_deadline_covers_all_redirects(server: FeedServer, fetcher: Fetcher) -> None:
    def slow(request: Received) -> Pieces:
        server.stopping.wait(0.2)
        yield answer(302, location=f"/{int(request.target[1:]) + 1}")

    server.routes = {f"/{number}": slow for number in range(6)}
    outcome = see_deadline_end(fetcher, server.url("/0"))
    assert len(outcome.redirects) <= 3  # each took 0.2 s


def test_a_deadline_of_another_feed_ends_nothing(server: FeedServer, fetcher: Fetcher) -> None:
    def slow(request: Received) -> Pieces:
        server.stopping.wait(0.4)
        yield answer(body=b"<rss/>")

    server.routes = {"/drip": lambda _: body_until_close(server), "/slow": slow, "/quick": answer(body=b"<rss/>")}
    requests = [FeedRequest(url=server.url(path), deadline=limit) for path, limit in (("/slow", 20.0), ("/drip", 0.2))]
    assert [type(outcome) for outcome in at_once(fetcher.fetch, requests)] == [Fetched, Failed]
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url("/quick"))), Fetched)


def test_a_fetch_that_waits_can_be_interrupted(server: FeedServer) -> None:
    def fetch() -> None:
        with suppress(TimeLimitExceeded):
            fetcher.fetch(FeedRequest(url=server.url(), deadline=3600.0))

    server.routes["/feed"] = lambda _: silence(server)
    fetcher = Fetcher(FetchSettings(allowed_networks=LOOPBACK, read_timeout=3600.0))
    thread = threading.Thread(target=fetch)
    thread.start()
    eventually(lambda: server.received, within=20, what="the server is asked")
    raise_thread_exception(thread.ident, TimeLimitExceeded)
    thread.join(60)
    assert not thread.is_alive()


def test_a_server_that_stops_sending_is_left_after_the_read_timeout(server: FeedServer) -> None:
    server.routes["/feed"] = lambda _: silence(server)
    fetcher = Fetcher(FetchSettings(allowed_networks=LOOPBACK, read_timeout=0.2))
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text) == (FailureKind.TIMEOUT, "the server stopped sending")


def test_the_body_of_an_error_is_not_waited_for(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = lambda _: server.drip(b"HTTP/1.1 429 No\r\nRetry-After: 5\r\n\r\n", b"x")
    outcome = fetcher.fetch(FeedRequest(url=server.url(), deadline=20.0))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retry_after) == (FailureKind.TOO_MANY, 5.0)


# Size


def bomb(encoding: str) -> bytes:
    """Return 200 MiB of zeros, compressed piece by piece so that this process never holds them."""
    zeros = bytes(MEBIBYTE)
    if encoding == "zstd":
        compressor = zstd.ZstdCompressor()
    else:
        compressor = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    return b"".join(compressor.compress(zeros) for _ in range(200)) + compressor.flush()


@pytest.mark.parametrize("encoding", [name for name in ("gzip", "deflate", "zstd") if name in KNOWN_ENCODINGS])
def test_a_decompression_bomb_ends_at_the_cap(server: FeedServer, fetcher: Fetcher, encoding: str) -> None:
    server.routes["/feed"] = answer(body=bomb(encoding), content_encoding=encoding)
    before = peak_memory()
    outcome = fetcher.fetch(FeedRequest(url=server.url(), deadline=20.0))
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.TOO_LARGE
    assert outcome.text == "the document is larger than 1,048,576 bytes (FEEDS_MAX_BODY_BYTES)"
    assert peak_memory() - before < 30 * MEBIBYTE


def test_many_small_gzip_members_end_at_the_cap(server: FeedServer, fetcher: Fetcher) -> None:
    member = gzip.compress(b"<rss/>" * 1000)
    server.routes["/feed"] = lambda _: server.endless(HEAD + b"Content-Encoding: gzip\r\n\r\n", member)
    assert fetcher.fetch(FeedRequest(url=server.url(), deadline=20.0)) == too_large()


@pytest.mark.skipif("zstd" not in KNOWN_ENCODINGS, reason="no decoder for zstd is installed")
def test_the_deadline_ends_the_decoding_of_nothing(server: FeedServer) -> None:
    compressor = zstd.ZstdCompressor()
    frame = compressor.compress(b"") + compressor.flush()
    server.routes["/feed"] = answer(body=frame * (10 * MEBIBYTE // len(frame)), content_encoding="zstd")
    fetcher = Fetcher(FetchSettings(allowed_networks=LOOPBACK))
    see_deadline_end(fetcher, server.url())


def test_a_body_without_a_length_ends_at_the_cap(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = lambda _: server.endless(HEAD + b"\r\n", b"<" * 65536)
    assert fetcher.fetch(FeedRequest(url=server.url(), deadline=20.0)) == too_large()


def test_chunks_without_an_end_end_at_the_cap(server: FeedServer, fetcher: Fetcher) -> None:
    piece = b"10000\r\n" + b"<" * 65536 + b"\r\n"
    server.routes["/feed"] = lambda _: server.endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", piece)
    assert fetcher.fetch(FeedRequest(url=server.url(), deadline=20.0)) == too_large()


def test_a_length_beyond_the_cap_is_refused_unread(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = lambda _: server.drip(HEAD + b"Content-Length: 1048577\r\n\r\n", b"")
    assert failed(fetcher, server.url()) == too_large()


def test_a_document_as_large_as_the_cap_is_fetched(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=b"x" * MEBIBYTE)
    server.routes["/gzip"] = answer(body=gzip.compress(b"x" * MEBIBYTE), content_encoding="gzip")
    for path in ("/feed", "/gzip"):
        outcome = fetcher.fetch(FeedRequest(url=server.url(path)))
        assert isinstance(outcome, Fetched)
        assert len(outcome.body) == MEBIBYTE


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X: a\r\n" * 101 + b"\r\n",
        HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        HEAD + (b"X: " + b"a" * 10_000 + b"\r\n") * 7 + b"\r\n",
        b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n" + b"X: a\r\n" * 101 + b"\r\n",
    ],
)
def test_too_many_or_too_large_headers_are_refused(server: FeedServer, fetcher: Fetcher, head: bytes) -> None:
    server.routes["/feed"] = head + b"Content-Length: 0\r\n\r\n"
    assert failed(fetcher, server.url()).kind == FailureKind.PROTOCOL


@pytest.mark.parametrize("rest", [b"X: a\r\n" * 100, b"a" * 65536, b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_endless_headers_are_refused(server: FeedServer, fetcher: Fetcher, rest: bytes) -> None:
    server.routes["/feed"] = lambda _: server.endless(b"", rest)
    assert failed(fetcher, server.url()).kind == FailureKind.PROTOCOL


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early Hints\r\n" + b"X: a\r\n" * 50 + b"\r\n"])
def test_headers_are_not_held_beyond_their_cap(server: FeedServer, fetcher: Fetcher, before: bytes) -> None:
    line = b"X: " + b"a" * 65_000 + b"\r\n"
    server.routes["/feed"] = lambda _: iter([before, HEAD, *[line] * 99, b"\r\n"])
    tracemalloc.start()
    try:
        outcome = failed(fetcher, server.url())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (outcome.kind, outcome.text) == (FailureKind.PROTOCOL, "the headers are larger than 64 KiB")
    assert peak < MEBIBYTE


@pytest.mark.parametrize(
    "case",
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n" * 100),  # trailers
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1" + b";x=y" * 10_000 + b"\r\n<\r\n"),  # extensions
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 1000),  # nothing, compressed
    ],
)
def test_what_is_sent_ends_at_a_cap_though_it_decodes_to_little(
    server: FeedServer, fetcher: Fetcher, case: tuple[bytes, bytes]
) -> None:
    server.routes["/feed"] = lambda _: server.endless(*case)
    assert fetcher.fetch(FeedRequest(url=server.url(), deadline=3600.0)) == too_large()


def test_interim_answers_are_skipped(server: FeedServer, fetcher: Fetcher) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    server.routes["/feed"] = interim + answer(body=b"<rss/>")
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Fetched)
    assert (outcome.body, outcome.links) == (b"<rss/>", ())


def too_large() -> Failed:
    text = "the document is larger than 1,048,576 bytes (FEEDS_MAX_BODY_BYTES)"
    return Failed(kind=FailureKind.TOO_LARGE, text=text)


def peak_memory() -> int:
    """Return the most memory that the process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# Broken answers


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\r\n",
        b"hello\r\n\r\n",
        b"<rss/>",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 1000 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        HEAD + b"Content-Length: 100\r\n\r\nshort",
        HEAD + b"Content-Length: 5, 6\r\n\r\nabcdef",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"<rss/>", mtime=0),
        b"HTTP/1.1 2\x000\x1b[31m \r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
        HEAD + b"Content-Length: 30\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x", mtime=0)[:15],
    ],
)
def test_an_answer_that_is_broken_is_a_failure(server: FeedServer, fetcher: Fetcher, reply: bytes) -> None:
    server.routes["/feed"] = lambda _: iter([reply])
    outcome = failed(fetcher, server.url())
    assert outcome.kind == FailureKind.PROTOCOL
    assert outcome.text.isprintable()


@pytest.mark.parametrize("length", [b"abc", b"-1", b"", b"9" * 5000])
def test_a_length_that_is_none_is_not_believed(server: FeedServer, fetcher: Fetcher, length: bytes) -> None:
    server.routes["/feed"] = lambda _: iter([HEAD + b"Content-Length: " + length + b"\r\n\r\n<rss/>"])
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Fetched)
    assert outcome.body == b"<rss/>"


def test_a_reset_in_the_middle_is_a_failure(server: FeedServer, fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reset() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nabc")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        outcome = failed(fetcher, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert outcome.kind in (FailureKind.PROTOCOL, FailureKind.CONNECT)


# Addresses


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["::1"],
        ["fe80::1%1"],
        ["::ffff:169.254.169.254"],
        [PUBLIC, "127.0.0.1"],
        [PUBLIC, "2606:4700::1111", "fd00::1"],
    ],
)
def test_a_name_with_any_refused_address_is_refused(found: list[str]) -> None:
    fetcher = Fetcher(settings(allowed=()), getaddrinfo=name_service(*found))
    outcome = failed(fetcher, "http://feeds.test/feed")
    assert outcome.kind == FailureKind.REFUSED_ADDRESS
    assert outcome.text.startswith(f"feeds.test ({found[-1]}) is not a public address")
    assert "FEEDS_ALLOWED_NETWORKS" in outcome.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "１２７.0.0.1", "[::1]", "[::ffff:7f00:1]"]
)
def test_literals_are_refused_without_a_look_up(host: str) -> None:
    def getaddrinfo(host: str, port: int, type: int) -> list[AddressInfo]:
        raise AssertionError("looked up")

    fetcher = Fetcher(settings(allowed=()), getaddrinfo=getaddrinfo)
    assert failed(fetcher, f"http://{host}/").kind == FailureKind.REFUSED_ADDRESS


def test_every_hop_is_checked(server: FeedServer, fetcher: Fetcher) -> None:
    target = "http://169.254.169.254/latest/meta-data/"
    server.routes["/feed"] = answer(302, location=target)
    outcome = failed(fetcher, server.url())
    assert outcome.kind == FailureKind.REFUSED_ADDRESS
    assert outcome.redirects == (Redirect(status=302, url=target),)


# The Internet, as seen from here: what is connected to a public address reaches a server on loopback.
NAMES = {"one.test": PUBLIC, "two.test": "93.184.216.35", "intranet.test": "127.0.0.1", "ten.test": "10.0.0.1"}


def world(server: FeedServer) -> Fetcher:
    """Return a fetcher to which all private networks are allowed."""

    def connect(sock: socket.socket, address: tuple[Any, ...]) -> None:
        sock.connect(("127.0.0.1", server.port))

    return Fetcher(
        settings(allowed=("127.0.0.0/8", "10.0.0.0/8", "::1")),
        getaddrinfo=directory(NAMES.__getitem__),
        connect=connect,
    )


def follow(server: FeedServer, *hosts: str, **request: Any) -> FetchOutcome:
    """Fetch from the first of these hosts, which redirects to the next one, and so on."""
    for number, host in enumerate(hosts[1:]):
        server.routes[f"/{number}"] = answer(302, location=f"http://{host}/{number + 1}")
    server.routes[f"/{len(hosts) - 1}"] = answer(body=b"<rss/>")
    return world(server).fetch(FeedRequest(url=f"http://{hosts[0]}/0", **request))


@pytest.mark.parametrize(
    "hosts",
    [
        ["one.test", "intranet.test"],
        ["one.test", "ten.test"],
        ["one.test", "127.0.0.1"],
        ["one.test", "[::1]"],
        [PUBLIC, "[::ffff:10.0.0.1]"],
        ["one.test", "two.test", "intranet.test"],
        ["intranet.test", "one.test", "intranet.test"],
        ["intranet.test", "one.test", "two.test", "ten.test"],
    ],
)
def test_no_chain_leads_from_the_internet_into_a_network_that_is_allowed(server: FeedServer, hosts: list[str]) -> None:
    outcome = follow(server, *hosts)
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.REFUSED_ADDRESS
    assert "the Internet" in outcome.text
    assert len(server.received) == len(hosts) - 1


@pytest.mark.parametrize(
    ("hosts", "public"),
    [
        (["intranet.test", "ten.test", "127.0.0.1"], False),
        (["intranet.test", "one.test"], True),
        (["one.test", "two.test"], True),
        (["one.test"], True),
        (["ten.test"], False),
    ],
)
def test_other_chains_are_followed_and_it_is_told_whether_they_were_public(
    server: FeedServer, hosts: list[str], public: bool
) -> None:
    outcome = follow(server, *hosts)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.public == public


def test_a_feed_that_the_internet_has_named_is_not_private_from_its_first_hop(server: FeedServer) -> None:
    outcome = follow(server, "intranet.test", public_only=True)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, server.received) == (FailureKind.REFUSED_ADDRESS, [])


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(server: FeedServer) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]])
    asked: list[str] = []

    def rebinding(host: str, port: int, type: int) -> list[AddressInfo]:
        asked.append(host)
        return list(name_service(*next(answers))(host, port))

    server.routes["/feed"] = lambda _: iter([answer(body=b"<rss/>")])  # and the connection is closed
    fetcher = Fetcher(settings(), getaddrinfo=rebinding)
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url(host="rebind.test"))), Fetched)
    assert asked == ["rebind.test"]
    assert failed(fetcher, server.url(host="rebind.test")).kind == FailureKind.REFUSED_ADDRESS


@pytest.mark.parametrize("port", [22, 25, 6379, 11211])
def test_ports_of_other_services_are_refused_on_public_addresses(fetcher: Fetcher, port: int) -> None:
    outcome = failed(fetcher, f"http://{PUBLIC}:{port}/feed")
    assert (outcome.kind, outcome.text) == (
        FailureKind.REFUSED_ADDRESS,
        f"port {port} is for other services than HTTP",
    )


def test_a_proxy_must_be_allowed_and_what_is_behind_it_public(server: FeedServer, fetcher: Fetcher) -> None:
    assert failed(fetcher, "http://feeds.test/", proxy="http://10.0.0.1:3128").kind == FailureKind.REFUSED_ADDRESS
    for url in ("http://10.0.0.1/", "https://[::1]/", f"http://{PUBLIC}:22/"):
        assert failed(fetcher, url, proxy=server.url("")).kind == FailureKind.REFUSED_ADDRESS
    assert server.received == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "feeds.test does not resolve to an address"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "the name server gave no answer for feeds.test"),
        (UnicodeError("label too long"), "feeds.test does not resolve to an address"),
    ],
)
def test_a_name_that_does_not_resolve_is_a_dns_failure(error: Exception, text: str) -> None:
    def getaddrinfo(host: str, port: int, type: int) -> list[AddressInfo]:
        raise error

    fetcher = Fetcher(settings(), getaddrinfo=getaddrinfo)
    outcome = failed(fetcher, "http://feeds.test/")
    assert (outcome.kind, outcome.text) == (FailureKind.DNS, text)


def test_a_closed_port_is_a_connect_failure(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = failed(fetcher, f"http://127.0.0.1:{port}/")
    assert (outcome.kind, outcome.text) == (FailureKind.CONNECT, f"127.0.0.1 refuses connections to port {port}")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/", "", "http://", "data:,x"])
def test_nothing_but_http_is_fetched(fetcher: Fetcher, url: str) -> None:
    assert failed(fetcher, url).kind == FailureKind.INVALID_URL


def test_credentials_are_in_no_outcome_and_no_log(
    server: FeedServer, fetcher: Fetcher, caplog: pytest.LogCaptureFixture
) -> None:
    server.routes["/feed"] = answer(401)
    server.routes["/moved"] = answer(302, location="/feed")
    server.routes["/odd"] = answer(body=b"x").replace(b"\r\n\r\n", b"\r\nno colon\r\n\r\n")
    with caplog.at_level("DEBUG"):
        for path in ("/feed", "/moved", "/odd", "/none"):
            outcome = fetcher.fetch(
                FeedRequest(url=server.url(path, host="me:geheim@127.0.0.1"), proxy="", password="geheim2")
            )
            assert "geheim" not in repr(outcome)
        for url in ("http://me:geheim@127.0.0.1:1/", "http://me:geheim@10.0.0.1/", "http://me:geh/eim@10.0.0.1/"):
            assert "eim" not in repr(failed(fetcher, url))
    assert "geheim" not in caplog.text
