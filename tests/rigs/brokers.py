"""The middleware of a broker, for another one."""

from dramatiq import Broker, Middleware


def middleware_of(broker: Broker) -> list[Middleware]:
    """Return the middleware without what Dramatiq adds for a worker that runs: it would consume our queues there."""
    return [each for each in broker.middleware if type(each).__name__ != "_WorkerMiddleware"]
