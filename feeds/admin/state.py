"""The state of a feed in words, with a sign and a colour."""

from datetime import datetime
from typing import Any

from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.timezone import localtime

from feeds import canonical_urls, clock, durations, history
from feeds.admin.base import NOTHING, short
from feeds.clock import aware
from feeds.models import Feed

STAGES = ("dns", "connect", "first byte", "body", "parse", "store")


def state(feed: Feed) -> SafeString:
    """Say how the feed is."""
    reason = f" {feed.status_reason}" if feed.status_reason.startswith("by ") else f": {feed.status_reason}"
    why = reason if feed.status_reason else ""
    match feed.status:
        case Feed.Status.PAUSED:
            return marked("quiet", "‖", f"paused{why}")
        case Feed.Status.DISABLED:
            return marked("bad", "■", f"disabled{why}")
    if feed.error_kind:
        times = "" if feed.error_count < 2 else f", {feed.error_count} times in a row"
        failed = marked("bad", "✗", f"{feed.get_error_kind_display()}{times}")
        return format_html("{}<br><small>{}</small>", failed, short(feed.error_text))
    if feed.checked_at is None:
        return marked("quiet", "…", "not checked yet")
    return marked("good", "✓", "well")


def marked(look: str, sign: str, words: str) -> SafeString:
    return format_html('<span class="feeds-{}"><span aria-hidden="true">{}</span> {}</span>', look, sign, words)


def next_check(feed: Feed) -> SafeString | str:
    """Say when the feed is checked next, and why then."""
    if feed.status != Feed.Status.ACTIVE or feed.next_check_at is None:
        return NOTHING
    return format_html("{}<br><small>{}</small>", _until(feed.next_check_at), feed.next_check_reason)


def _until(when: datetime) -> SafeString:
    now, at = clock.now(), aware(when)
    words = f"in {timeuntil(at, now, depth=1)}" if at > now else f"due for {timesince(at, now, depth=1)}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), localize(localtime(at)), words)


def overview(feed: Feed) -> dict[str, Any]:
    """Return what a person asks of a feed first, for the template: is it well, why not, when next and why.

    Behind it stands what its imports did, the last one first.
    """
    imports = [
        (each, [(stage, each.seconds[stage]) for stage in STAGES if stage in each.seconds])
        for each in feed.imports.order_by("-number")[: history.KEPT]
    ]
    return {
        "url": canonical_urls.redacted(feed.url),
        "state": state(feed),
        "next_check": next_check(feed),
        "entries": feed.entries.count(),
        "interval": durations.in_words(feed.interval) if feed.interval else "",
        "fixed": durations.in_words(feed.fixed_interval) if feed.fixed_interval else "",
        "imports": imports,
        "days": history.DAYS,
        "kept": history.KEPT,
    }
