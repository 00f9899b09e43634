"""The workers of the crash rows: what `dramatiq tests.rigs.faults.actors` loads, put together by the environment."""

import os
import time
from pathlib import Path
from typing import Any

import django
import dramatiq
from django.conf import settings
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware

from tests.rigs import history
from tests.rigs.faults.work import ACTOR, Revisions, Work, lock_key
from tests.rigs.servers.daemon import ask

settings.configure(USE_TZ=True)
django.setup()

FOLDER = Path(os.environ["FAULTS_FOLDER"])
BROKER_URL = os.environ["BROKER_URL"]
STORE_PORT = int(os.environ["STORE_PORT"])  # memcached itself; MEMCACHED_URL may be a proxy

recorder = history.Recorder(FOLDER / "history")


def stop_at(point: str) -> None:
    """Stay here for as long as the file `<point>.point` exists, and say so."""
    armed = FOLDER / f"{point}.point"
    if armed.exists():
        recorder.write("point", point=point)
    while armed.exists():
        time.sleep(0.01)


class Outside(Middleware):
    """Stands above the lock: it sees a message again when the lock is given back."""

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        recorder.write("boot")

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        stop_at("released")

    def after_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        recorder.write("enqueue")

    def after_ack(self, broker: Any, message: Any) -> None:
        recorder.write("ack")

    after_nack = after_ack


class Inside(Middleware):
    """Stands below the lock: a message that comes here has it."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        stop_at("acquired")


def make_broker(middleware: list[Middleware]) -> dramatiq.Broker:
    if BROKER_URL.startswith("redis"):
        # As shipped, but for the times: a dead worker's messages come back after one second.
        return RedisBroker(url=BROKER_URL, middleware=middleware, heartbeat_timeout=1_000, maintenance_chance=1_000_000)
    return RabbitmqBroker(url=BROKER_URL, middleware=middleware, confirm_delivery=True)


def locked(key: str) -> bool:
    try:
        return ask(STORE_PORT, f"mg {lock_key(key)} v\r\n".encode()) != b"EN\r\n"
    except OSError:
        return False


def hold(key: str) -> None:
    stop_at("body")
    time.sleep(float(os.environ.get("BODY_SECONDS", "0")))


def declare() -> None:
    from tests.rigs.faults.variants import VARIANTS  # needs Django's settings

    variant = VARIANTS[os.environ["VARIANT"]]
    interval = int(os.environ["LIMIT_INTERVAL"])
    broker = make_broker(
        variant.middleware(os.environ["MEMCACHED_URL"], outside=[Outside()], inside=[Inside()], interval=interval)
    )
    dramatiq.set_broker(broker)
    expire = int(os.environ["EXPIRE"])
    work = Work(recorder, Revisions(FOLDER / "revisions"), fenced=variant.fenced, locked=locked, hold=hold)
    dramatiq.actor(
        work,
        actor_name=ACTOR,
        queue_name=os.environ["QUEUE"],
        lock_key=str,
        lock_expire=expire,
        time_limit=(expire - 4) * 1000 - 100,
        max_retries=10,
        min_backoff=100,
        max_backoff=1_000,
        **variant.options,
    )


declare()
