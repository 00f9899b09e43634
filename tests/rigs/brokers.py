"""Other brokers in the place of this process's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
from dramatiq import Broker, Middleware


@contextmanager
def global_broker(broker: Broker) -> Iterator[None]:
    """Let this be the broker inside the block."""
    before = dramatiq.get_broker()
    dramatiq.set_broker(broker)
    try:
        yield
    finally:
        dramatiq.set_broker(before)


def middleware_of(broker: Broker) -> list[Middleware]:
    """Return the middleware without what Dramatiq adds for a worker that runs: it would consume our queues there."""
    return [each for each in broker.middleware if type(each).__name__ != "_WorkerMiddleware"]
