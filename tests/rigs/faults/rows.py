"""The faults within one process: each row stages one, and returns what the lock made wrong of it. Empty = it held."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, SkipMessage, TimeLimitExceeded

from tests.rigs.faults.interrupts import interrupts
from tests.rigs.faults.stage import Stage
from tests.rigs.faults.variants import Variant
from tests.rigs.faults.work import OTHERS, lock_key
from tests.rigs.history import violations
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.proxy import Fault

HANGS = 5.0  # seconds after which a worker that neither runs nor puts back a message hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    play: Callable[[Variant, Path], list[str]]


ROWS: list[Row] = []


def row(name: str) -> Callable[[Callable[..., list[str]]], Callable[..., list[str]]]:
    def add(play: Callable[..., list[str]]) -> Callable[..., list[str]]:
        ROWS.append(Row(name=name, play=play))
        return play

    return add


# The store fails while a lock is asked for


def _while_asked_for(fault: Fault) -> Callable[[Variant, Path], list[str]]:
    def play(variant: Variant, folder: Path) -> list[str]:
        with Stage(variant, folder, threads=1) as stage:
            stage.run("before")  # so that the worker has a connection in its pool
            stage.proxy.set(fault)
            stage.send("a")
            hangs = [] if stage.wait(stage.decided, within=HANGS) else [f"the worker hangs for {HANGS:g} s"]
            stage.proxy.set(Fault.NONE)
            return hangs or stage.settle() or violations(stage.history()) or _left_behind(stage, "a")

    return play


def _left_behind(stage: Stage, key: str) -> list[str]:
    return [f"{key}: the lock is left behind"] if stage.locked(key) else []


ASKED = {
    Fault.REFUSE: "memcached refuses connections",
    Fault.RESET_BEFORE: "connection reset before the request",
    Fault.RESET_AFTER: "connection reset after the request: the reply is lost",
    Fault.BLACK_HOLE: "requests vanish",
    Fault.ONE_BYTE: "one byte a second",
    Fault.LATE: "reply after the deadline",
    Fault.GARBLED: "garbled reply",
    Fault.HALF: "half a reply, then the end",
    Fault.NO_MEMORY: "SERVER_ERROR out of memory",
}
for fault, text in ASKED.items():
    row(f"acquire: {text}")(_while_asked_for(fault))


@row("acquire: every reply comes twice, and another holds the next lock")
def twice(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, lock_conflict="skip") as stage:
        stage.close("a")
        stage.proxy.set(Fault.TWICE)
        stage.send("a")
        assert stage.wait(lambda: bool(stage.begun("a")), within=10)
        stage.proxy.wait_until_repeated()  # one that comes after the next command fools anybody
        stage.memcached.set(lock_key("b"), OTHERS, 60)
        stage.send("b")
        assert stage.wait(stage.one_is_working, within=10)
        granted = ["b: ran although somebody else held it"] if stage.begun("b") else []
        stage.open("a")
        stage.proxy.set(Fault.NONE)
        problems = stage.settle()
        return problems + granted + ([] if stage.history().served("a") else ["a: a request was not served"])


@row("acquire: memcached was restarted, the pooled socket is stale")
def stale_socket(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, threads=1) as stage:
        stage.run("before")
        stage.proxy.cut()
        stage.send("a")
        return stage.settle() or violations(stage.history())


@row("acquire: memcached hangs (SIGSTOP)")
def hanging_server(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, threads=1) as stage:
        stage.run("before")
        stage.memcached.pause()
        stage.send("a")
        hangs = [] if stage.wait(stage.decided, within=HANGS) else [f"the worker hangs for {HANGS:g} s"]
        stage.memcached.resume()
        return hangs or stage.settle() or violations(stage.history()) or _left_behind(stage, "a")


@row("acquire: the key function fails")
def failing_key(variant: Variant, folder: Path) -> list[str]:
    return _failing_key(variant, folder, lambda key: str(1 / 0))


def _failing_key(variant: Variant, folder: Path, lock_key: Callable[[str], str]) -> list[str]:
    with Stage(variant, folder, lock_key=lock_key, max_retries=0) as stage:
        stage.send("a")
        problems = stage.settle()
        lost = [] if stage.begun("a") or stage.broker.dead_letters else ["a: the message is lost"]
        return [*problems, *lost, *(["a: ran without the lock"] if stage.begun("a") else [])]


@row("acquire: the key cannot be made (a lone surrogate)")
def impossible_key(variant: Variant, folder: Path) -> list[str]:
    return _failing_key(variant, folder, lambda key: "\ud800")


# Interrupts, as Dramatiq sends them to worker threads


@dataclass
class InterruptOnce(Middleware):
    """Interrupt the worker between sending and receiving, the nth time it receives while it works on `key`.

    Python's profiler is called just before `recv` is, and what it raises comes out of there: just what a time limit
    does whose moment has come then.
    """

    key: str
    nth: int = 1
    done: threading.Event = field(default_factory=threading.Event)

    def before_process_message(self, broker: Any, message: Any) -> None:
        left = self.nth

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal left
            if event == "c_call" and getattr(argument, "__name__", "") == "recv":
                left -= 1
                if not left:
                    sys.setprofile(None)
                    self.done.set()
                    raise TimeLimitExceeded

        if message.args == (self.key,) and not self.done.is_set():
            sys.setprofile(profile)


@row("interrupt in acquire, between request and reply: the next lock")
def interrupted_acquire(variant: Variant, folder: Path) -> list[str]:
    interrupt = InterruptOnce("a")
    with Stage(variant, folder, threads=1, outside=[interrupt], lock_conflict="skip") as stage:
        stage.run("before")
        stage.memcached.set(lock_key("b"), OTHERS, 60)
        stage.send("a")
        stage.send("b")
        granted = [] if stage.wait(stage.decided, within=5) else ["the worker hangs"]
        granted += ["b: ran although somebody else held it"] if stage.begun("b") else []
        stage.settle()
        unserved = [] if stage.history().served("a") else ["a: a request was not served"]
        assert interrupt.done.is_set()
        return granted + unserved + _left_behind(stage, "a")


@row("interrupt in the body (time limit): lock free for the retry")
def interrupted_body(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, time_limit=100) as stage:
        stage.close("a")
        stage.send("a")
        assert stage.wait(lambda: stage.begun("a") == 2, within=5)
        stage.open("a")
        return stage.settle() or violations(stage.history()) or _left_behind(stage, "a")


@row("interrupt in release: the work is not done again")
def interrupted_release(variant: Variant, folder: Path) -> list[str]:
    interrupt = InterruptOnce("a", nth=3 if variant.name == "ours" else 2)  # the first receives are acquire's
    with Stage(variant, folder, threads=1, inside=[_After(interrupt)]) as stage:
        stage.send("a")
        problems = stage.settle() or violations(stage.history()) or _left_behind(stage, "a")
        assert interrupt.done.is_set()
        again = [] if stage.history().served("a") == 1 else ["a: a run that had succeeded was repeated"]
        return problems + again


@dataclass
class _After(Middleware):
    """Arms an interrupt after the body instead of before acquire."""

    interrupt: InterruptOnce

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        if exception is None:
            self.interrupt.nth = 1
            self.interrupt.before_process_message(broker, message)


# Apart from the others: pytest would call the sockets leaked that are interrupted while they open or close.
ANYWHERE = Row(
    name="interrupts at random points, 100 each in acquire, body and release",
    play=lambda variant, folder: interrupts(folder, variant, rounds=100, seed=1)[1],
)


# Other middleware


@dataclass
class SkipOnce(Middleware):
    done: bool = False

    def before_process_message(self, broker: Any, message: Any) -> None:
        if not self.done:
            self.done = True
            raise SkipMessage("by a later middleware")


@row("a later middleware skips: the lock is given back")
def later_skip(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, inside=[SkipOnce()]) as stage:
        stage.send("a")
        return stage.settle() or _left_behind(stage, "a") or (stage.send("a") or stage.settle()) or _one_run(stage)


def _one_run(stage: Stage) -> list[str]:
    return [] if stage.history().served("a") == 1 else ["a: the second message did not run"]


@row("wrong order of middleware: the worker refuses to boot")
def wrong_order(variant: Variant, folder: Path) -> list[str]:
    chain = variant.middleware("127.0.0.1:1", outside=[], inside=[])
    if variant.name == "ours":
        chain.insert(0, chain.pop())  # TimeLimit first, as in Dramatiq's own list; there the recipe's port has it
    worker = Worker(StubBroker(middleware=chain), worker_threads=1)
    try:
        worker.start()
    except Exception:
        return []
    worker.stop()
    return ["it boots"]


# The store fails while a lock is held, or given back


def _while_given_back(fault: Fault) -> Callable[[Variant, Path], list[str]]:
    def play(variant: Variant, folder: Path) -> list[str]:
        with Stage(variant, folder, threads=1, lock_expire=5, time_limit=900) as stage:
            stage.begin("a")
            stage.proxy.set(fault)
            stage.open("a")
            hangs = [] if stage.wait(stage.decided, within=HANGS) else [f"the worker hangs for {HANGS:g} s"]
            stage.proxy.set(Fault.NONE)
            stage.send("a")  # waits for the lock's expiry at worst
            return hangs or stage.settle(within=12) or violations(stage.history()) or _twice(stage)

    return play


def _twice(stage: Stage) -> list[str]:
    return [] if stage.history().served("a") == 2 else ["a: two requests, not two runs"]


RETURNED = {
    Fault.REFUSE: "memcached refuses connections",
    Fault.RESET_AFTER: "the reply is lost",
    Fault.BLACK_HOLE: "requests vanish",
    Fault.GARBLED: "garbled reply",
}
for fault, text in RETURNED.items():
    row(f"release: {text}")(_while_given_back(fault))


@row("release: delayed until another holds the lock")
def late_release(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, threads=1) as stage:
        stage.proxy.hold(b"cas ", b"delete ", b"md ")
        stage.send("a")
        assert stage.proxy.held.wait(5)
        # What happens meanwhile: the lock expires, and somebody else takes it.
        stage.memcached.set(lock_key("a"), OTHERS, 60)
        stage.proxy.go_on()
        return stage.settle() or _taken(stage, "a")


def _taken(stage: Stage, key: str) -> list[str]:
    return [] if stage.memcached.get(lock_key(key)) == OTHERS else [f"{key}: another's lock was deleted"]


@dataclass
class UsesTheCache(Middleware):
    """Stands for a body that uses the cache too, and goes on for a while: its thread is connected anew by the end."""

    variant: Variant

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        cache = self.variant.cache(broker.middleware)
        eventually(lambda: _stores(cache), within=HANGS, what="the cache is used again")


def _stores(cache: Any) -> bool:
    """Tell whether the cache works. Django's own raises at first, and then answers False for a second."""
    try:
        return bool(cache.add("something-else", "a text", 60))
    except Exception:
        return False


@row("memcached restarts while a lock is held; both locks have one CAS")
def restart_and_same_cas(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, inside=[UsesTheCache(variant)]) as stage:
        stage.begin("a")
        stage.memcached.kill()
        stage.memcached.start()
        stage.memcached.set(lock_key("a"), OTHERS, 60)  # the first item after the start, as ours was
        stage.open("a")
        return stage.settle() or _taken(stage, "a")


@row("the lock is lost while it is held, another has it: release leaves it")
def lost_to_another(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder) as stage:
        stage.begin("a")
        stage.memcached.flush()
        stage.memcached.set(lock_key("a"), OTHERS, 60)
        stage.open("a")
        return stage.settle() or _taken(stage, "a")


@row("the lock is lost while it is held (eviction, flush_all): two bodies, one commit")
def lost_lock(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder) as stage:
        stage.begin("a")
        stage.memcached.flush()
        stage.send("a")
        assert stage.wait(lambda: stage.begun("a") == 2, within=5)
        stage.open("a")
        # The second run is superseded: its request is answered by what the first has stored meanwhile.
        return stage.settle() or violations(stage.history(), overlaps_allowed=True, afresh=False)


# Messages


@row("a message sent while a run is under way is served by a later run")
def sent_meanwhile(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder) as stage:
        stage.begin("a")
        stage.send("a")
        assert stage.wait(stage.one_is_working, within=5)
        stage.open("a")
        return stage.settle() or violations(stage.history())


@row("the same message is live twice")
def live_twice(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, lock_expire=6, time_limit=1_900) as stage:
        stage.close("a")
        message = stage.request("a")
        stage.broker.enqueue(message)
        stage.broker.enqueue(message)
        assert stage.wait(stage.one_is_working, within=5)
        gone = [] if stage.locked("a") else ["a: the lock of a run under way was deleted"]
        stage.open("a")
        return gone + stage.settle() or violations(stage.history(), afresh=False)


@row("a message comes again after its worker was killed: its own lock still stands")
def own_lock(variant: Variant, folder: Path) -> list[str]:
    with Stage(variant, folder, lock_expire=5, time_limit=900) as stage:
        message = stage.request("a")
        stage.memcached.set(lock_key("a"), stage.token(message.message_id, 2), 2)
        stage.broker.enqueue(message)
        return stage.settle() or violations(stage.history())
