"""Values in, what people read out: tables and progress. On a terminal with colours and a bar, else as plain lines."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from io import StringIO
from itertools import islice

from django.core.management.base import OutputWrapper
from django.db.models import Count, F
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from feeds import storage
from feeds.models import Entry, Feed
from feeds.outcomes import FailureKind, Outcome

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


TICK = 0.05  # seconds between two looks: 100 feeds must not wait for a clock
LABELS = {kind.value: kind.label for kind in FailureKind}
SHARE = 10  # a look that took one second is followed by ten of rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a look at a feed needs to know."""

    feed_id: int
    url: str
    status: str
    checked_at: datetime | None
    slot_at: datetime | None
    next_check_reason: str
    last_outcome: str
    error_kind: str
    error_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the import of one feed ended."""

    feed_id: int
    url: str = ""
    outcome: Outcome
    error: str = ""  # in words
    new: int = 0  # entries


@dataclass(slots=True)
class Following:
    """The feeds that are waited for, each as it was before.

    A check counts once that time has changed, not once it is later than our start: the clocks of two hosts differ, and
    a message of ours may have been skipped because an import that began before it was still running.
    """

    outstanding: dict[int, Row] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        self.outstanding.update((row.feed_id, row) for row in rows)

    def look(self) -> list[Ending]:
        """Return the feeds that have ended since the last look, and wait for them no longer."""
        chunks = storage.chunked(list(self.outstanding), storage.CHUNK)
        endings = [ending for chunk in chunks for ending in self._look_at(chunk)]
        for ending in endings:
            del self.outstanding[ending.feed_id]
        return endings

    def urls(self) -> list[str]:
        """Return URLs of feeds that are still waited for, one chunk at most."""
        ids = list(islice(self.outstanding, storage.CHUNK))
        return list(Feed.objects.filter(pk__in=ids).values_list("url", flat=True))

    def _look_at(self, feed_ids: list[int]) -> list[Ending]:
        rows = {row.feed_id: row for row in load(feed_ids)}
        endings = (ending(self.outstanding[feed_id], rows.get(feed_id)) for feed_id in feed_ids)
        return _with_new_entries([each for each in endings if each is not None])


def load(feed_ids: list[int]) -> list[Row]:
    """Return the feeds of these ids, as many as there still are."""
    names = [name.name for name in fields(Row) if name.name != "feed_id"]
    rows = Feed.objects.filter(pk__in=feed_ids).order_by("id").values(*names, feed_id=F("id"))
    return [Row(**row) for row in rows]


def ending(before: Row, row: Row | None) -> Ending | None:
    """Decide how a feed has ended; None: not yet."""
    feed_id = before.feed_id
    if row is None:
        return Ending(feed_id=feed_id, outcome=Outcome.PAUSED, error="deleted meanwhile, or merged with another feed")
    if row.checked_at != before.checked_at:
        return Ending(feed_id=feed_id, url=row.url, outcome=outcome(row), error=error_in_words(row))
    if row.status == Feed.Status.PAUSED:
        return Ending(feed_id=feed_id, url=row.url, outcome=Outcome.PAUSED)
    if row.slot_at is not None and row.slot_at != before.slot_at:
        return Ending(feed_id=feed_id, url=row.url, outcome=Outcome.DELAYED, error=row.next_check_reason)
    return None


def outcome(row: Row) -> Outcome:
    """Return how the last check of a feed ended, in one of three words."""
    if row.error_kind:
        return Outcome.FAILED
    return Outcome.IMPORTED if row.last_outcome == Outcome.IMPORTED else Outcome.UNCHANGED


def error_in_words(row: Row) -> str:
    return row.error_kind and (row.error_text or LABELS[row.error_kind])


def follow(
    following: Following, *, timeout: float, patience: float, settled: Callable[[], bool]
) -> Iterator[list[Ending]]:
    """Yield the feeds that have ended, look after look, until all have.

    Before that it ends after `timeout` seconds, after `patience` seconds in which no feed ended, or once `settled`
    says that no import is under way.
    """
    started = progressed = time.monotonic()
    while following.outstanding:
        was_settled = settled()  # asked before the look: an import that ends in between is seen
        looked = time.monotonic()
        endings = following.look()
        now = time.monotonic()
        progressed = now if endings else progressed
        yield endings
        rest = min(started + timeout, progressed + patience) - now
        if was_settled or rest <= 0:
            return
        time.sleep(min(rest, max(TICK, (now - looked) * SHARE)))


def _with_new_entries(endings: list[Ending]) -> list[Ending]:
    ids = [ending.feed_id for ending in endings if ending.outcome is Outcome.IMPORTED]
    # In the transaction that stores a check its entries get the time of the check.
    entries = Entry.objects.filter(feed__in=ids, first_seen_at__gte=F("feed__checked_at"))
    new = dict(entries.values_list("feed").annotate(Count("id"))) if ids else {}
    return [replace(ending, new=new.get(ending.feed_id, 0)) for ending in endings]
