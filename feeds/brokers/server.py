"""The questions to a broker; each kind of server has its own client to ask with."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from dramatiq import Broker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

TIMEOUT = 2  # seconds for each answer of a server that has no time-out of its own in the settings

# By the module of the broker's class. Imported where such a broker is: redis and pika take 90 ms, a tenth of a start.
SERVERS = {
    "dramatiq.brokers.redis": "feeds.brokers.redis_server",
    "dramatiq.brokers.rabbitmq": "feeds.brokers.rabbitmq_server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The messages of one queue."""

    queue: str
    waiting: int
    delayed: int = 0
    dead: int = 0


class Server(Protocol):
    """The server of a broker. Each method raises what the client of the server raises."""

    def ping(self) -> None:
        """Ask whether it answers."""

    def depths(self) -> Iterator[Depth]:
        """Yield the depth of each queue."""

    def eviction(self) -> str:
        """Return the policy by which it drops messages when memory is short; "" if it does not."""


def server(broker: Broker) -> Server | None:
    """Return the server of a broker; None where the queue is in memory, or nobody knows how to ask."""
    for kind in type(broker).__mro__:
        if kind.__module__ in SERVERS:
            made: Server = import_module(SERVERS[kind.__module__]).Server(broker)
            return made
    return None


def depths(broker: Broker) -> list[Depth]:
    """Return the depth of each queue; raise what the broker's client raises."""
    if (asked := server(broker)) is not None:
        return list(asked.depths())
    return list(_in_memory(broker)) if isinstance(broker, StubBroker) else []


def _in_memory(broker: StubBroker) -> Iterator[Depth]:
    """Yield what waits in this process: another has a queue of its own."""
    for name in sorted(broker.get_declared_queues() - broker.get_declared_delay_queues()):
        delayed = broker.queues[dq_name(name)].qsize() if dq_name(name) in broker.queues else 0
        dead = len(broker.dead_letters_by_queue[name])
        yield Depth(queue=name, waiting=broker.queues[name].qsize(), delayed=delayed, dead=dead)
