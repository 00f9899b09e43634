"""The modules that workers load."""

import io
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from django.core.management import get_commands, load_command_class
from dramatiq import Actor, Broker


def loaded_by_workers() -> list[str]:
    """Return the modules that `manage.py rundramatiq` lets workers load; load them here."""
    command: Any = load_command_class(get_commands()["rundramatiq"], "rundramatiq")
    command.stdout = io.StringIO()
    modules: list[str] = command.discover_tasks_modules()
    for module in modules:
        import_module(module)
    return modules


def unknown_to_workers(broker: Broker, modules: Sequence[str]) -> Iterator[Actor[..., Any]]:
    """Yield the actors that are declared in none of these modules, nor in one that these name."""
    named = [value for module in modules for value in vars(sys.modules[module]).values()]
    for actor in broker.actors.values():
        module = sys.modules.get(actor.fn.__module__)
        if actor.fn.__module__ not in modules and not any(value is module or value is actor for value in named):
            yield actor
