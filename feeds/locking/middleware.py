"""One at a time: a lock around actors that ask for one.

    @dramatiq.actor(lock_key=lambda account_id: account_id, lock_expire=120, time_limit=60_000)
    def sync_account(account_id): ...

What Dramatiq does with exceptions in hooks decides the
shape: a plain exception in a before-hook is logged and the actor runs anyway, so none may leave
`before_process_message`.
"""

from __future__ import annotations

import itertools
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import caches
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Interrupt, Middleware, MiddlewareError, SkipMessage

from feeds.locking import checks, lock
from feeds.locking.store import LockStore, LockStoreError

if TYPE_CHECKING:
    from dramatiq import Actor, Broker, Worker
    from dramatiq.broker import MessageProxy

logger = logging.getLogger(__name__)

# Seconds. RabbitMQ cuts consumers that keep a message, delayed ones too, unacknowledged for 30 minutes.
LONGEST_DELAY = 300.0

# Options of messages that were put back. Only the copy carries them.
WAITS = "lock_waits"  # how often in a row
UNCONFIRMED = "lock_unconfirmed"  # tokens that the store may hold although no reply said so; nothing ran under them
MOST_UNCONFIRMED = 10

LOGIN = re.compile(r"(^|/)[^/?#]+@")  # of a URL: user name and password, with what ends them


class LockError(MiddlewareError):
    """The lock could not be asked for. Fails the message like an error in the actor, which does not run."""


class LockConfigurationError(LockError):
    """The lock would not hold. Stops the worker's boot, or the declaration of the actor."""


class LockKeyError(LockError):
    """`lock_key` failed on a message's arguments."""


@dataclass(slots=True)
class Claim:
    """What one delivery of a message has asked for. It stands on the delivery's proxy and goes with it."""

    lease: lock.Lease
    acquired: bool = False


def lock_alias() -> str:
    return str(getattr(settings, "FEEDS_LOCK_CACHE", "locks"))


def lock_cache() -> lock.Store:
    """Return the Django cache that FEEDS_LOCK_CACHE names."""
    return caches[lock_alias()]


class LockMiddleware(Middleware):
    """Run an actor with `lock_key` only while this worker holds the lock of that key.

    Actor options:
      lock_key: a callable on the message's arguments that returns a text; the lock's key is
        `<actor>-lock-<MD5 of the text>`.
      lock_expire: whole seconds until a lock ends by itself; by default FEEDS_LOCK_EXPIRE.
      lock_conflict: what becomes of a message that meets another's lock.
        "skip" (the default): it is done with, as in the recipe.
        "delay": it comes back later.
      lock_busy_message: the DEBUG line for a skipped message; its %s stands for the text of `lock_key`, without a login.

    A message that meets a lock taken under its own id is a redelivery: the worker that had it is dead, or still
    running. It neither runs nor is lost: it comes back when the lease ends. So does one that finds the store silent.
    """

    def __init__(self, store: Callable[[], lock.Store] = lock_cache) -> None:
        self._store = store

    @property
    def actor_options(self) -> set[str]:
        return {"lock_key", "lock_expire", "lock_conflict", "lock_busy_message"}

    # Configuration

    def before_declare_actor(self, broker: Broker, actor: Actor[..., Any]) -> None:
        for problem in checks.option_problems(actor):
            raise LockConfigurationError(problem)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        try:
            problems = [
                *checks.order_problems(broker, LockMiddleware),
                *checks.time_limit_problems(broker),
                *self._store_problems(broker),
            ]
        except Exception as error:  # plain, it would be logged and the worker would start
            raise LockConfigurationError(f"{type(error).__name__}: {error}") from error
        for problem in problems:
            raise LockConfigurationError(problem)
        logging.getLogger("dramatiq.worker.WorkerThread").addFilter(quiet_skips)  # once, however often it is added

    def _store_problems(self, broker: Broker) -> Iterator[str]:
        if self._store is lock_cache:
            one_process = isinstance(broker, StubBroker)
            alias = lock_alias()
            problems = checks.configuration_problems(alias, one_process=one_process)
            if texts := [problem.text for problem in problems]:
                yield from texts
                return
        store = self._store()
        if isinstance(store, LockStore):
            yield from checks.key_prefix_problems(broker, store)
            try:
                yield from store.server_problems()
            except LockStoreError as error:
                logger.warning("the lock store cannot be asked whether it is fit: %s", error)

    # One message

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        try:
            self._enter(broker, message)
        except MiddlewareError:
            raise
        except Exception as error:
            raise LockError(f"the lock could not be asked for: {type(error).__name__}: {error}") from error

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self._release(message)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._release(message)

    def _enter(self, broker: Broker, message: MessageProxy) -> None:
        """Return with the lock, or with no need of one; else raise."""
        try:
            actor = broker.get_actor(message.actor_name)
        except ActorNotFound:
            return  # the worker says so itself
        if "lock_key" not in actor.options:
            return
        subject, key = self._key(actor, message)
        lease = lock.claim(key, message.message_id, checks.lock_expire(actor.options))
        answer = self._acquire(message, lease)
        if isinstance(answer, lock.Acquired):
            logger.debug("lock=acquired key=%s message=%s", key, message.message_id)
        elif isinstance(answer, lock.Unknown):
            self._delay_unknown(broker, message, lease, answer)
        else:
            self._turn_away(broker, actor, message, subject, key, answer)

    def _key(self, actor: Actor[..., Any], message: MessageProxy) -> tuple[str, str]:
        """Return the text of `lock_key` and the key made of it."""
        try:
            subject = str(actor.options["lock_key"](*message.args, **message.kwargs))
            return subject, lock.lock_key(actor.actor_name, subject)
        except Exception as error:
            raise LockKeyError(f"lock_key of {actor.actor_name} failed: {type(error).__name__}: {error}") from error

    def _acquire(self, message: MessageProxy, lease: lock.Lease) -> lock.Answer:
        claim = Claim(lease)
        set_claim(message, claim)
        try:
            store = self._store()
            answer = lock.acquire(store, lease)
            if isinstance(answer, lock.Busy) and answer.holder in message.options.get(UNCONFIRMED, ()):
                # Ours from a try whose reply was lost: nobody runs under it.
                lock.delete_own(store, lease.key, answer.holder)
                answer = lock.acquire(store, lease)
            claim.acquired = isinstance(answer, lock.Acquired)
            if claim.acquired:
                message.options.pop(WAITS, None)  # the row ends here, also for a retry, and for a copy of the body's
        except (Exception, Interrupt) as error:  # an Interrupt here was meant for the message before: no limit runs yet
            return lock.Unknown(f"{type(error).__name__}: {error}")
        if isinstance(answer, lock.Busy):
            set_claim(message, None)  # surely not ours
        return answer

    def _delay_unknown(self, broker: Broker, message: MessageProxy, lease: lock.Lease, answer: lock.Unknown) -> None:
        """Put the message back and raise SkipMessage. What may have been stored is left to the copy, by its token."""
        set_claim(message, None)
        logger.warning("lock=unknown key=%s message=%s reason=%s", lease.key, message.message_id, answer.reason)
        tokens = [*message.options.get(UNCONFIRMED, ()), lease.token][-MOST_UNCONFIRMED:]
        self._put_back(broker, message, backoff(message), {UNCONFIRMED: tokens})
        raise skipped(message)

    def _turn_away(
        self, broker: Broker, actor: Actor[..., Any], message: MessageProxy, subject: str, key: str, busy: lock.Busy
    ) -> None:
        """Put the message back or let it go, and raise SkipMessage."""
        holder = lock.Token.parse(busy.holder)
        if holder is not None and holder.owner == message.message_id:
            self._put_back(broker, message, rest(holder))
        elif actor.options.get("lock_conflict") == "delay":
            self._put_back(broker, message, min(backoff(message), rest(holder)))
        else:
            log_busy(actor, message, subject, key)
        raise skipped(message)

    def _put_back(
        self, broker: Broker, message: MessageProxy, seconds: float, options: dict[str, Any] | None = None
    ) -> None:
        """Enqueue a copy. Without a broker wait for it: the message stays unacknowledged here and is not lost."""
        copy = message.copy(options={WAITS: message.options.get(WAITS, 0) + 1} | (options or {}))
        try:
            copy.encode()
        except Exception:
            logger.exception("lock=dead message=%s: it cannot be put back, since it cannot be encoded", message)
            message.fail()  # onto the dead-letter queue
            return
        for attempt in itertools.count(1):
            try:
                broker.enqueue(copy, delay=int(seconds * 1000))
            except (Exception, Interrupt):
                logger.exception("lock=delayed message=%s attempt=%s: the broker does not take it", message, attempt)
                time.sleep(min(5.0, 0.1 * 2 ** min(attempt, 6)))
            else:
                logger.debug("lock=delayed message=%s seconds=%.1f", message.message_id, seconds)
                return

    def _release(self, message: MessageProxy) -> None:
        """Give back what this delivery claimed, once, whatever interrupts. Never raises."""
        for _ in range(3):
            try:
                claim = get_claim(message)
                if claim is not None:
                    self._give_back(claim)
                    set_claim(message, None)
                return
            except Exception:
                logger.exception("lock=unreleased message=%s", message)
                return
            except Interrupt:  # meant for the actor, which has ended; passed on, it would run everything again
                continue

    def _give_back(self, claim: Claim) -> None:
        answer = lock.release(self._store(), claim.lease)
        if not claim.acquired:
            return
        held = time.monotonic() - claim.lease.begun
        level = logging.DEBUG if answer is lock.Release.RELEASED else logging.WARNING
        logger.log(level, "lock=%s key=%s held_seconds=%.3f", answer.value, claim.lease.key, held)


def get_claim(message: MessageProxy) -> Claim | None:
    return message.__dict__.get("lock_claim")  # not getattr: the proxy would look on the message


def set_claim(message: MessageProxy, claim: Claim | None) -> None:
    message.__dict__["lock_claim"] = claim


def skipped(message: MessageProxy) -> SkipMessage:
    """Return what ends a delivery without a run, and keep Dramatiq from warning of it."""
    message.__dict__["lock_skipped"] = True
    return SkipMessage("not run: the lock is not ours")


def quiet_skips(record: logging.LogRecord) -> bool:
    """Turn Dramatiq's WARNING for each skipped message into DEBUG where the skip is ours: it is no cause for worry."""
    if record.msg != "Message %s was skipped." or not isinstance(record.args, tuple):
        return True
    if not any(getattr(argument, "__dict__", {}).get("lock_skipped") for argument in record.args):
        return True
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def log_busy(actor: Actor[..., Any], message: MessageProxy, subject: str, key: str) -> None:
    line = actor.options.get("lock_busy_message")
    if line is None:  # what a text of `lock_key` may tell is known only to those who wrote it
        logger.debug("lock=busy key=%s message=%s", key, message.message_id)
    else:
        logger.debug(line, LOGIN.sub(r"\1", subject))


def backoff(message: MessageProxy) -> float:
    """Return 1, 2, 4 … 60 s for a message put back for the first, second, third … time, less up to a half."""
    longest = min(60.0, 2.0 ** min(message.options.get(WAITS, 0), 6))
    return random.uniform(longest / 2, longest)  # noqa: S311  # jitter


def rest(holder: lock.Token | None) -> float:
    """Return the seconds until a lease ends, and a little more; of one that is not known, the most that we wait."""
    left = max(1.0, holder.until - time.time()) if holder else LONGEST_DELAY
    return min(LONGEST_DELAY, left + random.uniform(0, 1))  # noqa: S311  # jitter
