"""A description of foreign modules that is the same in every process, unless somebody changed one of them.

    python -m tests.rigs.guest with [CODE]   a host project that has `feeds`: all of its modules are imported, CODE runs
    python -m tests.rigs.guest without       the same one that has not; the modules' names come by standard input

Printed is JSON: for each module the names in it, and what each is. Two processes have no object in common, so a
function is its file, its first line and its code, a class is its members, and a constant its value.
"""

import hashlib
import importlib
import json
import logging
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import django
from django.conf import settings

# What feeds imports, or could be tempted to mend. Dramatiq and its apps are a host's in both processes.
FOREIGN = (
    "charset_normalizer", "concurrent", "copy", "django", "django_dramatiq", "dramatiq", "dramatiq_crontab",
    "email", "feedparser", "html", "http", "json", "logging", "multiprocessing", "nh3", "pebble", "pickle",
    "pymemcache", "sgmllib", "signal", "socket", "ssl", "threading", "urllib3", "warnings", "xml",
)  # fmt: skip
APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
]
PLAIN = (str, bytes, int, float, complex, bool, type(None))
DEEPEST = 4  # containers in containers
FUNCTIONS = BuiltinFunctionType | MethodDescriptorType | WrapperDescriptorType
# What differs between any two processes, or counts what the host itself declares.
OF_THE_PROCESS = frozenset(
    """
    __builtins__ __cached__ __loader__ __spec__ __warningregistry__ __path__ __slotnames__ NONE_ID _active _startTime
    auto_creation_counter creation_counter coroutine_functions_to_sensitive_variables
    """.split()  # noqa: SIM905
)
Described = dict[str, dict[str, str]]  # what a module, a class or the logging is -> its names -> what each is


def host(*, with_feeds: bool) -> None:
    lock = ["feeds.locking.LockMiddleware"] if with_feeds else []
    settings.configure(
        INSTALLED_APPS=[*APPS, *(["feeds"] if with_feeds else []), "django_dramatiq", "dramatiq_crontab"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DRAMATIQ_BROKER={
            "BROKER": "dramatiq.brokers.stub.StubBroker",
            "OPTIONS": {},
            "MIDDLEWARE": [f"dramatiq.middleware.{first}" for first in ("CurrentMessage", "Retries")]
            + [*lock, "dramatiq.middleware.TimeLimit"],
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="a host's",
        USE_TZ=True,
    )
    django.setup()


def import_feeds() -> None:
    """Import every module of the app but the migrations, which are Django's to load."""
    import feeds

    for module in pkgutil.walk_packages(feeds.__path__, "feeds."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)


def is_foreign(name: str) -> bool:
    return name.partition(".")[0] in FOREIGN


class Description:
    """What everything in foreign modules is; each class once."""

    def __init__(self) -> None:
        self.modules: Described = {}
        self.classes: Described = {}

    def add(self, module: ModuleType) -> None:
        self.modules[module.__name__] = self._members(vars(module))

    def _members(self, values: Any) -> dict[str, str]:
        return {str(name): self._said(value) for name, value in dict(values).items() if name not in OF_THE_PROCESS}

    def _said(self, value: Any, depth: int = 0) -> str:
        """Say what a value is: no address, no order of a set."""
        if isinstance(value, PLAIN):
            return f"{type(value).__name__} {value!r:.500}"
        if isinstance(value, ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, type):
            self._add_class(value)
            return f"class {name_of(value)}"
        if isinstance(value, FunctionType):
            return f"function {self._code(value)}"
        return self._said_of_descriptor(value, depth) or self._said_of_container(value, depth)

    def _add_class(self, value: type) -> None:
        if is_foreign(value.__module__ or "") and name_of(value) not in self.classes:
            self.classes[name_of(value)] = {}  # it may hold itself
            self.classes[name_of(value)] = {"bases": str([*map(name_of, value.__mro__)]), **self._members(vars(value))}

    def _code(self, value: FunctionType) -> str:
        code = value.__code__
        file = re.sub(r".*/(?:site-packages|python3\.\d+)/", "", code.co_filename)
        digest = hashlib.sha256(code.co_code).hexdigest()[:12]
        defaults = self._said((value.__defaults__, value.__kwdefaults__), DEEPEST - 1)
        attributes = sorted(vars(value))
        return f"{value.__module__}.{value.__qualname__} {file}:{code.co_firstlineno} {digest} {defaults} {attributes}"

    def _said_of_descriptor(self, value: Any, depth: int) -> str:
        if isinstance(value, classmethod | staticmethod | MethodType):
            return f"{type(value).__name__} of {self._said(value.__func__, depth)}"
        if isinstance(value, property):
            parts = (value.fget, value.fset, value.fdel)
            return f"property of {[self._said(part, depth) for part in parts]}"
        if isinstance(value, partial):
            return f"partial of {self._said(value.func, depth)} {self._said(value.args, depth + 1)}"
        if isinstance(value, FUNCTIONS | GetSetDescriptorType | MemberDescriptorType):
            return f"{type(value).__name__} {getattr(value, '__qualname__', '')}"
        wrapped = getattr(type(value), "__wrapped__", None) or vars_of(value).get("__wrapped__")
        return f"{name_of(type(value))} around {self._said(wrapped, depth)}" if wrapped is not None else ""

    def _said_of_container(self, value: Any, depth: int) -> str:
        kind = name_of(type(value))
        if isinstance(value, re.Pattern):
            return f"pattern {value.pattern!r} {value.flags}"
        if depth >= DEEPEST:
            return kind
        if isinstance(value, dict):
            return (
                f"{kind} {sorted(f'{self._said(k, depth + 1)}: {self._said(v, depth + 1)}' for k, v in value.items())}"
            )
        if isinstance(value, list | tuple):
            return f"{kind} {[self._said(one, depth + 1) for one in value]}"
        if isinstance(value, set | frozenset):
            return f"{kind} {sorted(self._said(one, depth + 1) for one in value)}"
        return kind


def name_of(value: type) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def vars_of(value: object) -> dict[str, Any]:
    return getattr(value, "__dict__", {}) if not isinstance(value, type) else {}


def loggers() -> dict[str, str]:
    """Say how the loggers of foreign packages are set up."""
    root = logging.getLogger()
    found = {name: logger for name, logger in root.manager.loggerDict.items() if isinstance(logger, logging.Logger)}
    foreign = {name: logger for name, logger in found.items() if is_foreign(name)}
    return {name: _logger(logger) for name, logger in {**foreign, "root": root}.items()}


def _logger(logger: logging.Logger) -> str:
    parts = [*map(type, logger.handlers)], [*map(type, logger.filters)]
    return f"{logger.level} {logger.propagate} {logger.disabled} {parts}"


def main(mode: str, code: str = "") -> None:
    host(with_feeds=mode == "with")
    if mode == "with":
        import_feeds()
        exec(code)
        names = sorted(name for name in sys.modules if is_foreign(name))
    else:
        names = json.load(sys.stdin)
    for name in names:
        importlib.import_module(name)
    if mode == "without":
        assert not any(name.partition(".")[0] == "feeds" for name in sys.modules)
    description = Description()
    for name in names:
        description.add(sys.modules[name])
    modules = {f"module {name}": members for name, members in description.modules.items()}
    classes = {f"class {name}": members for name, members in description.classes.items()}
    json.dump({**modules, **classes, "loggers": loggers()}, sys.stdout)


# For those who compare


def with_feeds(code: str = "") -> Described:
    """Return what a process is that imported all of feeds, and then ran the code."""
    return _run("with", code)


def without_feeds(described: Described) -> Described:
    """Return what a process is that imported the same foreign modules, and nothing of feeds."""
    modules = [name.partition(" ")[2] for name in described if name.startswith("module ")]
    return _run("without", given=json.dumps(modules))


def _run(*arguments: str, given: str = "") -> Described:
    command = [sys.executable, "-m", "tests.rigs.guest", *arguments]
    result = subprocess.run(command, input=given, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    described: Described = json.loads(result.stdout)
    return described


def differences(one: Described, other: Described) -> Iterator[str]:
    """Yield the names that are not the same in both."""
    for owner in sorted({*one, *other}):
        mine, others = one.get(owner, {}), other.get(owner, {})
        yield from (f"{owner}: {name}" for name in sorted({*mine, *others}) if mine.get(name) != others.get(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
