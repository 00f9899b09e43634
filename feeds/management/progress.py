"""Values in, what people read out: tables and progress. On a terminal with colours and a bar, else as plain lines."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

from django.core.management.base import OutputWrapper
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_WIDTH = 10_000  # columns: what a program reads must not be wrapped
PLAIN_SECONDS = 5.0  # between two lines of plain progress

Advance = Callable[[int], None]


def table(out: OutputWrapper, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table; numbers stand on the right."""
    terminal = out.isatty()
    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    cells = [[_text(value) for value in row] for row in rows]
    for number, name in enumerate(columns):
        numeric = bool(cells) and all(row[number].replace(",", "").isdecimal() for row in cells)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*row)
    out.write(_rendered(grid, terminal))


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _rendered(grid: Table, terminal: bool) -> str:
    text = StringIO()
    width = None if terminal else PLAIN_WIDTH
    Console(file=text, force_terminal=terminal, width=width, markup=False, highlight=False).print(grid)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def printable(text: str, *, longest: int = 1000) -> str:
    """Return foreign text so that it can do nothing to a terminal."""
    shown = text if len(text) <= longest else text[:longest] + "…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)


@contextmanager
def progress(out: OutputWrapper, label: str, total: int, *, visible: bool) -> Iterator[Advance]:
    """Give a function that is told how many more are done."""
    if not visible or not total:
        yield lambda count: None
    elif out.isatty():
        yield from _bar(label, total)
    else:
        yield _plain(out, label, total)


def _bar(label: str, total: int) -> Iterator[Advance]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


def _plain(out: OutputWrapper, label: str, total: int) -> Advance:
    done, shown_at = 0, time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, shown_at
        done += count
        if time.monotonic() - shown_at >= PLAIN_SECONDS:
            shown_at = time.monotonic()
            out.write(f"{label}: {done:,} of {total:,}")

    return advance
