"""The timeline of a feed: what its imports did, the last one first."""

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from feeds import history
from feeds.models import Feed

STAGES = ("dns", "connect", "first byte", "body", "parse", "store")


def timeline(feed: Feed) -> SafeString:
    """Return the rows of the history as a table; one query."""
    rows = [
        {"import": each, "stages": [(stage, each.seconds[stage]) for stage in STAGES if stage in each.seconds]}
        for each in feed.imports.order_by("-number")[: history.KEPT]
    ]
    context = {"feed": feed, "rows": rows, "days": history.DAYS, "kept": history.KEPT}
    return render_to_string("feeds/timeline.html", context)
