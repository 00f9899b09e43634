"""Real children: documents built to do harm in, and a thread that is free again in time out."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq.threading
import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import parser, sandbox
from feeds.parsing.values import Document, ParsedFeed, Unreadable
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.workers import PROJECT

LIMIT = 10.0  # seconds
MEGABYTE = 1024 * 1024
OPEN, CLOSE = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>', b"</channel></rss>"
SMALL = OPEN + b"<item><title>small</title></item>" + CLOSE
NOT_WELL_FORMED = OPEN + b"<item><title>small</title></item>"
PARENT = f"""
import os
from feeds.parsing import sandbox
from feeds.parsing import Document
sandbox.parse(Document(url="http://example.org/", body={NOT_WELL_FORMED!r}), limit={LIMIT})
print(sandbox._children._idle[0]._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
ENDLESS = OPEN + b"<item>" + b"<" * 10 * MEGABYTE  # minutes of one regular expression of feedparser's


def fetched(body: bytes) -> Document:
    return Document(url="http://example.org/feed", body=body)


def parse(body: bytes, limit: float = LIMIT) -> ParsedFeed | Unreadable:
    return sandbox.parse(fetched(body), limit=limit)


def children() -> list[int]:
    """Return the process ids of the children of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            is_ours = int(parent) == os.getpid() and b"feeds.parsing.sandbox" in (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if is_ours:
            found.append(int(folder.name))
    return found


def is_at_work(pid: int) -> bool:
    """Say whether a child has ever received a document: then it has set itself a limit."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
    except ProcessLookupError:
        return False


def peak_memory(pid: int) -> int:
    """Return bytes; 0 = it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)


@pytest.fixture(autouse=True)
def _no_children() -> Iterator[None]:
    sandbox._children.close()
    yield
    sandbox._children.close()


class Memory:
    """Looks at the children's memory again and again."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max([self.peak, *map(peak_memory, children())])


def rss(inner: bytes) -> bytes:
    return OPEN + inner + CLOSE


def item(inner: bytes) -> bytes:
    return rss(b"<item>" + inner + b"</item>")


def bomb() -> bytes:
    """Return 1 GB in eight lines."""
    lines = [b'<!ENTITY a0 "' + b"a" * 10 + b'">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)]
    return b"<!DOCTYPE rss [" + b"\n".join(lines) + b"]>" + item(b"<title>&a8;</title>")


def quadratic_bomb() -> bytes:
    entity = b'<!ENTITY a "' + b"a" * 100_000 + b'">'
    return b"<!DOCTYPE rss [" + entity + b"]>" + item(b"<title>" + b"&a;" * 10_000 + b"</title>")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "an author of 60 kB": lambda: item(b"<author>" + b"a" * 60_000 + b"@x (y)</author>"),
    "100,000 attributes": lambda: item(b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>"),
    "100,000 nested tags": lambda: item(b"<a>" * 100_000 + b"</a>" * 100_000),
    "100,000 nested tags in a text": lambda: item(
        b"<description><![CDATA[" + b"<div>" * 100_000 + b"]]></description>"
    ),
    "entities of 1 GB": bomb,
    "long entities of 1 GB": quadratic_bomb,
    "100,000 items": lambda: rss(b"".join(b"<item><guid>%d</guid></item>" % n for n in range(100_000))),
    "10 MiB of noise": lambda: os.urandom(10 * MEGABYTE),
    "10 MiB of comment openers": lambda: OPEN + b"<!--" * (10 * MEGABYTE // 4),
    "10 MiB of JSON items": lambda: b'{"version":"https://jsonfeed.org/version/1","items":[' + b'{"id":1},' * MEGABYTE,
    "10 MiB of nested JSON": lambda: b'{"items":' + b"[" * 10 * MEGABYTE,
    "10 MiB of zeros": lambda: bytes(10 * MEGABYTE),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_s8_every_document_comes_to_an_end_and_in_little_memory(name):
    body = HOSTILE[name]()
    with Memory() as memory:
        result = parse(body)
    assert memory.peak < 250 * MEGABYTE
    assert isinstance(result, ParsedFeed) or result.kind in (FailureKind.HOSTILE, FailureKind.NOT_A_FEED)


def test_s8_what_takes_too_long_is_killed_and_others_go_on_meanwhile():
    results: list[ParsedFeed | Unreadable] = []
    thread = threading.Thread(target=lambda: results.append(parse(ENDLESS, limit=2)))
    thread.start()
    others = 0
    while not results:
        assert isinstance(parse(SMALL), ParsedFeed)
        others += 1
    thread.join()
    assert results == [Unreadable(kind=FailureKind.HOSTILE, text="parsing took longer than 2 s")]
    assert others > 2  # one that holds all threads would let none of them through
    assert children() == []


def test_s8_what_takes_too_much_memory_is_refused():
    items = b'{"id":1},' * MEGABYTE
    result = parse(b'{"version":"https://jsonfeed.org/version/1","items":[' + items + b"{}]}")
    assert result == Unreadable(kind=FailureKind.HOSTILE, text="parsing took more than 240 MB of memory")


def test_a_large_feed_is_read_by_a_child():
    text = b"Many words. " * 100
    body = rss(b"".join(b"<item><guid>%d</guid><description>%s</description></item>" % (n, text) for n in range(1000)))
    assert parse(body) == parser.parse(fetched(body))
    assert len(children()) == 1


def test_a_child_says_what_the_parser_says():
    assert parse(NOT_WELL_FORMED) == parser.parse(fetched(NOT_WELL_FORMED))
    assert len(children()) == 1


def test_what_was_seen_is_left_out_by_a_child_too():
    body = rss(b"".join(b"<item><guid>%d</guid><title>%s</title></item>" % (n, b"t" * 3000) for n in range(100)))
    first = parse(body)
    assert isinstance(first, ParsedFeed)
    assert first.digests
    again = sandbox.parse(fetched(body), frozenset(first.digests), limit=LIMIT)
    assert isinstance(again, ParsedFeed)
    assert (again.entries, again.digests) == ((), first.digests)


def test_small_and_well_formed_documents_start_no_child():
    parse(SMALL)
    parse(b'{"version": "https://jsonfeed.org/version/1.1", "items": []}')
    assert children() == []


def test_a_feed_that_was_hostile_before_is_read_by_a_child():
    assert isinstance(sandbox.parse(fetched(SMALL), limit=LIMIT, suspicious=True), ParsedFeed)
    assert len(children()) == 1


def test_one_child_serves_many_documents_and_another_one_follows_when_it_has_done_much():
    parse(NOT_WELL_FORMED)
    (first,) = children()
    parse(NOT_WELL_FORMED)
    assert children() == [first]
    parse(NOT_WELL_FORMED + b" " * sandbox.RETIRED_AFTER)
    assert first not in children()


def test_a_crash_of_the_child_is_an_outcome_and_the_next_document_gets_a_new_one():
    results: list[ParsedFeed | Unreadable] = []
    thread = threading.Thread(target=lambda: results.append(parse(ENDLESS)))
    thread.start()
    eventually(lambda: bool(children()), within=10, what="there is a child")
    (child,) = children()
    os.kill(child, signal.SIGSEGV)
    thread.join(LIMIT)
    assert results == [Unreadable(kind=FailureKind.HOSTILE, text="the parser crashed")]
    assert isinstance(parse(NOT_WELL_FORMED), ParsedFeed)


def test_a_child_that_ended_while_it_was_idle_is_no_crash():
    parse(NOT_WELL_FORMED)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    assert isinstance(parse(NOT_WELL_FORMED), ParsedFeed)


def test_an_interrupted_thread_leaves_no_answer_to_the_next_document():
    class Interrupt(BaseException):
        pass

    interrupted = threading.Event()

    def suffer() -> None:
        try:
            parse(ENDLESS)
        except Interrupt:
            interrupted.set()

    thread = threading.Thread(target=suffer)
    thread.start()
    eventually(lambda: any(map(is_at_work, children())), within=30, what="a child has the document")
    assert thread.ident
    dramatiq.threading.raise_thread_exception(thread.ident, Interrupt)
    assert interrupted.wait(30)
    thread.join()
    assert children() == []
    result = parse(NOT_WELL_FORMED)
    assert isinstance(result, ParsedFeed)
    assert [entry.title for entry in result.entries] == ["small"]


def test_more_threads_than_children_wait_for_their_turn():
    results: list[ParsedFeed | Unreadable] = []
    threads = [threading.Thread(target=lambda: results.append(parse(NOT_WELL_FORMED))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(result, ParsedFeed) for result in results) == 20
    assert 1 <= len(children()) <= (os.cpu_count() or 1)


def test_a_child_holds_no_secrets(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@db/feeds")
    parse(NOT_WELL_FORMED)
    (child,) = children()
    assert b"secret" not in Path(f"/proc/{child}/environ").read_bytes()


def test_a_child_ends_with_its_parent():
    parent = subprocess.run([sys.executable, "-c", PARENT], cwd=PROJECT, capture_output=True, text=True)
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    child = int(parent.stdout)
    eventually(lambda: not Path(f"/proc/{child}").exists() or is_zombie(child), within=30, what="the child has ended")


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_fault_of_the_parser_is_an_outcome_too(monkeypatch):
    monkeypatch.setattr(parser, "parse", lambda *_: 1 / 0)
    assert parse(SMALL) == Unreadable(kind=FailureKind.HOSTILE, text="the parser failed: ZeroDivisionError")
