"""RabbitMQ as a broker's server."""

from contextlib import closing
from copy import copy
from typing import Any

from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import dq_name, xq_name
from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from feeds.brokers.server import TIMEOUT, Depth, Server


class RabbitmqServer(Server):
    _broker: RabbitmqBroker

    def ping(self) -> None:
        self._connection().close()

    def depths(self) -> list[Depth]:
        with closing(self._connection()) as connection:
            return [_depth(connection, queue) for queue in self._queues]

    def _connection(self) -> BlockingConnection:
        return BlockingConnection(_bounded(self._broker.parameters))


def _depth(connection: Any, queue: str) -> Depth:
    waiting, delayed, dead = (_messages(connection, name) for name in (queue, dq_name(queue), xq_name(queue)))
    return Depth(queue=queue, waiting=waiting, delayed=delayed, dead=dead)


def _messages(connection: Any, queue: str) -> int:
    """Return the number of messages; 0 where there is no such queue yet, which closes the channel."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).method.message_count)
    except ChannelClosedByBroker:
        return 0


def _bounded(parameters: Any) -> Any:
    """Return the parameters of RabbitMQ's connection, or of several to be tried in turn, with time-outs."""
    if isinstance(parameters, list):
        return [_bounded(one) for one in parameters]
    bounded = copy(parameters)
    bounded.connection_attempts, bounded.retry_delay = 1, 0
    bounded.socket_timeout = bounded.stack_timeout = bounded.blocked_connection_timeout = TIMEOUT
    return bounded
