"""The database's door: `load` what is known of a feed, `apply` a plan. The only writer of import results."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from feeds import canonical_urls, scheduling, signals
from feeds.fetching import FeedRequest, Fetched, NotModified
from feeds.models import Entry, Feed
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing import ParsedFeed
from feeds.planning import EXPIRED, FeedState, ImportPlan, ImportReport, Move, PlannedEntry, RedirectStreak
from feeds.storage import merging
from feeds.storage.entries import CHUNK, chunked, write_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A feed that somebody wants imported."""

    url: str  # canonical
    folder: str = ""  # nested folders joined by slashes
    title: str = ""  # as in OPML; what the feed says replaces it


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """How many of the subscriptions were new."""

    added: int
    known: int


COUNTED = {FailureKind.GONE, FailureKind.NOT_FOUND}  # after a day or six weeks of these a feed is switched off


def feed_columns(plan: ImportPlan) -> dict[str, Any]:
    """Return what an import writes of its feed."""
    values: dict[str, Any] = {
        "checked_at": plan.started_at,
        "last_outcome": plan.outcome.value,
        "next_check_at": plan.next_check.at,
        "next_check_reason": plan.next_check.reason,
        "interval": plan.next_check.interval,
        "slot_at": None,
        "claimed_at": None,
        "fetch_seconds": plan.fetch_seconds,
        **_status_fields(plan),
        **_error_fields(plan),
        **_sighting_fields(plan.sighting),
    }
    if plan.fetched:
        values |= {"imported_at": plan.started_at}
    if plan.fetched and not (plan.parsed and plan.parsed.cut_short):  # what is missing must not look known
        values |= _fetched_fields(plan.fetched, plan.feed)
    if plan.parsed:
        values |= _document_fields(plan.parsed)
    if plan.parsed and plan.listed != plan.feed.listed:  # 32 bytes for each entry: not to be rewritten for nothing
        values["seen_digests"] = b"".join(digest for digest, _ in plan.listed)
        values["listed_digests"] = b"".join(guid_digest for _, guid_digest in plan.listed)
    if plan.new:
        values["changed_at"] = plan.started_at
    return values


def _status_fields(plan: ImportPlan) -> dict[str, Any]:
    if plan.feed.paused:
        return {}
    if plan.switch_off:
        return {"status": Feed.Status.OFF, "status_reason": plan.switch_off}
    return {"status": Feed.Status.ACTIVE, "status_reason": ""}


def _error_fields(plan: ImportPlan) -> dict[str, Any]:
    if plan.failure is None:
        return no_error()
    return {
        "error_kind": plan.failure.kind.value,
        "error_text": plan.failure.text,
        "error_count": plan.feed.failures + plan.charged,
        "failing_since": _failing_since(plan, plan.failure.kind),
    }


def _failing_since(plan: ImportPlan, kind: FailureKind) -> datetime | None:
    """Return since when a feed fails. What can switch it off counts from its own first time, and never in an outage."""
    known = plan.feed
    if not plan.charged:
        return known.failing_since
    begins_anew = known.failure_kind != kind and not COUNTED.isdisjoint({known.failure_kind, kind})
    return plan.started_at if begins_anew else known.failing_since or plan.started_at


def _sighting_fields(sighting: RedirectStreak | None) -> dict[str, Any]:
    if sighting is None:
        return {"moved_to": "", "moved_since": None, "moved_count": 0}
    return {"moved_to": sighting.url, "moved_since": sighting.since, "moved_count": sighting.count}


def _fetched_fields(fetched: Fetched | NotModified, feed: FeedState) -> dict[str, Any]:
    elsewhere = fetched.url != canonical_urls.redacted(feed.url)
    values: dict[str, Any] = {
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "validators_url": fetched.url if elsewhere else "",
    }
    if isinstance(fetched, Fetched):
        values["body_digest"] = fetched.body_digest
    return values


def _document_fields(parsed: ParsedFeed) -> dict[str, Any]:
    values = {
        "site_url": parsed.site_url,
        "description": parsed.description,
        "language": parsed.language,
        "rights": parsed.rights,
        "image_url": parsed.image_url,
        "icon_url": parsed.icon_url,
        "authors": [asdict(person) for person in parsed.authors],
        "hubs": list(parsed.hubs),
        "format": parsed.format,
        "ttl": parsed.ttl,
        "update_period": parsed.update_period,
        "skip_hours": parsed.skip_hours,
        "skip_days": parsed.skip_days,
    }
    return values | {"title": parsed.title} if parsed.title else values  # a list that was imported may know one


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
    return scheduling.annotated(Feed.objects.select_related("options"))


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
        host=scheduling.known(feed),
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


def register(subscriptions: Iterable[Subscription]) -> Registered:
    """Store the feeds that are not known yet, due at once. Two may do that for the same feeds at the same time."""
    added = known = 0
    for chunk in chunked(subscriptions, CHUNK):
        wanted = {canonical_urls.url_md5(subscription.url): subscription for subscription in chunk}
        there = set(Feed.objects.filter(url_md5__in=wanted).values_list("url_md5", flat=True))
        there |= merging.alias_digests(wanted.keys() - there)
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


# Out


def apply(plan: ImportPlan) -> ImportReport:
    """Write a plan in one transaction, or nothing of it if somebody imported the feed since it was loaded."""
    home = plan.feed.id
    if plan.new or plan.changed or plan.move:
        with transaction.atomic():
            written = _advance(plan) and write_entries(plan)
            if written and plan.move:
                home = merging.move_feed(plan.feed, plan.move, plan.started_at)
    else:
        written = _advance(plan)  # one statement needs no transaction around it
    if plan.pause:
        scheduling.pause(plan.pause)
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
    return bool(at_revision.update(revision=models.F("revision") + 1, **feed_columns(plan)))


def adopt(known: FeedState, move: Move, now: datetime) -> int | None:
    """Let a feed never imported have the URL that its page names; return the id of the feed there.

    None: somebody else has dealt with the feed since it was loaded.
    """
    with transaction.atomic():
        at_revision = Feed.objects.filter(pk=known.id, revision=known.revision)
        if not at_revision.update(revision=models.F("revision") + 1):
            return None
        return merging.move_feed(known, move, now)


def note_slowness(known: FeedState, seconds: float) -> None:
    """Remember that a fetch took so long and was ended for the sake of others; it counts as no check."""
    Feed.objects.filter(pk=known.id).update(fetch_seconds=seconds)


def no_error() -> dict[str, Any]:
    """Return the values of a feed that does not fail."""
    return {"error_kind": "", "error_text": "", "error_count": 0, "failing_since": None}


def change_url(feed_id: int, old: str, new: str, *, reason: str, now: datetime) -> None:
    """Give a feed the URL that a person chose. The old one leads to it still, but what was said there is forgotten."""
    feed = Feed.objects.filter(pk=feed_id)
    feed.filter(status=Feed.Status.OFF).update(
        status=Feed.Status.ACTIVE, status_reason=""
    )  # that was about the old one
    feed.fence(
        **merging.url_columns(new),
        **no_error(),
        # These belong to one URL: sent to another they could bring a 304 for a document that was never seen.
        etag="",
        last_modified="",
        body_digest=b"",
        seen_digests=b"",
        found_on="",
        fetch_seconds=None,
        next_check_at=now,
        next_check_reason="the URL was changed",
    )
    merging.remove_alias(new)
    merging.add_alias(feed_id, old, reason, now)
