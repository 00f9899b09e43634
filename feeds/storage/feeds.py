"""A feed's row: loaded as a FeedState, written by a plan in one fenced transaction."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from feeds import canonical_urls, clock, history, signals
from feeds.clock import aware, past
from feeds.databases import primary_database, receivers_refuse
from feeds.fetching import FeedRequest
from feeds.models import Entry, Feed
from feeds.outcomes import Outcome
from feeds.planning import (
    EXPIRED,
    Budget,
    DocumentState,
    FeedState,
    History,
    HostState,
    ImportPlan,
    ImportReport,
    PlannedEntry,
    RedirectStreak,
    Streak,
)
from feeds.storage import merging
from feeds.storage.entries import CHUNK, chunked, write_changed, write_new
from feeds.storage.fields import UNSEEN, feed_fields
from feeds.storage.subscriptions import Subscription, register

DIGEST = 16  # bytes
Part = TypeVar("Part", History, Budget)
OPTIONS = ("user_agent", "headers", "username", "password", "proxy", "deadline", "verify_tls")
# What a check needs to know of a feed. Models of all columns would take the ORM twice as long as these values.
READ = (
    *("id", "url", "host_id", "revision", "status", "status_reason", "found_on", "public_only", "pruned_at"),
    *("etag", "last_modified", "validators_url", "body_digest", "seen_digests", "listed_digests"),
    *(field.name for kind in (History, Budget) for field in fields(kind)),
    *("ttl", "update_period", "skip_hours", "skip_days"),
    *("error_count", "failing_since", "error_kind", "moved_to", "moved_since", "moved_count"),
    *("host__delay", "host__paused_until"),
    *(f"options__{name}" for name in OPTIONS),
)
# Made once, since the ORM takes 0.5 ms to build it. Is there a second feed on the host?
ROWS = Feed.objects.annotate(shares_host=Exists(Feed.objects.filter(host=OuterRef("host"))[1:2]))
ROWS = ROWS.values_list("shares_host", *READ, named=True)


# From the database


def load(url: str, *, create: bool = True, now: datetime | None = None) -> FeedState | None:
    """Return what is known of the feed at `url`, a canonical URL.

    A feed not known yet is stored first, or is None where `create` is false.
    """
    row = _row(canonical_urls.url_md5(url))
    if row is None and create:
        register([Subscription(url=url)])
        row = _row(canonical_urls.url_md5(url))
    return _state(row, now or clock.now()) if row else None


def url_of(md5: UUID) -> str | None:
    """Return the URL of the feed that is known by a URL with this digest."""
    row = _row(md5)
    return str(row.url) if row else None


def _row(md5: UUID) -> Any:
    """Return the values of the feed that is known by this URL, as a named tuple; None if there is none."""
    rows = ROWS.using(primary_database())
    found = list(rows.filter(url_md5=md5)) or list(rows.filter(aliases__url_md5=md5))
    return found[0] if found else None


def _state(feed: Any, now: datetime) -> FeedState:
    return FeedState(
        id=feed.id,
        url=feed.url,
        revision=feed.revision,
        request=_request(feed),
        history=_named(History, feed, now, created_at=past(feed.created_at, now) or now),
        document=_document(feed),
        failures=Streak(count=feed.error_count, since=past(feed.failing_since, now), kind=feed.error_kind),
        redirect=_redirect(feed, now),
        budget=_named(Budget, feed, now),
        host=_host(feed),
        found_on=feed.found_on,
        paused=feed.status == Feed.Status.PAUSED,
        pruned=feed.pruned_at is not None,
    )


def _named(kind: type[Part], feed: Any, now: datetime, **given: Any) -> Part:
    """Return a value made of the columns that its fields are named after."""
    columns = {field.name: getattr(feed, field.name) for field in fields(kind)}
    moments = {name: past(value, now) for name, value in columns.items() if isinstance(value, datetime)}
    return kind(**columns | moments | given)


def _request(feed: Any) -> FeedRequest:
    request = FeedRequest(
        url=feed.url,
        etag=feed.etag,
        last_modified=feed.last_modified,
        validators_url=feed.validators_url,
        body_digest=bytes(feed.body_digest),
        public_only=feed.public_only,
    )
    if feed.options__headers is None:  # few feeds have a row of options
        return request
    options = {name: getattr(feed, f"options__{name}") for name in OPTIONS}
    return replace(request, **options | {"headers": tuple((name, value) for name, value in options["headers"])})


def _document(feed: Any) -> DocumentState:
    seen, listed = _split(bytes(feed.seen_digests)), _split(bytes(feed.listed_digests))
    return DocumentState(
        listed=tuple(zip(seen, listed, strict=False)),
        ttl=feed.ttl,
        update_period=feed.update_period,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
        expired=feed.status_reason == EXPIRED,
    )


def _split(digests: bytes) -> Iterator[bytes]:
    return (digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))


def _redirect(feed: Any, now: datetime) -> RedirectStreak | None:
    if not feed.moved_to:
        return None
    return RedirectStreak(url=feed.moved_to, since=past(feed.moved_since, now) or now, count=feed.moved_count)


def _host(feed: Any) -> HostState | None:
    if feed.host_id is None:
        return None
    paused_until = aware(feed.host__paused_until)
    return HostState(name=feed.host_id, shared=feed.shares_host, delay=feed.host__delay, paused_until=paused_until)


# Into the database


def apply(plan: ImportPlan) -> ImportReport:
    """Write a plan in one transaction, or nothing of it if another import of the feed came first."""
    feed_id, begun = plan.feed.id, time.monotonic()
    if plan.move or history.is_eventful(plan):
        with transaction.atomic(using=primary_database()):
            written = advance(plan)
            if written:
                plan = merging.resolve_move(plan)
                feed_id = _write(plan, begun)
    else:
        written = advance(plan)  # one statement needs no transaction around it
    return settled(plan, feed_id, written=written)


def settled(plan: ImportPlan, feed_id: int, *, written: bool) -> ImportReport:
    """Return the report of a plan, and send the signals after the commit."""
    report = _report(plan, feed_id, written=written)
    if written and plan.next_check:
        transaction.on_commit(lambda: _announce(plan, report), using=primary_database())
    return report


def _write(plan: ImportPlan, begun: float) -> int:
    """Write the entries and the history, and move the feed; return the id of the feed at the plan's URL."""
    write_new(plan, plan.new)
    write_changed(plan, plan.changed)
    history.record(plan, begun)
    if plan.move and plan.move.across_sites:
        listed = plan.listed if plan.parsed else plan.feed.document.listed
        return merging.hand_over(plan.feed, plan.move, (guid_digest for _, guid_digest in listed))
    if plan.move:
        with receivers_refuse():
            return merging.move_feed(plan.feed, plan.move, plan.circumstances.started_at)
    return plan.feed.id


def advance(plan: ImportPlan) -> bool:
    """Move the feed on by one revision. First in the transaction: the row stays locked until the commit."""
    at_revision = Feed.primary.filter(pk=plan.feed.id, revision=plan.feed.revision)
    return bool(at_revision.update(revision=plan.feed.revision + 1, **feed_fields(plan)))


def _report(plan: ImportPlan, feed_id: int, *, written: bool) -> ImportReport:
    if not written:
        return ImportReport(feed_id=plan.feed.id, url=plan.feed.url, outcome=Outcome.SUPERSEDED)
    # The feed that a page names may be known already: it is polled when it is due.
    is_known = plan.outcome is Outcome.DISCOVERED and feed_id != plan.feed.id
    return ImportReport(
        feed_id=feed_id,
        url=plan.move.url if plan.move else plan.feed.url,
        outcome=Outcome.COVERED if is_known else plan.outcome,
        new=len(plan.new),
        changed=len(plan.changed),
        left_out=plan.budget.left_out if plan.budget else 0,
        failure=plan.failure,
        next_check=plan.next_check,
    )


def _announce(plan: ImportPlan, report: ImportReport) -> None:
    """Send the signals. The rows are read for receivers only."""
    for signal, entries in ((signals.entries_added, plan.new), (signals.entries_changed, plan.changed)):
        if entries and signal.has_listeners(Entry):
            for rows in _rows(report.feed_id, entries):
                signal.send_robust(sender=Entry, feed_id=report.feed_id, entries=rows)
    signal = signals.feed_failed if report.failure else signals.feed_imported
    signal.send_robust(sender=Feed, report=report)


def _rows(feed_id: int, entries: Iterable[PlannedEntry]) -> Iterator[list[Entry]]:
    for chunk in chunked((one.guid_digest for one in entries), CHUNK):
        yield list(Entry.primary.filter(feed_id=feed_id, guid_digest__in=chunk).order_by("sorted_at", "id"))


def note_slowness(feed: FeedState, seconds: float) -> None:
    """Remember that a fetch took so long and was ended for the sake of others; it counts as no check."""
    Feed.primary.filter(pk=feed.id).update(fetch_seconds=seconds)


def forget_documents(feed_ids: Iterable[int]) -> None:
    """Let the next check of these feeds fetch the document without conditions, and read all of it."""
    for ids in chunked(feed_ids, CHUNK):
        Feed.primary.filter(pk__in=ids).fence(**UNSEEN)
