"""The fields of feeds and entries that are written, and with what."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from feeds import canonical_urls, history
from feeds.fetching import Fetched, NotModified
from feeds.models import Feed
from feeds.outcomes import FailureKind
from feeds.parsing import ParsedEntry, ParsedFeed
from feeds.planning import Budget, FeedState, ImportPlan, PlannedEntry, RedirectStreak, Streak

# After a day or six weeks of these a feed is disabled, so they count from their own first time.
TERMINAL = frozenset({FailureKind.GONE, FailureKind.NOT_FOUND})

# What a feed has whose document is to be fetched and read whole.
UNSEEN = {"etag": "", "last_modified": "", "body_digest": b"", "seen_digests": b""}


# A feed


def feed_fields(plan: ImportPlan) -> dict[str, Any]:
    """Return what an import writes of its feed."""
    if plan.next_check is None:
        return {}
    started_at = plan.circumstances.started_at
    values: dict[str, Any] = {
        "checked_at": started_at,
        "last_outcome": plan.outcome.value,
        "next_check_at": plan.next_check.at,
        "next_check_reason": plan.next_check.reason,
        "interval": plan.next_check.interval,
        "slot_at": None,
        "claimed_at": None,
        "fetch_seconds": plan.circumstances.fetch_seconds,
        **_status_fields(plan),
        **_error_fields(plan),
        **(_redirect_fields(plan.redirect) if plan.redirect != plan.feed.redirect else {}),
        **history.counts(plan),
    }
    left_out = plan.budget.left_out if plan.budget else 0
    if plan.fetched:
        values["imported_at"] = started_at
        values["validators_ignored"] = plan.validators_ignored
    if _is_full(plan):
        values["received_at"] = started_at
    is_cut_short = plan.parsed is not None and plan.parsed.cut_short
    if plan.fetched and not is_cut_short and not left_out:  # what is missing must not look known
        values |= _fetched_fields(plan.fetched, plan.feed)
    if plan.parsed:
        values |= _document_fields(plan.parsed)
    if plan.parsed and plan.listed != plan.feed.document.listed:  # 32 bytes an entry: not to be rewritten for nothing
        values["seen_digests"] = b"".join(digest for digest, _ in plan.listed)
        values["listed_digests"] = b"".join(guid_digest for _, guid_digest in plan.listed)
    if plan.new:
        values["changed_at"] = started_at
    if plan.budget:
        values |= _budget_fields(plan.budget)
    return values


def _is_full(plan: ImportPlan) -> bool:
    """Tell whether a whole document came, or a 304 in its stead: to ask for it in vain is enough once a week."""
    if plan.failure:
        return plan.failure.status == 304
    return plan.fetched is not None and plan.fetched.status != 304


def _status_fields(plan: ImportPlan) -> dict[str, Any]:
    if plan.feed.paused:
        return {}
    if plan.disable:
        return {"status": Feed.Status.DISABLED, "status_reason": plan.disable}
    return {"status": Feed.Status.ACTIVE, "status_reason": ""}


def _error_fields(plan: ImportPlan) -> dict[str, Any]:
    if plan.failure is None:
        return no_error() if plan.feed.failures != Streak() else {}
    return {
        "error_kind": plan.failure.kind.value,
        "error_text": plan.failure.text,
        "error_count": plan.feed.failures.count + (not plan.circumstances.outage),
        "failing_since": _failing_since(plan, plan.failure.kind),
    }


def _failing_since(plan: ImportPlan, kind: FailureKind) -> datetime | None:
    failures = plan.feed.failures
    if plan.circumstances.outage:
        return failures.since
    begins_anew = failures.kind != kind and not TERMINAL.isdisjoint({failures.kind, kind})
    started_at = plan.circumstances.started_at
    return started_at if begins_anew else failures.since or started_at


def _redirect_fields(redirect: RedirectStreak | None) -> dict[str, Any]:
    if redirect is None:
        return {"moved_to": "", "moved_since": None, "moved_count": 0}
    return {"moved_to": redirect.url, "moved_since": redirect.since, "moved_count": redirect.count}


def _budget_fields(budget: Budget) -> dict[str, Any]:
    return {"day_began_at": budget.day_began_at, "day_entries": budget.day_entries, "left_out": budget.left_out}


def _fetched_fields(fetched: Fetched | NotModified, feed: FeedState) -> dict[str, Any]:
    """Return what is to be sent next time, as far as it is not the same: the ORM takes 10 µs for each column."""
    elsewhere = fetched.url != canonical_urls.redacted(feed.url)
    values = {
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "validators_url": fetched.url if elsewhere else "",
        "body_digest": fetched.body_digest if isinstance(fetched, Fetched) else feed.request.body_digest,
    }
    return {name: value for name, value in values.items() if value != getattr(feed.request, name)}


def _document_fields(parsed: ParsedFeed) -> dict[str, Any]:
    unwritten = {"expired", "complete", "cut_short", "entries", "digests"}
    # A list that was imported may know a title.
    return _columns(parsed, unwritten if parsed.title else unwritten | {"title"})


def no_error() -> dict[str, Any]:
    """Return the fields of a feed that does not fail."""
    return {"error_kind": "", "error_text": "", "error_count": 0, "failing_since": None}


def url_fields(url: str) -> dict[str, Any]:
    """Return what a feed has with a new URL, and what it cannot keep of the one before. The host must be stored."""
    return {
        "url": url,
        "url_md5": canonical_urls.url_md5(url),
        "host_id": canonical_urls.host_key(url) or None,
        "validators_url": "",  # its own
        "slot_at": None,  # that was in the line of the old host
        **_redirect_fields(None),
    }


# An entry


def sorted_at(planned: PlannedEntry, first_seen: datetime) -> datetime:
    """Return the entry's date, but none in the future: it would stay on top of every list."""
    said = planned.entry.published_at or planned.entry.updated_at or first_seen
    return min(said, first_seen)


def entry_fields(planned: PlannedEntry) -> dict[str, Any]:
    """Return what an import writes of an entry, new or changed."""
    values = _columns(planned.entry, {"digest", "itunes"})
    digests = {"guid_digest": planned.guid_digest, "content_digest": planned.content_digest}
    return values | digests | {"itunes": dict(planned.entry.itunes)}


def _columns(parsed: ParsedFeed | ParsedEntry, without: set[str]) -> dict[str, Any]:
    """Return what was parsed, for the columns of the same names."""
    values = {field.name: getattr(parsed, field.name) for field in fields(parsed) if field.name not in without}
    for name in values.keys() & {"authors", "categories", "enclosures"}:
        values[name] = [asdict(one) for one in values[name]]
    return values
