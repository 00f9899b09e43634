"""The history of imports: a row for each that did something or failed.

A check that found nothing new gets none, and no statement besides its own: it is counted on the feed, and the next row
tells how many came before it.
"""

import logging
import time
from datetime import datetime, timedelta

from feeds import canonical_urls
from feeds.databases import one_by_one, primary_database, together
from feeds.exceptions import describe
from feeds.models import Import
from feeds.planning import ImportPlan

logger = logging.getLogger(__name__)

KEPT = 50  # rows of a feed
DAYS = 90  # for which a row is kept
CHUNK = 1_000  # rows of one statement
MOST_TEXT = 500  # characters of an error


def is_eventful(plan: ImportPlan) -> bool:
    """Tell whether the import gets a row. A page that names a feed has none: the feed that is imported next has."""
    return plan.next_check is not None and bool(plan.failure or plan.new or plan.changed or plan.move or plan.disable)


def counts(plan: ImportPlan) -> dict[str, int]:
    """Return the numbers that an import writes on its feed."""
    history = plan.feed.history
    if is_eventful(plan):
        return {"unchanged_count": 0, "import_count": history.import_count + 1}
    return {"unchanged_count": history.unchanged_count + 1}


def record(plan: ImportPlan, storing_since: float) -> None:
    """Write the row of an import, if it gets one; its feed has the numbers already.

    `storing_since` is by the monotonic clock. The commit, which is still to come, is in no stage.
    """
    if not is_eventful(plan):
        return
    trace, number = plan.circumstances.trace, plan.feed.history.import_count + 1
    stages = {**trace.seconds, "store": time.monotonic() - storing_since}
    row = Import(
        feed_id=plan.feed.id,
        number=number,
        started_at=plan.circumstances.started_at,
        asked_by=trace.asked_by,
        waited=trace.waited,
        seconds={stage: round(seconds, 3) for stage, seconds in stages.items()},
        outcome=plan.outcome.value,
        status=trace.status,
        size=trace.size,
        new=len(plan.new),
        changed=len(plan.changed),
        unchanged_before=plan.feed.history.unchanged_count,
        error_kind=plan.failure.kind.value if plan.failure else "",
        error_text=plan.failure.text[:MOST_TEXT] if plan.failure else "",
    )
    # What the project's database or its receivers refuse of the history costs no import.
    for _, error in one_by_one([row], lambda row: row.save(using=primary_database()))[1]:
        logger.warning("feed=%s: the history is refused: %s", canonical_urls.redacted(plan.feed.url), describe(error))
    if number > KEPT:
        old = Import.primary.filter(feed_id=plan.feed.id, number__lte=number - KEPT)
        one_by_one([old], lambda rows: rows.delete())  # they stay where a foreign key of the project protects them


def prune(now: datetime) -> int:
    """Remove the rows that are too old, and that the database lets go; return how many."""
    old = Import.primary.filter(started_at__lt=now - timedelta(days=DAYS)).order_by("started_at", "pk")
    removed = kept = 0  # those that are kept stay in front
    while ids := list(old.values_list("pk", flat=True)[kept : kept + CHUNK]):
        rows = Import.primary.filter(pk__in=ids)
        together(ids, lambda some: Import.primary.filter(pk__in=some).delete())
        staying = rows.count()  # a trigger may keep rows without a word
        removed, kept = removed + len(ids) - staying, kept + staying
    return removed
