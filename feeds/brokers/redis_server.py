"""Redis as a broker's server."""

from contextlib import closing
from typing import Any

from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name, xq_name
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feeds.brokers.server import TIMEOUT, Depth, Server


class RedisServer(Server):
    _broker: RedisBroker

    def ping(self) -> None:
        with self._client() as client:
            client.ping()

    def depths(self) -> list[Depth]:
        with self._client() as client:
            return [self._depth(client, queue) for queue in self._queues]

    def _depth(self, client: Any, queue: str) -> Depth:
        """Count what Dramatiq's dispatch.lua keeps: lists of message ids, and a sorted set of dead ones."""
        prefix = f"{self._broker.namespace}:"
        waiting, delayed = client.llen(prefix + queue), client.llen(prefix + dq_name(queue))
        return Depth(queue=queue, waiting=waiting, delayed=delayed, dead=client.zcard(prefix + xq_name(queue)))

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
