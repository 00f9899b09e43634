"""feeds: list feeds by how they are, or show one with its reasons and its history."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from feeds import canonical_urls, clock
from feeds.management import sources
from feeds.management.progress import add_format, dump, printable, table
from feeds.managers import STATES, FeedQuerySet
from feeds.models import Feed, Import

LISTED = ("url", "title", "folder", "status", "error_kind", "next_check_at", "next_check_reason")
SHOWN = (
    *LISTED,
    "status_reason",
    "checked_at",
    "imported_at",
    "changed_at",
    "interval",
    "fixed_interval",
    "last_outcome",
    "error_text",
    "error_count",
    "failing_since",
    "unchanged_count",
    "left_out",
)
OF_IMPORT = (
    "number",
    "started_at",
    "asked_by",
    "outcome",
    "status",
    "size",
    "new",
    "changed",
    "error_kind",
    "error_text",
    "unchanged_before",
    "waited",
    "seconds",
)


class Command(BaseCommand):
    help = "List the feeds, or show one with its history. No login of a URL is printed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", nargs="?", metavar="URL", help="show this feed")
        parser.add_argument("--state", choices=STATES, help="only feeds that are so")
        parser.add_argument("--host", help="only feeds of this host")
        parser.add_argument("--folder", help="only feeds in this folder")
        parser.add_argument("--limit", type=int, default=100, help="at most so many, 100 if not given")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["url"]:
            (pk,) = sources.stored([options["url"]])
            self._show(Feed.objects.get(pk=pk), as_json=options["format"] == "json")
        else:
            self._list(_some(options)[: options["limit"]], as_json=options["format"] == "json")

    def _list(self, feeds: Iterable[Feed], *, as_json: bool) -> None:
        if as_json:
            dump(self.stdout, [_values(feed, LISTED) for feed in feeds])
            return
        rows = [(feed.pk, _state(feed), _moment(feed.next_check_at), _url(feed), feed.title[:60]) for feed in feeds]
        table(self.stdout, ("id", "state", "next check", "URL", "title"), rows)

    def _show(self, feed: Feed, *, as_json: bool) -> None:
        imports = list(feed.imports.order_by("-number"))
        if as_json:
            dump(self.stdout, _values(feed, SHOWN) | {"imports": [_values(each, OF_IMPORT) for each in imports]})
            return
        for name, value in _values(feed, SHOWN).items():
            if value not in (None, ""):
                self.stdout.write(printable(f"{name.replace('_', ' ')}: {value}"))
        self.stdout.write("")
        columns = ("began", "outcome", "HTTP", "bytes", "new", "changed", "unchanged before", "asked by", "error")
        table(self.stdout, columns, map(_row, imports))


def _some(options: dict[str, Any]) -> FeedQuerySet:
    feeds: FeedQuerySet = Feed.objects.defer("seen_digests", "listed_digests").order_by("id")
    for name in ("host", "folder"):
        if options[name] is not None:
            feeds = feeds.filter(**{name: options[name]})
    return feeds.in_state(options["state"], clock.now()) if options["state"] else feeds


def _values(row: Feed | Import, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return values | {"url": _url(row)} if isinstance(row, Feed) else values


def _url(feed: Feed) -> str:
    return canonical_urls.redacted(feed.url)


def _state(feed: Feed) -> str:
    if feed.status != Feed.Status.ACTIVE:
        return feed.status
    return feed.error_kind or ("well" if feed.checked_at else "never checked")


def _moment(when: Any) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else "–"


def _row(each: Import) -> tuple[object, ...]:
    error = f"{each.error_kind}: {each.error_text}"[:80] if each.error_kind else ""
    began = f"{each.started_at:%Y-%m-%d %H:%M:%S}"
    status = each.status or "–"
    return began, each.outcome, status, each.size, each.new, each.changed, each.unchanged_before, each.asked_by, error
