"""Redis as a broker's server."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name, xq_name
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feeds.brokers.server import TIMEOUT, Depth


class Server:
    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    def ping(self) -> None:
        with self._client() as client:
            client.ping()

    def depths(self) -> Iterator[Depth]:
        namespace = self._broker.namespace
        with self._client() as client:
            for queue in sorted(self._broker.get_declared_queues()):
                # Dramatiq's dispatch.lua: lists of message ids, and a sorted set of dead ones.
                waiting: Any = client.llen(f"{namespace}:{queue}")
                delayed: Any = client.llen(f"{namespace}:{dq_name(queue)}")
                dead: Any = client.zcard(f"{namespace}:{xq_name(queue)}")
                yield Depth(queue=queue, waiting=waiting, delayed=delayed, dead=dead)

    def eviction(self) -> str:
        with self._client() as client:
            memory: Any = client.info("memory")
        policy = str(memory.get("maxmemory_policy", ""))
        return policy if policy.startswith("allkeys") else ""

    def _client(self) -> closing[Redis]:
        """Return a client of the same server that tries once. By default a client asks a silent server eleven times."""
        pool = self._broker.client.connection_pool
        bounds = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT, "retry": Retry(NoBackoff(), 0)}
        return closing(Redis.from_pool(ConnectionPool(pool.connection_class, **pool.connection_kwargs | bounds)))
