"""A lock around the Dramatiq actors that ask for one.

    @dramatiq.actor(lock_key=lambda account_id: account_id, lock_expire=120, time_limit=60_000)
    def sync_account(account_id): ...

What Dramatiq does with exceptions in hooks decides the shape: a plain exception in a before-hook is logged and the
actor runs anyway, so none may leave `before_process_message`.
"""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Interrupt, Middleware, MiddlewareError, SkipMessage

from feeds.locking import checks, lock, logs
from feeds.locking.store import LockStore, LockStoreError

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache
    from dramatiq import Actor, Broker, Worker
    from dramatiq.broker import MessageProxy

logger = logging.getLogger(__name__)

LONGEST_DELAY = 300.0  # seconds; RabbitMQ cuts consumers that keep a message unacknowledged for 30 minutes

# Options of messages that were put back. Only the copy carries them.
WAITS = "lock_waits"  # how often in succession
UNCONFIRMED = "lock_unconfirmed"  # tokens that the store may hold although no reply said so; nothing ran under them
MOST_UNCONFIRMED = 10

# The lease stands on the proxy of the delivery that acquired it, in its `__dict__`: attributes are the message's.
LEASE = "lock_lease"


class LockError(MiddlewareError):
    """The lock could not be asked for. Fails the message like an error in the actor, which does not run."""


class LockConfigurationError(LockError):
    """The lock would not hold. Stops the worker's boot, or the declaration of the actor."""


class LockMiddleware(Middleware):
    """Run an actor with `lock_key` only while this worker holds the lock of that key.

    Actor options:
      lock_key: a callable on the message's arguments that returns a text; the lock's key is
        `<actor>-lock-<MD5 of the text>`. It may return that MD5 instead, as a UUID.
      lock_expire: whole seconds until a lock ends by itself; by default `expire`.
      lock_conflict: what becomes of a message that meets another's lock.
        "skip" (the default): it is done with, as in the recipe.
        "delay": it comes back later.
      lock_busy_message: the DEBUG line for a skipped message; its %s stands for the text of `lock_key`, without the
        login of a URL.

    A message that meets a lock taken under its own id is a redelivery: the worker that had it is dead, or still
    running. It neither runs nor is lost: it comes back when the lease ends. So does one that finds the store silent.
    """

    def __init__(self, store: LockStore | None = None, expire: int | None = None) -> None:
        """Keep locks in `store`, for `expire` seconds at most.

        By default the settings say where and how long: FEEDS_LOCK_CACHE, an alias in CACHES, "locks" if it is not
        set; FEEDS_LOCK_EXPIRE, 600 if it is not set.
        """
        self._store = store
        self._alias = str(getattr(settings, "FEEDS_LOCK_CACHE", "locks")) if store is None else ""
        self._hides_logins = logs.HidesLogins()
        self.expire = getattr(settings, "FEEDS_LOCK_EXPIRE", checks.DEFAULT_EXPIRE) if expire is None else expire
        self._filters: dict[Worker, logging.Filter] = {}

    @property
    def actor_options(self) -> set[str]:
        return {"lock_key", "lock_expire", "lock_conflict", "lock_busy_message"}

    @property
    def store(self) -> BaseCache:
        """Return the store; one named by settings is this thread's own."""
        return caches[self._alias] if self._store is None else self._store

    # Configuration

    def before_declare_actor(self, broker: Broker, actor: Actor[..., Any]) -> None:
        for problem in checks.option_problems(actor):
            raise LockConfigurationError(problem)
        if "lock_key" in actor.options:
            actor.logger.addFilter(self._hides_logins)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        try:
            problem = next(self._problems(broker), None)
        except Exception as error:  # plain, it would be logged and the worker would start
            raise LockConfigurationError(f"{type(error).__name__}: {error}") from error
        if problem is not None:
            raise LockConfigurationError(problem)
        self._filters[worker] = logs.WorkerLog()
        logging.getLogger(logs.WORKER_LOGGER).addFilter(self._filters[worker])

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if worker in self._filters:
            logging.getLogger(logs.WORKER_LOGGER).removeFilter(self._filters.pop(worker))

    def _problems(self, broker: Broker) -> Iterator[str]:
        yield from checks.order_problems(broker, LockMiddleware)
        yield from (f"FEEDS_LOCK_EXPIRE {problem}" for problem in checks.expire_problems(self.expire))
        yield from checks.time_limit_problems(broker, self.expire)
        if self._store is None:
            yield from checks.store_problems(self._alias, broker)
        store = self.store
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
            self._tell_below(broker, message)
            raise
        except Exception as error:
            self._tell_below(broker, message)
            raise LockError(f"the lock could not be asked for: {type(error).__name__}: {error}") from error

    def _tell_below(self, broker: Broker, message: MessageProxy) -> None:
        """Let those below us see the begin of a message whose end they will see: Prometheus counts both."""
        for middleware in broker.middleware[broker.middleware.index(self) + 1 :]:
            try:
                middleware.before_process_message(broker, message)
            except MiddlewareError:  # it would skip the message, too
                return
            except (Exception, Interrupt):
                logger.exception("message=%s: %s failed", message.message_id, type(middleware).__name__)

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
        subject = actor.options["lock_key"](*message.args, **message.kwargs)
        if not isinstance(subject, UUID):
            subject = str(subject)
        key = lock.lock_key(actor.actor_name, subject)
        lease = lock.claim(key, message.message_id, actor.options.get("lock_expire", self.expire))
        answer = self._acquire(message, lease)
        if isinstance(answer, lock.Acquired):
            logger.debug("lock=acquired key=%s message=%s", key, message.message_id)
            return
        if isinstance(answer, lock.Unknown):
            logger.warning("lock=unknown key=%s message=%s reason=%s", key, message.message_id, answer.reason)
            # What may have been stored is left to the copy, by its token.
            tokens = [*message.options.get(UNCONFIRMED, ()), lease.token][-MOST_UNCONFIRMED:]
            put_back(broker, message, backoff(message), {UNCONFIRMED: tokens})
        elif (seconds := _delay(actor, message, answer.holder, lease.expire)) is not None:
            put_back(broker, message, seconds)
        else:
            _log_busy(actor, message, subject, key)
        message.__dict__["lock_skipped"] = True
        raise SkipMessage("not run: the lock is not ours")

    def _acquire(self, message: MessageProxy, lease: lock.Lease) -> lock.Answer:
        try:
            store = self.store
            answer = lock.acquire(store, lease)
            if isinstance(answer, lock.Busy) and answer.holder in message.options.get(UNCONFIRMED, ()):
                lock.delete_own(store, lease.key, answer.holder)
                answer = lock.acquire(store, lease)
            if isinstance(answer, lock.Acquired):
                message.__dict__[LEASE] = lease
                message.options.pop(WAITS, None)  # or a retry, or a copy that the body sends, would wait as long
        except (Exception, Interrupt) as error:  # an Interrupt here was meant for the message before: no limit runs yet
            return lock.Unknown(f"{type(error).__name__}: {error}")
        return answer

    def _release(self, message: MessageProxy) -> None:
        """Give back what this delivery acquired, once, whatever interrupts. Never raises."""
        for _ in range(3):
            try:
                if (lease := message.__dict__.get(LEASE)) is not None:
                    self._give_back(lease)
                    message.__dict__[LEASE] = None
                return
            except Exception:
                logger.exception("lock=unreleased message=%s", message.message_id)
                return
            except Interrupt:  # meant for the actor, which has ended; passed on, it would run everything again
                continue

    def _give_back(self, lease: lock.Lease) -> None:
        answer = lock.release(self.store, lease)
        level = logging.DEBUG if answer is lock.Release.RELEASED else logging.WARNING
        held = time.monotonic() - lease.begun
        logger.log(level, "lock=%s key=%s held_seconds=%.3f", answer.value, lease.key, held)


def _delay(actor: Actor[..., Any], message: MessageProxy, text: str, expire: int) -> float | None:
    """Return the seconds after which a message that met a lock comes back; None: it is done with.

    A message that finds its own id comes back, even if the rest of the text makes no sense: else it would be lost.
    """
    holder = lock.Token.parse(text)
    if f" {message.message_id} " in text:
        return rest(holder, expire)
    if actor.options.get("lock_conflict") == "delay":
        return min(backoff(message), rest(holder, expire))
    return None


def backoff(message: MessageProxy) -> float:
    """Return 1, 2, 4 … 60 s for a message put back for the first, second, third … time, less up to a half."""
    longest = min(60.0, 2.0 ** min(message.options.get(WAITS, 0), 6))
    return random.uniform(longest / 2, longest)  # noqa: S311  # jitter


def rest(holder: lock.Token | None, expire: int) -> float:
    """Return the seconds until a lease ends, and a little more; what a holder says is not believed beyond `expire`."""
    left = min(expire, holder.until - time.time()) if holder else LONGEST_DELAY
    return min(LONGEST_DELAY, max(1.0, left) + random.uniform(0, 1))  # noqa: S311  # jitter


def put_back(broker: Broker, message: MessageProxy, seconds: float, options: dict[str, Any] | None = None) -> None:
    """Enqueue a copy. Without a broker wait for it: the message stays unacknowledged here and is not lost."""
    copy = message.copy(options={WAITS: message.options.get(WAITS, 0) + 1} | (options or {}))
    try:
        copy.encode()
    except Exception:
        logger.exception("lock=dead message=%s: it cannot be encoded, so not be put back", message.message_id)
        message.fail()  # onto the dead-letter queue
        return
    for attempt in itertools.count(1):
        try:
            broker.enqueue(copy, delay=int(seconds * 1000))
        except (Exception, Interrupt):
            logger.exception("lock=delayed message=%s attempt=%s: the broker is away", message.message_id, attempt)
            time.sleep(min(5.0, 0.1 * 2 ** min(attempt, 6)))
        else:
            logger.debug("lock=delayed message=%s seconds=%.1f", message.message_id, seconds)
            return


def _log_busy(actor: Actor[..., Any], message: MessageProxy, subject: str | UUID, key: str) -> None:
    if line := actor.options.get("lock_busy_message"):
        logger.debug(line, logs.without_login(str(subject)))
    else:  # only the actor's author knows what the text of `lock_key` may tell
        logger.debug("lock=busy key=%s message=%s", key, message.message_id)
