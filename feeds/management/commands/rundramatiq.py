"""rundramatiq, for everybody who has a broker to run it on."""

import os
from typing import Any

import dramatiq
from django.core.management import CommandError
from django_dramatiq.management.commands import rundramatiq

from feeds.embedded import EmbeddedBroker

# Milliseconds for which a Redis consumer sleeps when its queue is empty. Dramatiq's own 1,000 would be felt by whoever
# waits for an import, and delay the return of a dead worker's messages: any command of a consumer may bring them back.
IDLE_TIMEOUT = "100"


class Command(rundramatiq.Command):  # type: ignore[misc]  # django_dramatiq has no types
    def handle(self, *arguments: Any, **options: Any) -> None:
        if isinstance(dramatiq.get_broker(), EmbeddedBroker):
            raise CommandError(
                "There is no queue to work on: in embedded mode the process that sends a feed imports it. "
                "Set BROKER_URL, such as redis://127.0.0.1:6379/0 or amqp://127.0.0.1, to run workers of their own."
            )
        os.environ.setdefault("dramatiq_worker_timeout", IDLE_TIMEOUT)
        super().handle(*arguments, **options)
