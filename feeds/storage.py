"""The database's door: `load` what is known of a feed, `apply` a plan. The only writer of import results."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db import models, transaction

from feeds import aliases, canonical_urls, columns, hosts, planning, signals
from feeds.documents import Registered, Subscription
from feeds.fetching import FeedRequest
from feeds.models import Entry, Feed, Tombstone
from feeds.outcomes import Outcome
from feeds.planning import EXPIRED, FeedState, ImportPlan, ImportReport, Move, PlannedEntry, RedirectStreak, StoredEntry

T = TypeVar("T")

CHUNK = 500  # rows of one statement
DIGEST = 16  # bytes


# In


def load(url: str) -> FeedState:
    """Return what is known of the feed at `url`, a canonical URL; a feed not known yet is stored first."""
    return find(url) or _added(url)


def find(url: str) -> FeedState | None:
    """Return what is known of the feed at `url`, a canonical URL, if it is stored."""
    md5 = canonical_urls.url_md5(url)
    feed = _feeds().filter(url_md5=md5).first() or _feeds().filter(aliases__url_md5=md5).first()
    return _known(feed) if feed else None


def _added(url: str) -> FeedState:
    register([Subscription(url=url)])
    return _known(_feeds().get(url_md5=canonical_urls.url_md5(url)))


def _feeds() -> models.QuerySet[Feed]:
    return hosts.annotated(Feed.objects.select_related("options"))


def _known(feed: Feed) -> FeedState:
    return FeedState(
        id=feed.pk,
        url=feed.url,
        request=_request(feed),
        paused=feed.status == Feed.Status.PAUSED,
        expired=feed.status_reason == EXPIRED,
        revision=feed.revision,
        seen=frozenset(_split(bytes(feed.seen_digests))),
        listed=tuple(zip(_split(bytes(feed.seen_digests)), _split(bytes(feed.listed_digests)), strict=False)),
        pruned=feed.pruned_at is not None,
        interval=feed.interval,
        fixed_interval=feed.fixed_interval,
        ttl=feed.ttl,
        update_period=feed.update_period,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
        created_at=feed.created_at,
        checked_at=feed.checked_at,
        imported_at=feed.imported_at,
        changed_at=feed.changed_at,
        next_check_reason=feed.next_check_reason,
        claimed_at=feed.claimed_at,
        failures=feed.error_count,
        failing_since=feed.failing_since,
        failure_kind=feed.error_kind,
        host=hosts.known(feed),
        sighting=_sighting(feed),
        found_on=feed.found_on,
        fetch_seconds=feed.fetch_seconds,
    )


def _request(feed: Feed) -> FeedRequest:
    request = FeedRequest(
        url=feed.url,
        etag=feed.etag,
        last_modified=feed.last_modified,
        validators_url=feed.validators_url,
        body_digest=bytes(feed.body_digest),
    )
    options = getattr(feed, "options", None)  # joined by `load`, so that feeds without cost no statement
    if options is None:
        return request
    return replace(
        request,
        user_agent=options.user_agent,
        headers=tuple((name, value) for name, value in options.headers),
        username=options.username,
        password=options.password,
        proxy=options.proxy,
        deadline=options.deadline,
        verify_tls=options.verify_tls,
    )


def _sighting(feed: Feed) -> RedirectStreak | None:
    if not feed.moved_to or feed.moved_since is None:
        return None
    return RedirectStreak(url=feed.moved_to, since=feed.moved_since, count=feed.moved_count)


def _split(digests: bytes) -> Iterator[bytes]:
    return (digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))


def stored_entries(known: FeedState, guid_digests: Iterable[bytes]) -> dict[bytes, StoredEntry]:
    """Return what is stored under these identities, by identity."""
    found: dict[bytes, StoredEntry] = {}
    for chunk in chunked(guid_digests, CHUNK):
        if known.pruned:
            graves = Tombstone.objects.filter(feed_id=known.id, guid_digest__in=chunk)
            for guid_digest in map(bytes, graves.values_list("guid_digest", flat=True)):
                found[guid_digest] = StoredEntry(guid_digest=guid_digest, buried=True)
        rows = _stored(Entry.objects.filter(feed_id=known.id, guid_digest__in=chunk))
        found.update((row.guid_digest, row) for row in rows)
    return found


def newest_entries(known: FeedState, count: int) -> list[StoredEntry]:
    """Return the newest entries of a feed."""
    return list(_stored(Entry.objects.filter(feed_id=known.id).order_by("-sorted_at")[:count]))


def _stored(entries: models.QuerySet[Entry]) -> Iterator[StoredEntry]:
    for guid, content, changes, url, title, published_at in entries.values_list(
        "guid_digest", "content_digest", "changes", "url", "title", "published_at"
    ):
        yield StoredEntry(
            guid_digest=bytes(guid),
            content_digest=bytes(content),
            changes=changes,
            url=url,
            title=title,
            published_at=published_at,
        )


def register(subscriptions: Iterable[Subscription]) -> Registered:
    """Store the feeds that are not known yet, due at once. Two may do that for the same feeds at the same time."""
    added = known = 0
    for chunk in chunked(subscriptions, CHUNK):
        wanted = {canonical_urls.url_md5(subscription.url): subscription for subscription in chunk}
        there = set(Feed.objects.filter(url_md5__in=wanted).values_list("url_md5", flat=True))
        there |= aliases.known_digests(wanted.keys() - there)
        missing = [_feed(md5, subscription) for md5, subscription in wanted.items() if md5 not in there]
        Feed.objects.bulk_create(missing, ignore_conflicts=True)
        added += len(missing)
        known += len(chunk) - len(missing)
    return Registered(added=added, known=known)


def _feed(md5: UUID, subscription: Subscription) -> Feed:
    return Feed(
        url=subscription.url,
        url_md5=md5,
        host=canonical_urls.host_key(subscription.url),
        folder=subscription.folder,
        title=subscription.title,
    )


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items (Python 3.11 has no itertools.batched)."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


# Out


def apply(plan: ImportPlan) -> ImportReport:
    """Write a plan in one transaction, or nothing of it if somebody imported the feed since it was loaded."""
    home = plan.feed.id
    if plan.new or plan.changed or plan.move:
        with transaction.atomic():
            written = _advance(plan) and _write_entries(plan)
            if written and plan.move:
                home = aliases.settle(plan.feed, plan.move, plan.started_at)
    else:
        written = _advance(plan)  # one statement needs no transaction around it
    if plan.pause:
        hosts.pause(plan.pause)
    report = _report(plan, home, written=written)
    if written:
        transaction.on_commit(lambda: _announce(plan, report))
    return report


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
        yield list(Entry.objects.filter(feed_id=feed_id, guid_digest__in=chunk).order_by("sorted_at", "id"))


def _report(plan: ImportPlan, home: int, *, written: bool) -> ImportReport:
    if not written:
        return ImportReport(feed_id=plan.feed.id, url=plan.feed.url, outcome=Outcome.SUPERSEDED)
    return ImportReport(
        feed_id=home,
        url=plan.move.url if plan.move else plan.feed.url,
        outcome=plan.outcome,
        new=len(plan.new),
        changed=len(plan.changed),
        failure=plan.failure,
        next_check=plan.next_check,
    )


def _advance(plan: ImportPlan) -> bool:
    """Move the feed on by one revision. First in the transaction: the row stays locked until the commit."""
    at_revision = Feed.objects.filter(pk=plan.feed.id, revision=plan.feed.revision)
    return bool(at_revision.update(revision=models.F("revision") + 1, **columns.of_feed(plan)))


def _write_entries(plan: ImportPlan) -> bool:
    # The conflict can only be with a row that the plan could not see; the constraint makes it harmless.
    rows = [_entry(plan, planned) for planned in plan.new]
    Entry.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
    for planned in plan.changed:
        stored_as = planned.stored.guid_digest if planned.stored else planned.guid_digest
        Entry.objects.filter(feed_id=plan.feed.id, guid_digest=stored_as).update(
            changes=models.F("changes") + 1, changed_at=plan.started_at, **columns.of_entry(planned)
        )
    return True


def _entry(plan: ImportPlan, planned: PlannedEntry) -> Entry:
    return Entry(
        feed_id=plan.feed.id,
        first_seen_at=plan.started_at,
        sorted_at=columns.sorted_at(planned, plan.started_at),
        **columns.of_entry(planned),
    )


def adopt(known: FeedState, move: Move, now: datetime) -> int | None:
    """Let a feed never imported have the URL that its page names; return the id of the feed there.

    None: somebody else has dealt with the feed since it was loaded.
    """
    with transaction.atomic():
        at_revision = Feed.objects.filter(pk=known.id, revision=known.revision)
        if not at_revision.update(revision=models.F("revision") + 1):
            return None
        return aliases.settle(known, move, now)


def note_slowness(known: FeedState, seconds: float) -> None:
    """Remember that a fetch took so long and was ended for the sake of others; it counts as no check."""
    Feed.objects.filter(pk=known.id).update(fetch_seconds=seconds)


def put_off(known: FeedState, slot: datetime, now: datetime) -> bool:
    """Leave it to the schedule to come back at `slot`. False: it does not look after this feed."""
    polled = Feed.objects.filter(pk=known.id, status=Feed.Status.ACTIVE)
    reason = planning.with_slot(known.next_check_reason, (slot - now).total_seconds())
    return bool(polled.update(next_check_at=slot, slot_at=slot, claimed_at=None, next_check_reason=reason))
