"""The modules that workers load."""

import io
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
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


def unknown_to_workers(broker: Broker) -> Iterator[Actor[..., Any]]:
    """Yield the actors declared here that no module which workers load has, or names.

    These modules are loaded only where their names leave a doubt: a host's may take seconds.
    """
    names = tuple(_discovered())
    doubtful = [actor for actor in broker.actors.values() if not f"{actor.fn.__module__}.".startswith(names)]
    modules = loaded_by_workers() if doubtful else []
    named = [value for module in modules for value in vars(sys.modules[module]).values()]
    for actor in doubtful:
        module = sys.modules.get(actor.fn.__module__)
        if actor.fn.__module__ not in modules and not any(value is module or value is actor for value in named):
            yield actor


def _discovered() -> Iterator[str]:
    """Yield what the names of modules begin with that workers load, with a dot behind."""
    ignored = getattr(settings, "DRAMATIQ_IGNORED_MODULES", ())
    names = getattr(settings, "DRAMATIQ_AUTODISCOVER_MODULES", ("tasks",))
    found = {f"{app.name}.{name}" for app in apps.get_app_configs() for name in names} | {"feeds.tasks"}
    yield from (f"{name}." for name in found.difference(ignored))
