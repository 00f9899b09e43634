"""What the database refuses: a constraint or a trigger of the project does, or a row that another one protects.

All that it accepts is stored nevertheless, each entry by itself, and the feed tells of the rest.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from django.db import DatabaseError, DataError, IntegrityError, transaction
from django.db.transaction import TransactionManagementError

from feeds import canonical_urls, history
from feeds.databases import Refusal, one_by_one, primary_database
from feeds.exceptions import describe
from feeds.fetching import Failed
from feeds.models import Feed
from feeds.outcomes import FailureKind
from feeds.planning import ImportPlan, ImportReport, PlannedEntry
from feeds.storage import feeds, merging
from feeds.storage.entries import write_changed, write_new
from feeds.storage.fields import feed_fields

logger = logging.getLogger(__name__)

REFUSALS = (IntegrityError, DataError, TransactionManagementError)  # the last behind one that has ended all, in SQLite
# Classes of SQLSTATE: data, integrity, triggers, views with a check, and what PL/pgSQL raises.
STATES = ("22", "23", "09", "27", "44", "P0")
# What is written of a feed of which the database refuses more.
ERROR = frozenset(
    {"next_check_at", "next_check_reason", "claimed_at", "slot_at", "error_kind", "error_text", "error_count"}
)
SHOWN = 80  # characters of an entry's title


def apply(plan: ImportPlan, when_refused: Callable[[Failed], ImportPlan] | None = None) -> ImportReport:
    """Write a plan in one transaction, or nothing of it if another import of the feed came first.

    If the database refuses it, write the entries that it accepts, and of the feed what `when_refused` plans.
    """
    try:
        return feeds.apply(plan)
    except DatabaseError as error:
        if when_refused is None:
            raise
        failed = when_refused(_failure(error))
    try:
        return _apply_accepted(plan, failed)
    except DatabaseError as error:  # at the commit
        _failure(error)
    try:
        return feeds.apply(failed)
    except DatabaseError as error:
        _failure(error)
        return _apply_error(failed)


def _failure(error: DatabaseError) -> Failed:
    """Return what is recorded of an error; raise it where the database has not refused what it was given."""
    state = str(getattr(error.__cause__, "sqlstate", ""))
    if not isinstance(error, REFUSALS) and not state.startswith(STATES):
        raise error
    logger.warning("the database refuses an import", exc_info=error)
    return Failed(kind=FailureKind.DATABASE, text=f"the database refuses the import: {describe(error)}")


def _apply_accepted(plan: ImportPlan, failed: ImportPlan) -> ImportReport:
    """Write the entries of a plan one by one; `failed` is what becomes of the feed."""
    begun = time.monotonic()
    with transaction.atomic(using=primary_database()):
        if not feeds.advance(failed):
            return feeds.settled(failed, failed.feed.id, written=False)
        plan = merging.resolve_move(plan)
        new, refused_new = one_by_one(plan.new, lambda entry: write_new(plan, [entry]))
        changed, refused_changed = one_by_one(plan.changed, lambda entry: write_changed(plan, [entry]))
        refused = refused_new + refused_changed
        done = replace(
            failed,
            new=tuple(new),
            changed=tuple(changed),
            budget=plan.budget,
            failure=_named(refused) if refused else failed.failure,
        )
        Feed.primary.filter(pk=plan.feed.id).update(**feed_fields(done))
        history.record(done, begun)
    return feeds.settled(done, done.feed.id, written=True)


def _apply_error(failed: ImportPlan) -> ImportReport:
    """Write no more of a feed than its error and when it is checked again."""
    values = {name: value for name, value in feed_fields(failed).items() if name in ERROR}
    written = Feed.primary.filter(pk=failed.feed.id, revision=failed.feed.revision).update(**values)
    return feeds.settled(failed, failed.feed.id, written=bool(written))


def _named(refused: list[Refusal[PlannedEntry]]) -> Failed:
    """Name the first of the entries that were refused."""
    planned, error = refused[0]
    name = planned.entry.title or canonical_urls.redacted(planned.entry.url or planned.entry.guid)
    more = f", and {len(refused) - 1:,} more" if len(refused) > 1 else ""
    text = f"the database refuses the entry “{name[:SHOWN]}”{more}: {describe(error)}"
    return Failed(kind=FailureKind.DATABASE, text=text)
