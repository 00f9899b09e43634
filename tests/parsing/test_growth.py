"""Every regular expression over what strangers send is linear, in the way in which it is used."""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from feeds import opml
from feeds.parsing import autodiscovery, dates, encodings, jsonfeed
from tests.rigs.growth import EIGHTFOLD, LIMIT, growth_of

MODULES = (autodiscovery, dates, encodings, jsonfeed, opml)
# How a pattern is used, where that is not from the beginning of a text.
SEARCHED = {
    *(autodiscovery._TAG, autodiscovery._ENTRY, autodiscovery.COMMENTS, autodiscovery._NO_FEED),
    *(autodiscovery._FEED_PATH, autodiscovery._FEED_QUERY, dates._YEAR_LAST, dates._COMMENT, dates._HANGUL),
    *(encodings._CHARSET, encodings._FOREIGN_WORD, encodings._PAIR, encodings._FORBIDDEN_PATTERN),
    *(encodings._NONCHARACTERS, opml._FIRST, opml._TAG, opml._OUTLINE, opml._END, opml._REFERENCE),
}
# Searched in so many characters at most; more of them never come together.
BOUNDED = {autodiscovery._FEED_PATH: 200, dates._YEAR_LAST: 100, dates._COMMENT: 100, encodings._DECLARED: 1_024}
PIECES = (
    *(
        "a",
        "1",
        " ",
        "\n",
        "<",
        ">",
        "/",
        "-",
        "=",
        ":",
        ",",
        ".",
        '"',
        "'",
        "&",
        "#",
        "(",
        "\xff",
        "a ",
        "a1",
        "1 a",
        "1:",
    ),
    *(
        "<!--",
        "<a ",
        "<meta ",
        "<meta charset",
        "<?xml ",
        "<?xml encoding=",
        "<script",
        "<link a=",
        "<outline ",
        "</outline",
    ),
    *(
        "charset=",
        "charset ",
        "; type=",
        "&#xD83D;",
        "&amp;#",
        "feed/",
        "/feeds/",
        ".xml",
        "?a&",
        "&list=",
        "Mon, 1 a",
        "2024-",
    ),
    "https://youtube.com/playlist?",
)


def patterns_of(module: ModuleType) -> list[re.Pattern[Any]]:
    values = [value for each in vars(module).values() for value in (each if isinstance(each, tuple) else (each,))]
    nested = [value for pair in values if isinstance(pair, tuple) for value in pair]
    return [value for value in (*values, *nested) if isinstance(value, re.Pattern)]


ALL = [(module.__name__.rpartition(".")[2], pattern) for module in MODULES for pattern in patterns_of(module)]


@pytest.mark.parametrize(
    "pattern", [pattern for _, pattern in ALL], ids=[f"{name}-{p.pattern[:20]!r}" for name, p in ALL]
)
def test_a_pattern_costs_no_more_than_its_text_is_long(pattern: re.Pattern[Any]) -> None:
    do: Callable[[Any], object] = pattern.match
    if pattern in SEARCHED:
        do = lambda text: pattern.sub("" if isinstance(text, str) else b"", text)  # noqa: E731
    for piece in PIECES:
        one = piece if isinstance(pattern.pattern, str) else piece.encode("latin-1")
        most = BOUNDED.get(pattern, 1 << 30)
        growth = growth_of(do, lambda size, one=one, most=most: (one * (size // len(one)))[:most])
        assert growth < LIMIT * EIGHTFOLD, f"{piece!r}: {growth:.0f} times"


def test_a_pattern_that_is_quadratic_is_found() -> None:
    assert growth_of(re.compile("a*b").search, lambda size: "a" * size) > LIMIT * EIGHTFOLD
