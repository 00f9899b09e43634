"""The questions to a broker; each kind of server has its own client to ask with."""

from dataclasses import dataclass

from django.utils.module_loading import import_string
from dramatiq import Broker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

TIMEOUT = 2  # seconds for each answer of a server that has no time-out of its own in the settings

# By the module of the broker's class. Imported where such a broker is: redis and pika take 90 ms, a tenth of a start.
SERVERS = {
    "dramatiq.brokers.redis": "feeds.brokers.redis_server.RedisServer",
    "dramatiq.brokers.rabbitmq": "feeds.brokers.rabbitmq_server.RabbitmqServer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The messages of one queue."""

    queue: str
    waiting: int
    delayed: int
    dead: int


class Server:
    """What holds a broker's messages: this process's memory, or a server that nobody knows how to ask.

    Each method raises what the client of the server raises.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queues = sorted(broker.get_declared_queues() - broker.get_declared_delay_queues())

    def ping(self) -> None:
        """Ask whether it answers."""

    def depths(self) -> list[Depth]:
        """Return the depth of each queue; in memory of this process's own."""
        if not isinstance(broker := self._broker, StubBroker):
            return []
        return [
            Depth(
                queue=queue,
                waiting=broker.queues[queue].qsize(),
                delayed=broker.queues[dq_name(queue)].qsize(),
                dead=len(broker.dead_letters_by_queue[queue]),
            )
            for queue in self._queues
        ]

    def eviction(self) -> str:
        """Return the policy by which it drops messages when memory is short; "" if it does not."""
        return ""


def server(broker: Broker) -> Server:
    """Return what holds the messages of a broker."""
    known = [SERVERS[kind.__module__] for kind in type(broker).__mro__ if kind.__module__ in SERVERS]
    made: Server = import_string(known[0])(broker) if known else Server(broker)
    return made
