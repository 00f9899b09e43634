"""Real children: what they read, what ends them, and a thread that is free again in time."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

import dramatiq.threading
import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import answers
from feeds.parsing.sandbox import Sandbox
from feeds.parsing.values import ParsedFeed, SandboxUnavailable, Unreadable
from tests.rigs.golden import fetched
from tests.rigs.parsing_children import (
    ENDLESS,
    LIMIT,
    MEGABYTE,
    NOT_WELL_FORMED,
    OPEN,
    PROGRAM,
    SMALL,
    Family,
    Question,
    run,
)
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.workers import PROJECT


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


@pytest.mark.slow
def test_what_takes_too_much_memory_is_refused() -> None:
    items = b'{"id":"%d","a":"b"},' % MEGABYTE * 400_000
    with closing(Sandbox(limit=LIMIT, memory=150 * MEGABYTE)) as small:
        result = small.read(fetched(b'{"version":"https://jsonfeed.org/version/1","items":[' + items + b"{}]}"))
        assert result == Unreadable(kind=FailureKind.HOSTILE, text="parsing took more than 240 MB of memory")
        assert isinstance(small.read(fetched(NOT_WELL_FORMED)), ParsedFeed)


@pytest.mark.slow
def test_a_child_that_has_read_much_still_has_memory_for_more(family: Family) -> None:
    item = b"<item><description>" + b"Many words. " * 1_000 + b"</description></item>"
    body = OPEN + item * 700  # 8 MiB, not well-formed
    assert [type(family.parse(body)) for _ in range(6)] == [ParsedFeed] * 6


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


def test_more_threads_than_children_wait_for_one(family: Family) -> None:
    questions = [Question(family, NOT_WELL_FORMED) for _ in range(20)]
    for question in questions:
        question.thread.join()
    assert [type(question.answer) for question in questions] == [ParsedFeed] * 20
    assert 1 <= len(family.children()) <= (os.cpu_count() or 1)


@pytest.mark.slow
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


SCRIPT = """
from feeds.parsing import Document, Parser

print(Parser(limit=20).parse(Document(url="https://e.org/", body=b"<rss>&nbsp;<channel><item><guid>1</guid>")).format)
"""


def test_a_script_without_a_guard_is_not_run_again_by_each_child(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n{SCRIPT}")
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("rss\n", "")


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
    assert answers.unpacked(pickle.dumps(answer)) == crashed
    assert answers.unpacked(answer) == crashed


def test_an_answer_that_is_too_large_is_neither_sent_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = ParsedFeed(title="t" * 1_000)
    large = pickle.dumps(feed)
    assert answers.unpacked(large) == feed
    monkeypatch.setattr(answers, "MAX_ANSWER", 500)
    assert len(answers.packed(feed)) <= 500
    assert isinstance(answers.unpacked(large), Unreadable)


class Code:
    """What a child sends that runs code where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def too_much(_: Path) -> bytes:
    return bytes(40 * MEGABYTE)


@pytest.mark.parametrize("function", [Code, too_much])
def test_what_a_child_sends_runs_no_code_and_is_not_endless(
    own_family: Family, tmp_path: Path, function: Callable[[Path], object]
) -> None:
    pool = own_family.parser._sandbox._own()._current_pool()
    sent = pool.schedule(function, args=[tmp_path / "folder"])
    with pytest.raises(BrokenProcessPool):
        sent.result()
    assert not (tmp_path / "folder").exists()
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)


def test_a_document_that_is_not_to_take_longer_is_given_up(own_family: Family) -> None:
    with pytest.raises(SandboxUnavailable, match="not to take longer"):
        own_family.parser.parse(fetched(ENDLESS), goes_on=lambda: False)
    assert isinstance(own_family.parse(NOT_WELL_FORMED), ParsedFeed)
