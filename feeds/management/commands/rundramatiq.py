"""Run workers: django_dramatiq's command with defaults for feeds, refused where there is no broker."""

import os
from typing import Any

import dramatiq
from django.conf import settings
from django.core.management import CommandError
from django_dramatiq.management.commands import rundramatiq

from feeds.conf import feeds_settings
from feeds.embedded import EmbeddedBroker

# Milliseconds for which a Redis consumer sleeps when its queue is empty. Dramatiq's own 1,000 would be felt in each
# import, and delay the return of a dead worker's messages: any command of a consumer may bring them back.
IDLE_TIMEOUT = "100"

# For glibc, which by itself has a heap for each thread, and keeps in each what large documents took. With one heap for
# all, and blocks of 1 MiB given back at once, a worker under attack took 128 MB at the most instead of 366
# (`tests.rigs.benchmarks.attacks`), and parsing was as fast. With blocks of 128 KiB it took 6 % longer.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "2097152",
}


OURS = "feeds.tasks"


class Command(rundramatiq.Command):  # type: ignore[misc]  # django_dramatiq has no types
    def handle(self, *arguments: Any, **options: Any) -> None:
        if isinstance(dramatiq.get_broker(), EmbeddedBroker):
            raise CommandError(
                "There is no queue to work on: in embedded mode the process that sends a feed imports it. "
                "Set BROKER_URL, such as redis://127.0.0.1:6379/0 or amqp://127.0.0.1, to run workers."
            )
        for name, value in {"dramatiq_worker_timeout": IDLE_TIMEOUT, **ALLOCATOR}.items():
            os.environ.setdefault(name, value)
        if feeds_settings().queue in (options.get("queues") or ()):
            options["queues"] = [*options["queues"], feeds_settings().scheduled_queue]
        super().handle(*arguments, **options)

    def discover_tasks_modules(self) -> list[str]:
        """Return the modules that workers load; ours is one, whatever name a host gives to its own."""
        modules: list[str] = super().discover_tasks_modules()
        ignored = {OURS, "feeds.*"} & set(getattr(settings, "DRAMATIQ_IGNORED_MODULES", ()))
        return modules if OURS in modules or ignored else [*modules, OURS]
