"""Every regular expression over what strangers send is linear, in the way in which it is used."""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import feedparser
import feedparser.sgml
import pytest

import feeds
from tests.rigs.growth import EIGHTFOLD, LIMIT, growth_of
from tests.rigs.patterns import Used, hidden_in, patterns_of, pieces_of
from tests.test_house import none

# Searched in so many characters at most.
BOUNDED = {
    "feeds.parsing.autodiscovery._FEED_PATH": 200,
    "feeds.parsing.dates._SHAPES": 100,
    "feeds.parsing.dates._YEAR_LAST": 100,
    "feeds.parsing.dates._COMMENT": 100,
    "feeds.parsing.encodings._DECLARED": 1_024,
}
# Used by functions that get them: how cannot be seen.
MATCHED = frozenset({"feeds.planning.entry_names._VOLATILE"})
# What every text ends with.
ENDINGS = {"feeds.parsing.html.pictures._CANDIDATE": "a"}  # spaces at its ends are stripped
COMMON = ("a", "1", " ", "\n", "<", ">", "/", "-", "=", ":", ".", '"', "'", "&", "#", "(", "\xff", "a ", "a1", "1:")

# Patterns of feedparser that no document reaches in this process.
BY_A_CHILD = "in the loose parser, which works in a child only"
SWITCHED_OFF = "it sanitizes and resolves; both are switched off"
OUR_PROLOG = "in a prolog; it gets the one that we write"
NOT_CALLED = "in feedparser.parse, which is not called"
UNREACHED = {
    "feedparser.encodings": NOT_CALLED,
    "feedparser.html": BY_A_CHILD,
    "feedparser.sgml": BY_A_CHILD,
    "feedparser.sanitizer.RE_ENTITY_PATTERN": OUR_PROLOG,
    "feedparser.sanitizer.RE_DOCTYPE_PATTERN": OUR_PROLOG,
    "feedparser.sanitizer.RE_SAFE_ENTITY_PATTERN": OUR_PROLOG,
    "feedparser.sanitizer:": SWITCHED_OFF,
    "feedparser.urls:": SWITCHED_OFF,
    "feedparser.mixin:746": "people are taken apart by feeds.parsing.people",
}

SIZE = 8_192  # characters: what is quadratic takes tens of millions of steps
CHEAP = 0.002  # seconds of the processor, for which so many steps do not suffice on any machine


def is_cheap(do: Callable[[Any], object], text: Any) -> bool:
    """Tell whether a call is so cheap that nothing can be quadratic; if not, that is no fault yet."""
    begun = time.thread_time()
    do(text)
    return time.thread_time() - begun < CHEAP


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" not in found.name:
            yield importlib.import_module(found.name)


OURS = [used for module in modules(feeds) for used in patterns_of(module)]
THEIRS = [
    used
    for module in modules(feedparser)
    for used in patterns_of(module)
    if not any(used.name.startswith(name) for name in UNREACHED)
]
# A pattern that one module imports from another is looked at once.
ALL = list({(id(used.pattern), used.is_searched): used for used in (*OURS, *THEIRS)}.values())


@pytest.mark.parametrize("used", ALL, ids=[used.name for used in ALL])
def test_a_pattern_costs_no_more_than_its_text_is_long(used: Used) -> None:
    pattern, most = used.pattern, BOUNDED.get(used.name.partition("[")[0], 1 << 30)
    ending = ENDINGS.get(used.name, "")
    end = ending if isinstance(pattern.pattern, str) else ending.encode()
    do: Callable[[Any], object] = pattern.match
    if used.is_searched and used.name not in MATCHED:
        do = lambda text: pattern.sub("" if isinstance(text, str) else b"", text)  # noqa: E731
    for piece in dict.fromkeys((*COMMON, *pieces_of(pattern))):
        one = piece if isinstance(pattern.pattern, str) else piece.encode("utf-8")

        def text(size: int, one: Any = one) -> Any:
            return (one * (size // len(one)))[:most] + end

        if not is_cheap(do, text(SIZE)):
            growth = growth_of(do, text)
            assert growth < LIMIT * EIGHTFOLD, f"{piece!r}: {growth:.0f} times"


@pytest.mark.parametrize("text", ["a*b", r"<!--.*?-->", r"^\s*<!X", r"(?:a|b)+c", r"\w+@\w+\."])
def test_a_pattern_that_is_quadratic_is_found(text: str) -> None:
    pattern = re.compile(text, re.MULTILINE | re.DOTALL)
    pieces = (*COMMON, *pieces_of(pattern))
    assert any(
        growth_of(pattern.search, lambda size, one=one: one * (size // len(one))) > LIMIT * EIGHTFOLD for one in pieces
    )


def test_every_pattern_of_ours_is_among_those_that_are_grown() -> None:
    hidden = [f"{module.__name__}: {text}" for module in modules(feeds) for text in hidden_in(module)]
    none(hidden, "patterns that are not found: write them as constants, in constants that hold nothing else, or inline")


def test_patterns_are_found_wherever_they_stand() -> None:
    names = {used.name for used in OURS}
    assert {"feeds.parsing.encodings._SHAPES[3]", "feeds.parsing.dates._COMMENT", "feeds.opml._TAG"} <= names
    assert any(used.name.startswith("feedparser.mixin:") for used in THEIRS)
