"""Real children: documents built to do harm, and a thread that is free again in time."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import dramatiq.threading
import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import Parser, parser, sandbox
from feeds.parsing.sandbox import Sandbox
from feeds.parsing.values import Document, ParsedFeed, SandboxUnavailable, Unreadable
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.workers import PROJECT

LIMIT = 10.0  # seconds
MEGABYTE = 1024 * 1024
OPEN, CLOSE = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>', b"</channel></rss>"
SMALL = OPEN + b"<item><title>small</title></item>" + CLOSE
NOT_WELL_FORMED = OPEN + b"<item><title>small</title></item>"
ENDLESS = OPEN + b"<item>" + b"<" * 10 * MEGABYTE  # minutes of one regular expression of feedparser's
PROGRAM = """
import os, signal, sys
from feeds.parsing import Document, ParsedFeed, Parser, SandboxUnavailable
from tests.parsing.test_sandbox import ENDLESS, NOT_WELL_FORMED, children, fetched, is_at_work
def reads(parser, body=NOT_WELL_FORMED):
    return isinstance(parser.parse(fetched(body)), ParsedFeed)
"""


def fetched(body: bytes) -> Document:
    return Document(url="http://example.org/feed", body=body)


def children(of: int) -> set[int]:
    """Return the process ids of the children that parse for a process."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            is_child = int(parent) == of and b"spawn_main" in (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if is_child:
            found.add(int(folder.name))
    return found


def is_at_work(pid: int) -> bool:
    """Tell whether a child has ever received a document: then it has set itself a limit."""
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


def run(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of its own, without the names of this one."""
    return subprocess.run([sys.executable, "-c", PROGRAM + program], cwd=PROJECT, capture_output=True, text=True)


class Family:
    """A parser, and the children that this process has since."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._others = children(os.getpid())
        self.parser = Parser(limit=limit)

    def parse(self, body: bytes, seen: frozenset[bytes] = frozenset()) -> ParsedFeed | Unreadable:
        return self.parser.parse(fetched(body), seen)

    def children(self) -> set[int]:
        return children(os.getpid()) - self._others

    def at_work(self) -> set[int]:
        return {pid for pid in self.children() if is_at_work(pid)}


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    """One for all tests that leave its children alone: to start them takes a second."""
    family = Family()
    with closing(family.parser):
        yield family


@pytest.fixture
def own_family() -> Iterator[Family]:
    family = Family()
    with closing(family.parser):
        yield family


@pytest.fixture
def hasty_family() -> Iterator[Family]:
    family = Family(limit=2)
    with closing(family.parser):
        yield family


class Question:
    """A document that a thread of its own asks for."""

    def __init__(self, family: Family, body: bytes = ENDLESS) -> None:
        self.answer: ParsedFeed | Unreadable | BaseException | None = None
        self._family, self._body = family, body
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            self.answer = self._family.parse(self._body)
        except BaseException as error:
            self.answer = error

    def is_read(self) -> None:
        eventually(self._family.at_work, within=60, what="a child has the document")


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
            self.peak = max([self.peak, *map(peak_memory, children(os.getpid()))])


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
def test_every_document_comes_to_an_end_and_in_little_memory(family: Family, name: str) -> None:
    body = HOSTILE[name]()
    with Memory() as memory:
        result = family.parse(body)
    assert memory.peak < 250 * MEGABYTE
    assert isinstance(result, ParsedFeed) or result.kind in (FailureKind.HOSTILE, FailureKind.NOT_A_FEED)


def test_one_that_takes_minutes_holds_no_other_thread_and_is_killed(hasty_family: Family) -> None:
    question = Question(hasty_family)
    question.is_read()
    others = 0
    while question.answer is None:
        assert isinstance(hasty_family.parse(SMALL), ParsedFeed)
        others += 1
    assert question.answer == Unreadable(kind=FailureKind.HOSTILE, text="parsing took longer than 2 s")
    assert others > 2  # one that holds all threads would let none of them through


def test_the_limit_is_time_of_the_processor_and_a_longer_one_by_the_clock() -> None:
    family = Family(limit=0.5)
    with closing(family.parser):
        question = Question(family, NOT_WELL_FORMED + b" " * 9 * MEGABYTE + b"<" * 20_000)
        question.is_read()
        for child in family.at_work():
            os.kill(child, signal.SIGSTOP)  # it takes no more time of the processor
        question.thread.join()
    assert question.answer == Unreadable(kind=FailureKind.HOSTILE, text="parsing took longer than 0.5 s")


def test_what_takes_too_much_memory_is_refused(family: Family) -> None:
    items = b'{"id":1},' * MEGABYTE
    result = family.parse(b'{"version":"https://jsonfeed.org/version/1","items":[' + items + b"{}]}")
    assert result == Unreadable(kind=FailureKind.HOSTILE, text="parsing took more than 240 MB of memory")


def test_a_child_that_has_read_much_still_has_memory_for_more(family: Family) -> None:
    item = b"<item><description>" + b"Many words. " * 1_000 + b"</description></item>"
    body = OPEN + item * 700  # 8 MiB, not well-formed
    assert [type(family.parse(body)) for _ in range(6)] == [ParsedFeed] * 6


# What is read where


def test_what_is_large_when_it_is_cut_is_read_by_a_child_and_says_the_same(own_family: Family) -> None:
    text = b"Many words. " * 100
    body = rss(b"".join(b"<item><guid>%d</guid><description>%s</description></item>" % (n, text) for n in range(1000)))
    whole = own_family.parse(body)
    assert whole == parser.parse(fetched(body))
    assert len(own_family.at_work()) == 1
    assert isinstance(whole, ParsedFeed)
    again = own_family.parse(body, frozenset(whole.digests[:900]))
    assert isinstance(again, ParsedFeed)
    assert (again.entries, again.digests) == (whole.entries[900:], whole.digests)


def test_of_a_large_document_with_one_new_entry_only_this_is_read_and_without_a_child(own_family: Family) -> None:
    body = rss(b"".join(b"<item><guid>%d</guid><title>%s</title></item>" % (n, b"t" * 900) for n in range(1000)))
    whole = parser.parse(fetched(body))
    assert isinstance(whole, ParsedFeed)
    again = own_family.parse(body, frozenset(whole.digests[1:]))
    assert isinstance(again, ParsedFeed)
    assert again.entries == whole.entries[:1]
    assert own_family.children() == set()


def test_what_is_not_well_formed_is_read_by_a_child_and_says_the_same(family: Family) -> None:
    assert family.parse(NOT_WELL_FORMED) == parser.parse(fetched(NOT_WELL_FORMED))
    assert family.at_work()


def test_small_plain_and_well_formed_documents_start_no_child(own_family: Family) -> None:
    own_family.parse(SMALL)
    own_family.parse(b'{"version": "https://jsonfeed.org/version/1.1", "items": []}')
    assert own_family.children() == set()


@pytest.mark.parametrize(
    "body",
    [
        item(b"<x/>" * 3_000),
        item(b"<title>" + b"&lt;b&gt;" * 3_001 + b"</title>"),
        item(b"<title>" + b"&#x3c;b&#62;" * 1_501 + b"</title>"),
        item(b"<title>" + b"&amp;lt;b&amp;gt;" * 3_001 + b"</title>"),
        item(b"<title><![CDATA[" + b"<b>" * 3_001 + b"]]></title>"),
        item(b"".join(b'<x xmlns:a="urn:%d"/>' % n for n in range(100))),
        b'<!DOCTYPE rss [<!ENTITY a "b">]>' + item(b""),
        item(b"<title>" + b"x" * 256 * 1024 + b"</title>"),
        NOT_WELL_FORMED,
        b'{"items": [{"id": 1, "content_html": "' + b"<b>" * 3_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + rb"\u003Cb>" * 3_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + b"x" * 256 * 1024 + b'"}]}',
    ],
)
def test_what_may_take_long_is_not_plain(body: bytes) -> None:
    assert not parser.is_plain(fetched(body))


def test_a_feed_that_was_hostile_before_is_read_by_a_child(own_family: Family) -> None:
    assert isinstance(own_family.parser.parse(fetched(SMALL), suspicious=True), ParsedFeed)
    assert own_family.at_work()


def test_a_fault_of_the_parser_is_an_outcome_too(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "is_plain", lambda document: 1 / 0)
    assert family.parse(SMALL) == Unreadable(kind=FailureKind.HOSTILE, text="the parser failed: ZeroDivisionError")


# Children that end


def test_a_child_that_crashes_is_an_outcome_and_the_next_document_gets_another(own_family: Family) -> None:
    question = Question(own_family)
    question.is_read()
    for child in own_family.at_work():
        os.kill(child, signal.SIGSEGV)
    question.thread.join()
    assert question.answer == Unreadable(kind=FailureKind.HOSTILE, text="the parser crashed")
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_is_ended_from_outside_is_no_fault_of_the_document(own_family: Family, number: int) -> None:
    question = Question(own_family)
    question.is_read()
    for child in own_family.at_work():
        os.kill(child, number)
    question.thread.join()
    assert isinstance(question.answer, SandboxUnavailable)
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)


def test_children_that_ended_while_they_were_idle_are_no_fault_at_all(own_family: Family) -> None:
    own_family.parse(NOT_WELL_FORMED)
    for child in own_family.children():
        os.kill(child, signal.SIGKILL)
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)


def test_a_parser_that_is_closed_ends_its_children_and_starts_others_when_it_is_asked(own_family: Family) -> None:
    question = Question(own_family)
    question.is_read()
    own_family.parser.close()
    question.thread.join()
    assert isinstance(question.answer, SandboxUnavailable)
    assert own_family.children() == set()
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)


def test_an_interrupted_thread_leaves_no_answer_to_the_next_document(own_family: Family) -> None:
    class Interrupt(BaseException):
        pass

    question = Question(own_family)
    question.is_read()
    (child,) = own_family.at_work()
    assert question.thread.ident
    dramatiq.threading.raise_thread_exception(question.thread.ident, Interrupt)
    question.thread.join()
    assert isinstance(question.answer, Interrupt)
    eventually(lambda: child not in own_family.children(), within=30, what="its child is killed")
    result = own_family.parse(NOT_WELL_FORMED)
    assert isinstance(result, ParsedFeed)
    assert [entry.title for entry in result.entries] == ["small"]


def test_more_threads_than_children_wait_for_their_turn(family: Family) -> None:
    questions = [Question(family, NOT_WELL_FORMED) for _ in range(20)]
    for question in questions:
        question.thread.join()
    assert [type(question.answer) for question in questions] == [ParsedFeed] * 20
    assert 1 <= len(family.children()) <= (os.cpu_count() or 1)


def test_a_child_ends_with_its_parent_whether_it_is_idle_or_at_work() -> None:
    program = """
import threading, time
threading.Thread(target=reads, args=(Parser(limit=1), ENDLESS), daemon=True).start()
while len(children(os.getpid())) < os.cpu_count() or not any(map(is_at_work, children(os.getpid()))):
    time.sleep(0.1)
print(*children(os.getpid()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    parent = run(program)
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    pids = [int(pid) for pid in parent.stdout.split()]
    assert len(pids) == (os.cpu_count() or 1)
    eventually(lambda: not any(map(is_alive, pids)), within=60, what="the children have ended")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Processes that parse


def test_a_process_that_was_forked_off_has_children_of_its_own() -> None:
    program = """
parser = Parser(limit=10)
assert reads(parser)
pid = os.fork()
if not pid:
    os._exit(0 if reads(parser) and children(os.getpid()) and reads(parser) else 1)
assert os.waitpid(pid, 0)[1] == 0
assert reads(parser)
"""
    result = run(program)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_that_ends_does_not_wait_for_its_children(method: str, tmp_path: Path) -> None:
    """Dramatiq starts its workers so, and multiprocessing joins the children of a process that ends."""
    script = tmp_path / "worker.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n{PROGRAM}\n"
        f"""
import multiprocessing
def work():
    assert reads(Parser(limit=10))
if __name__ == "__main__":
    worker = multiprocessing.get_context({method!r}).Process(target=work)
    worker.start()
    worker.join(60)
    sys.exit(worker.exitcode)
"""
    )
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("executable", ["/bin/false", "/bin/true", "/no/such/program"])
def test_where_no_child_can_start_that_is_our_own_failure(executable: str) -> None:
    program = f"""
import multiprocessing
from feeds.parsing.sandbox import Sandbox
multiprocessing.set_executable({executable!r})
try:
    Sandbox(limit=10, patience=1).read(fetched(NOT_WELL_FORMED))
except SandboxUnavailable as error:
    print(error)
"""
    result = run(program)
    assert "process for parsing" in result.stdout, result.stderr


def test_a_process_that_may_have_no_children_says_so() -> None:
    program = """
import multiprocessing
multiprocessing.current_process()._config["daemon"] = True
try:
    reads(Parser(limit=10))
except SandboxUnavailable as error:
    print(error)
"""
    assert "daemonic" in run(program).stdout


def test_where_memory_cannot_be_limited_it_goes_on_without_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    no_limit = 1 << 70  # which no system takes
    with closing(Sandbox(limit=10, memory=no_limit)) as unlimited:
        results = [unlimited.read(fetched(NOT_WELL_FORMED)) for _ in range(3)]
    assert [type(result) for result in results] == [ParsedFeed] * 3
    assert caplog.messages == ["this system does not limit the memory of the processes for parsing"]


def test_a_child_has_no_environment(own_family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@db/feeds")
    pool = own_family.parser._sandbox._own()._current_pool()
    assert pool.schedule(os.getenv, args=["DATABASE_URL"]).result() is None


@pytest.mark.parametrize("answer", [os.system, {"feed": "x"}, Path("/"), ParsedFeed])
def test_an_answer_that_is_no_value_of_a_document_is_not_believed(answer: object) -> None:
    crashed = Unreadable(kind=FailureKind.HOSTILE, text="the parser crashed")
    assert sandbox._unpacked(pickle.dumps(answer)) == crashed
    assert sandbox._unpacked(answer) == crashed


def test_an_answer_that_is_too_large_is_neither_sent_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = ParsedFeed(title="t" * 1_000)
    large = pickle.dumps(feed)
    assert sandbox._unpacked(large) == feed
    monkeypatch.setattr(sandbox, "MAX_ANSWER", 500)
    assert len(sandbox._packed(feed)) <= 500
    assert isinstance(sandbox._unpacked(large), Unreadable)
