"""What Dramatiq does with exceptions in hooks, pinned, since our middleware is shaped by it; and what ours lets out.

Real worker threads. When one of the first tests fails with a new Dramatiq, a reason for the shape of feeds.locking
has gone.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
from django.core.cache.backends.locmem import LocMemCache
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import ConnectionClosed, RateLimitExceeded, Retry
from dramatiq.middleware import (
    AgeLimit,
    Middleware,
    MiddlewareError,
    Retries,
    Shutdown,
    ShutdownNotifications,
    SkipMessage,
    TimeLimit,
    TimeLimitExceeded,
)
from dramatiq.middleware.threading import raise_thread_exception

from feeds.locking.lock import lock_key
from feeds.locking.memcached import MemcachedLocks
from feeds.locking.middleware import LockConfigurationError, LockMiddleware

WAIT = 30_000  # ms


class Hooks(Middleware):
    """Raises what it is told to, once, in one hook; records every hook that is called."""

    def __init__(self, **raises: BaseException | type[BaseException]) -> None:
        self.raises = raises
        self.called: list[str] = []

    def _call(self, hook: str) -> None:
        self.called.append(hook)
        error = self.raises.pop(hook, None)
        if error is not None:
            raise error

    def before_process_message(self, broker: Any, message: Any) -> None:
        self._call("before_process")

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self._call("after_process" if exception is None else "after_failure")

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self._call("after_skip")


class Busy(MiddlewareError, Retry):
    """Both what stops the actor and what asks for a retry."""


@contextmanager
def working(*middleware: Middleware, body: Callable[[str], None] | None = None, **options: Any) -> Iterator["Desk"]:
    broker = StubBroker(middleware=list(middleware), fail_fast_default=False)
    desk = Desk(broker)
    given = {"actor_name": "sync", "broker": broker, "max_retries": 2, "min_backoff": 1, "max_backoff": 1}
    desk.actor = dramatiq.actor(body or desk.runs.append, **(given | options))
    desk.worker = Worker(broker, worker_timeout=20, worker_threads=1)
    desk.worker.start()
    yield desk
    desk.worker.stop()
    broker.close()


class Desk:
    def __init__(self, broker: StubBroker) -> None:
        self.broker = broker
        self.runs: list[str] = []
        self.actor: Any = None
        self.worker: Any = None

    def work(self, *keys: str) -> None:
        """Send messages and wait until they are done with."""
        for key in keys:
            self.actor.send(key)
        self.broker.join("default", timeout=WAIT)

    @property
    def dead(self) -> int:
        return len(self.broker.dead_letters)


# Dramatiq's own


def test_before_hooks_run_in_order_and_after_hooks_backwards():
    order: list[str] = []

    class Told(Middleware):
        def __init__(self, name: str) -> None:
            self.name = name

        def before_process_message(self, broker: Any, message: Any) -> None:
            order.append(f"before {self.name}")

        def after_process_message(self, *_: Any, **__: Any) -> None:
            order.append(f"after {self.name}")

    class Second(Told): ...

    with working(Retries(), Told("first"), Second("second"), body=lambda key: order.append("actor")) as desk:
        desk.work("a")
    assert order == ["before first", "before second", "actor", "after second", "after first"]


@pytest.mark.parametrize("error", [ValueError("plain"), ConnectionRefusedError(), Retry(), RateLimitExceeded("")])
def test_a_plain_exception_in_a_before_hook_is_swallowed_and_the_actor_runs(error):
    with working(Retries(), Hooks(before_process=error)) as desk:
        desk.work("a")
    assert desk.runs == ["a"]


def test_skip_message_in_a_before_hook_loses_the_message():
    hooks = Hooks(before_process=SkipMessage())
    with working(Retries(), hooks) as desk:
        desk.work("a")
    assert desk.runs == []
    assert hooks.called == ["before_process", "after_skip"]
    assert desk.dead == 0


def test_after_skip_hooks_run_also_for_those_whose_before_hook_did_not():
    class Later(Hooks): ...

    later = Later()
    with working(Retries(), Hooks(before_process=SkipMessage()), later) as desk:
        desk.work("a")
    assert later.called == ["after_skip"]


@pytest.mark.parametrize("error", [MiddlewareError("no"), Busy("busy", delay=1), TimeLimitExceeded()])
def test_a_middleware_error_or_an_interrupt_in_a_before_hook_fails_the_message_which_is_retried(error):
    hooks = Hooks(before_process=error)
    with working(Retries(), hooks) as desk:
        desk.work("a")
    assert hooks.called == ["before_process", "after_failure", "before_process", "after_process"]
    assert desk.runs == ["a"]


def test_retries_eat_the_budget_so_busy_is_not_to_be_told_by_them():
    class AlwaysBusy(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            raise Busy("busy", delay=1)

    with working(Retries(), AlwaysBusy()) as desk:
        desk.work("a")
    assert desk.runs == []
    assert desk.dead == 1


def test_a_plain_exception_in_an_after_hook_is_swallowed():
    with working(Retries(), Hooks(after_process=ValueError("plain"))) as desk:
        desk.work("a", "b")
    assert desk.runs == ["a", "b"]


def test_a_retry_that_cannot_be_enqueued_loses_the_message():
    class NotJson(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            message.options["not_json"] = object()

    def fail(key: str) -> None:
        raise ValueError

    with working(Retries(), NotJson(), body=fail) as desk:
        desk.work("a")
    assert desk.dead == 0


def test_an_interrupt_in_an_after_hook_runs_all_after_hooks_again_and_the_actor_too():
    hooks = Hooks(after_process=TimeLimitExceeded())
    with working(Retries(), hooks) as desk:
        desk.work("a")
    assert hooks.called[:3] == ["before_process", "after_process", "after_failure"]
    assert desk.runs == ["a", "a"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_second_interrupt_there_loses_the_message_and_ends_the_thread():
    hooks = Hooks(after_process=TimeLimitExceeded(), after_failure=TimeLimitExceeded())
    with working(Retries(), hooks) as desk:
        desk.work("a")
        desk.worker.workers[0].join(10)
        assert not desk.worker.workers[0].is_alive()
    assert desk.runs == ["a"]


def test_options_that_a_middleware_writes_come_back_with_the_retry():
    seen: list[bool] = []

    class Marks(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            seen.append("marked" in message.options)
            message.options["marked"] = True

    def fail_once(key: str) -> None:
        if len(seen) == 1:
            raise ValueError

    with working(Retries(), Marks(), body=fail_once) as desk:
        desk.work("a")
    assert seen == [False, True]


# Ours


class Store(LocMemCache):
    """A store with a script: each step is an error to raise, or None for an honest answer."""

    def __init__(self, *script: Any) -> None:
        super().__init__(f"hooks-{id(self)}", {})
        self.clear()
        self.script = list(script)
        self.asked: list[str] = []

    def _step(self, question: str) -> None:
        self.asked.append(question)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, type) and issubclass(step, BaseException):
            raise_thread_exception(threading.get_ident(), step)  # as Dramatiq does
            for _ in range(1000):  # the interpreter looks for it between two instructions
                pass
        elif step is not None:
            raise step

    def add(self, key: Any, *arguments: Any, **options: Any) -> bool:
        self._step("add")
        return super().add(key, *arguments, **options)

    def get(self, key: Any, *arguments: Any, **options: Any) -> Any:
        self._step("get")
        return super().get(key, *arguments, **options)

    def compare_and_delete(self, key: str, value: str) -> bool:
        self._step("release")
        return super().get(key) == value and self.delete(key)


def ours(store: Any, *inside: Middleware) -> list[Middleware]:
    return [
        AgeLimit(),
        Retries(),
        LockMiddleware(store),
        *inside,
        ShutdownNotifications(),
        TimeLimit(time_limit=60_000),
    ]


def free(store: Store) -> bool:
    return store.get(lock_key("sync", "a")) is None


FAILURES = [
    ValueError("serialiser"),
    ConnectionRefusedError("refused"),
    ConnectionResetError("reset"),
    TimeoutError("time-out"),
    KeyError("half a reply"),
    Retry("from a library"),
    RateLimitExceeded("from a library"),
]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_whatever_the_store_raises_the_actor_runs_later_and_with_the_lock(error):
    store = Store(error, error)
    held: list[bool] = []
    with working(*ours(store), body=lambda key: held.append(not free(store)), lock_key=str, max_retries=0) as desk:
        desk.work("a")
        assert held == [True]
        assert free(store)
        assert desk.dead == 0


@pytest.mark.parametrize("interrupt", [TimeLimitExceeded, Shutdown])
def test_an_interrupt_while_the_lock_is_asked_for_delays_the_message(interrupt):
    store = Store(interrupt)
    with working(*ours(store), lock_key=str, max_retries=0) as desk:
        desk.work("a")
        assert desk.runs == ["a"]
        assert free(store)
        assert desk.dead == 0


@pytest.mark.parametrize("interrupt", [TimeLimitExceeded, Shutdown])
def test_an_interrupt_while_the_lock_is_given_back_neither_leaks_it_nor_repeats_the_work(interrupt):
    store = Store(None, interrupt)  # add, release
    with working(*ours(store), lock_key=str) as desk:
        desk.work("a", "b")
        assert desk.runs == ["a", "b"]
        assert free(store)
        assert desk.worker.workers[0].is_alive()


@pytest.mark.parametrize("interrupt", [TimeLimitExceeded, Shutdown])
def test_an_interrupt_in_the_body_frees_the_lock_before_the_retry(interrupt):
    store = Store()
    runs: list[str] = []

    def interrupted_once(key: str) -> None:
        runs.append(key)
        if len(runs) == 1:
            raise interrupt

    with working(*ours(store), body=interrupted_once, lock_key=str) as desk:
        desk.work("a")
    assert runs == ["a", "a"]
    assert store.asked.count("release") == 2


def test_a_retry_without_delay_does_not_meet_its_own_lock():
    store = Store()
    runs: list[str] = []

    def again(key: str) -> None:
        runs.append(key)
        if len(runs) < 3:
            raise Retry(delay=0)

    with working(*ours(store), body=again, lock_key=str) as desk:
        desk.work("a")
    assert runs == ["a"] * 3
    assert store.asked == ["add", "release"] * 3


def test_a_later_middleware_that_skips_frees_the_lock():
    store = Store()
    with working(*ours(store, Hooks(before_process=SkipMessage())), lock_key=str) as desk:
        desk.work("a")
        assert desk.runs == []
        assert free(store)


def test_a_later_middleware_that_fails_frees_the_lock_and_the_message_is_retried():
    store = Store()
    with working(*ours(store, Hooks(before_process=MiddlewareError("no"))), lock_key=str) as desk:
        desk.work("a")
        assert desk.runs == ["a"]
        assert free(store)


def test_after_hooks_that_run_twice_release_once():
    store = Store()

    class Outside(Hooks): ...

    order = ours(store)
    order.insert(0, Outside(after_process=TimeLimitExceeded()))
    with working(*order, lock_key=str, max_retries=0) as desk:
        desk.work("a")
    assert store.asked == ["add", "release"]


def test_a_message_that_was_skipped_releases_nothing():
    store = Store()
    store.add(lock_key("sync", "a"), "somebody else", 60)
    store.asked.clear()
    with working(*ours(store), lock_key=str) as desk:
        desk.work("a")
    assert store.asked == ["add", "get"]
    assert not free(store)


def test_a_message_that_runs_keeps_its_options():
    seen: list[dict[str, Any]] = []

    class Looks(Hooks):
        def after_process_message(self, broker: Any, message: Any, **_: Any) -> None:
            seen.append(dict(message.options))

    with working(*ours(Store(), Looks()), lock_key=str) as desk:
        desk.work("a")
    assert seen == [{}]


def test_a_message_that_has_run_waits_from_the_start_when_it_comes_again():
    waits: list[int] = []

    class Looks(Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
            if delay is not None:
                waits.append(message.options.get("lock_waits", 0))

    def fail_once(key: str) -> None:
        if waits == [1]:
            raise ValueError

    with working(Looks(), *ours(Store(OSError(), OSError())), body=fail_once, lock_key=str) as desk:
        desk.work("a")
    assert waits == [1, 0]  # put back since the store was away, retried


@pytest.mark.slow
def test_a_retry_budget_is_not_touched_by_being_put_back():
    down = [ConnectionRefusedError()] * 4  # both tries, twice
    with working(*ours(Store(*down)), lock_key=str, max_retries=0) as desk:
        desk.work("a")
    assert desk.runs == ["a"]
    assert desk.dead == 0


class BrokenBroker(Middleware):
    """Lets the broker fail to take a message, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def before_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
        if delay is not None and self.times:
            self.times -= 1
            raise MiddlewareError("away") from ConnectionClosed(
                OSError("the broker is away")
            )  # a plain one is swallowed


def test_a_broker_that_is_away_when_a_message_is_put_back_is_waited_for():
    away = BrokenBroker(2)
    with working(*ours(Store(OSError(), OSError()), away), lock_key=str) as desk:
        desk.work("a")
    assert away.times == 0
    assert desk.runs == ["a"]


def test_a_message_that_cannot_be_put_back_goes_to_the_dead_letters_and_is_not_lost():
    class NotJson(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            message.options["not_json"] = object()

    with working(NotJson(), *ours(Store(OSError(), OSError())), lock_key=str) as desk:
        desk.work("a")
    assert desk.runs == []
    assert desk.dead == 1


def test_an_own_lock_left_by_a_lost_reply_is_taken_over_at_once():
    class LosesReplies(Store):
        lost = 2

        def add(self, key: Any, *arguments: Any, **options: Any) -> bool:
            answer = super().add(key, *arguments, **options)
            if self.lost:
                self.lost -= 1
                raise TimeoutError("the reply is lost")
            return answer

    loses = LosesReplies()
    with working(*ours(loses), lock_key=str, lock_expire=600, time_limit=1000) as desk:
        desk.work("a")  # within seconds: not after 600
        assert desk.runs == ["a"]
        assert free(loses)


def test_plain_errors_at_boot_stop_the_worker_too():
    class Fails(MemcachedLocks):
        def server_problems(self) -> Any:
            raise RuntimeError("a mistake of ours")

    store = Fails("127.0.0.1:1", {})
    broker = StubBroker(middleware=[Retries(), LockMiddleware(store), TimeLimit()])
    with pytest.raises(LockConfigurationError, match="a mistake of ours"):
        Worker(broker).start()


def test_skips_are_no_warnings_of_ours_but_those_of_others_stay(caplog):
    store = Store()
    store.add(lock_key("sync", "a"), "somebody else", 60)
    with (
        caplog.at_level(logging.INFO),
        working(*ours(store, Hooks(before_process=SkipMessage())), lock_key=str) as desk,
    ):
        desk.work("b", "a")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "Message sync('b') was skipped."
    ]


def test_what_has_no_lock_key_is_left_alone():
    store = Store()
    with working(*ours(store)) as desk:
        desk.work("a")
    assert desk.runs == ["a"]
    assert store.asked == []
