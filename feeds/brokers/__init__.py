"""The broker's queues and its server, asked over a connection of our own, with time-outs."""

from feeds.brokers.server import TIMEOUT, server

__all__ = ["TIMEOUT", "server"]
