"""List feeds by their state, or show one with its reasons and its history."""

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
        as_json = options["format"] == "json"
        if options["url"]:
            self._show(Feed.objects.filter(pk__in=sources.stored([options["url"]])), as_json=as_json)
        else:
            self._list(_some(options)[: options["limit"]], as_json=as_json)

    def _list(self, feeds: FeedQuerySet, *, as_json: bool) -> None:
        if as_json:
            dump(self.stdout, _values(feeds, LISTED))
            return
        rows = [(feed.pk, _state(feed), _moment(feed.next_check_at), _url(feed), feed.title[:60]) for feed in feeds]
        table(self.stdout, ("id", "state", "next check", "URL", "title"), rows)

    def _show(self, feeds: FeedQuerySet, *, as_json: bool) -> None:
        (values,) = _values(feeds, SHOWN)
        imports = Import.objects.filter(feed__in=feeds).order_by("-number")
        if as_json:
            dump(self.stdout, values | {"imports": list(imports.values())})
            return
        for name, value in values.items():
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


def _values(feeds: FeedQuerySet, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [values | {"url": canonical_urls.redacted(values["url"])} for values in feeds.values(*names)]


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
