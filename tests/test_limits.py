"""The table of limits says what the code does."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from feeds.conf import FeedsSettings
from tests.test_house import APP, none

ROW = re.compile(r"\| [^|]+ \| (?P<most>[^|]+) \| [^|]+ \| `(?P<where>[\w.]+)` \|")
# What the name of a limit on what others send looks like, and where such limits stand.
LIMIT = re.compile(r"^((?:MAX|MOST|LONGEST|PLAIN)_[A-Z_]+|[A-Z_]+_LIMIT)\b.* = ", re.MULTILINE)
CUT = re.compile(r"\[:[\d_]{2,}\]|\[-[\d_]{2,}:\]")
FILES = (
    "parsing/**/*.py",
    "fetching/*.py",
    "planning/*.py",
    "storage/*.py",
    "management/*.py",
    "opml.py",
    "canonical_urls.py",
)
OUR_OWN = {"storage.retention.LONGEST_DAYS"}  # chosen by whoever runs the app

ROWS = {row["where"]: row["most"] for row in ROW.finditer((APP / "docs" / "limits.md").read_text())}


@pytest.mark.parametrize("where", ROWS)
def test_the_page_says_what_the_code_says(where: str) -> None:
    number = ROWS[where]
    assert any(re.match(rf"{written}\b", number) for written in _spellings(_value(where))), f"{number}: {_value(where)}"


def test_every_limit_is_on_the_page() -> None:
    named = {f"{_module(path)}.{name}" for path in _paths() for name in LIMIT.findall(path.read_text())}
    none(named - ROWS.keys() - OUR_OWN, "not in feeds/docs/limits.md")


def test_no_limit_of_parsing_is_a_bare_number() -> None:
    """A text cut at `[:200]` has no name that the page could give."""
    found = ((path, cut) for path in APP.glob("parsing/**/*.py") for cut in CUT.findall(path.read_text()))
    none((f"{_module(path)}: {cut}" for path, cut in found), "no name")


def _value(where: str) -> Any:
    if where.startswith("FEEDS_"):
        return getattr(FeedsSettings(), where.removeprefix("FEEDS_").lower())
    module, _, name = where.rpartition(".")
    return getattr(import_module(f"feeds.{module}"), name)


def _spellings(value: float) -> Iterator[str]:
    yield f"{value:,.0f}"
    for size, unit in ((1 << 20, "MiB"), (1 << 10, "KiB"), (86_400, "days?")):
        if value % size == 0:
            yield f"{value // size:.0f} {unit}"


def _paths() -> Iterator[Path]:
    for pattern in FILES:
        yield from APP.glob(pattern)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(APP).with_suffix("").parts)
