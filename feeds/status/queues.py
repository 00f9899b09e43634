"""How much waits in the broker's queues, asked over a connection of our own, with time-outs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name, xq_name
from pika.exceptions import ChannelClosedByBroker

from feeds import health


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The messages of one queue."""

    queue: str
    waiting: int
    delayed: int = 0
    dead: int = 0


def depths() -> list[Depth]:
    """Return the depth of each queue; raise what the broker's client raises."""
    broker = dramatiq.get_broker()
    if isinstance(broker, RedisBroker):
        return list(_of_redis(broker))
    if isinstance(broker, RabbitmqBroker):
        return list(_of_rabbitmq(broker))
    return list(_in_memory(broker)) if isinstance(broker, StubBroker) else []


def _of_redis(broker: RedisBroker) -> Iterator[Depth]:
    with health.redis_client(broker) as client:
        for queue in sorted(broker.get_declared_queues()):
            # Dramatiq's dispatch.lua: lists of message ids, and a sorted set of dead ones.
            waiting: Any = client.llen(f"{broker.namespace}:{queue}")
            delayed: Any = client.llen(f"{broker.namespace}:{dq_name(queue)}")
            dead: Any = client.zcard(f"{broker.namespace}:{xq_name(queue)}")
            yield Depth(queue=queue, waiting=waiting, delayed=delayed, dead=dead)


def _of_rabbitmq(broker: RabbitmqBroker) -> Iterator[Depth]:
    with health.rabbitmq_connection(broker) as connection:
        for queue in sorted(broker.get_declared_queues()):
            counts = [_messages(connection, name) for name in (queue, dq_name(queue), xq_name(queue))]
            yield Depth(queue=queue, waiting=counts[0], delayed=counts[1], dead=counts[2])


def _messages(connection: Any, queue: str) -> int:
    """Return the number of messages; 0 where there is no such queue yet, which closes the channel."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).method.message_count)
    except ChannelClosedByBroker:
        return 0


def _in_memory(broker: StubBroker) -> Iterator[Depth]:
    """Yield what waits in this process: another has a queue of its own."""
    for name in sorted(broker.get_declared_queues() - broker.get_declared_delay_queues()):
        delayed = broker.queues[dq_name(name)].qsize() if dq_name(name) in broker.queues else 0
        dead = len(broker.dead_letters_by_queue[name])
        yield Depth(queue=name, waiting=broker.queues[name].qsize(), delayed=delayed, dead=dead)
