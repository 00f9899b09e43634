"""Counts, tables and progress, as all commands print them."""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Self

from django.core.management.base import CommandParser, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder

BAR_WIDTH = 40  # characters
BAR_SECONDS = 0.1  # between two pictures of the bar
LINE_SECONDS = 5.0  # between two plain lines
LONGEST = 1_000  # characters of a foreign text


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 feed", "2,000 feeds"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """Return foreign text so that it can do nothing to a terminal."""
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)


def table(out: OutputWrapper, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table under the names of its columns; numbers stand on the right."""
    cells = [[f"{value:,}" if isinstance(value, int) else printable(str(value)) for value in row] for row in rows]
    columns = [_column(name, [row[number] for row in cells]) for number, name in enumerate(names)]
    for line in zip(*columns, strict=True):
        out.write("  ".join(line).rstrip())


def _column(name: str, cells: list[str]) -> list[str]:
    """Return a column with its name on top, padded to one width."""
    width = max(map(len, [name, *cells]))
    numeric = bool(cells) and all(cell.replace(",", "").isdecimal() for cell in cells)
    return [text.rjust(width) if numeric else text.ljust(width) for text in [name, *cells]]


def add_format(parser: CommandParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")


def dump(out: OutputWrapper, value: object) -> None:
    """Print a value as JSON."""
    out.write(json.dumps(value, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False))


class Progress:
    """A context that shows how many of `total` things are done: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, out: OutputWrapper, label: str, total: int, *, visible: bool) -> None:
        self._out, self._label, self._total = out, label, total
        self._visible = visible and total > 0
        self._is_bar = out.isatty()
        self._done = 0
        self._begun = self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._visible and self._is_bar:
            self._show_bar(time.monotonic() - self._begun)
            self._out.write("\n", ending="")

    def advance(self, count: int) -> None:
        """Say that `count` more are done."""
        self._done += count
        now = time.monotonic()
        if self._visible and now - self._shown_at >= (BAR_SECONDS if self._is_bar else LINE_SECONDS):
            self._shown_at = now
            if self._is_bar:
                self._show_bar(now - self._begun)
            else:
                self._out.write(f"{self._label}: {self._done:,} of {self._total:,}")

    def _show_bar(self, seconds: float) -> None:
        filled = "█" * (BAR_WIDTH * self._done // self._total)
        left = timedelta(seconds=int(seconds / self._done * (self._total - self._done))) if self._done else "-:--:--"
        text = f"{self._label} {filled:░<{BAR_WIDTH}} {self._done:,} of {self._total:,}, {left} left"
        self._out.write(f"\r{text}\N{ESCAPE}[K", style_func=str, ending="")
        self._out.flush()
