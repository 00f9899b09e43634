"""Remove old entries that their feeds list no more."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from feeds import canonical_urls, clock, history, storage
from feeds.conf import feeds_settings
from feeds.management import sources
from feeds.management.progress import add_format, counted, dump, printable


class Command(BaseCommand):
    help = (
        "Remove old entries that their feeds list no more: as the options say, or without any as FEEDS_KEEP_DAYS, "
        "FEEDS_KEEP_ENTRIES and the feeds' own limits do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="*", metavar="URL", help="a feed; without any, all feeds")
        parser.add_argument("--days", type=_number, help="keep entries for so many days; 0: for ever")
        parser.add_argument("--entries", type=_number, help="keep so many entries of each feed; 0: all")
        parser.add_argument("--dry-run", action="store_true", help="say what would be removed and write nothing")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        given, now = _given(options), clock.now()
        general = given or feeds_settings().part(storage.Retention)
        found = storage.feeds_to_prune(general)
        if options["urls"]:
            found = found.filter(pk__in=sources.stored(options["urls"]))
        if not options["dry_run"]:
            history.prune(now)
        feeds = entries = 0
        for feed in found:
            removed = storage.prune(feed, given or general.of(feed), now, dry_run=options["dry_run"])
            if removed and options["verbosity"] > 1 and options["format"] == "text":
                self.stdout.write(printable(f"{removed:,} of {canonical_urls.redacted(feed.url)}"))
            feeds, entries = feeds + bool(removed), entries + removed
        if options["format"] == "json":
            dump(self.stdout, {"feeds": feeds, "entries": entries, "dry_run": options["dry_run"]})
        elif options["verbosity"]:
            would = "would be " if options["dry_run"] else ""
            self.stdout.write(f"{counted(entries, 'entry', 'entries')} of {counted(feeds, 'feed')} {would}removed")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text} is not a number")
    return int(text)


def _given(options: dict[str, Any]) -> storage.Retention | None:
    """Return the limits of the options, which go before those of the settings and the feeds."""
    days, entries = options["days"], options["entries"]
    if days is None and entries is None:
        return None
    return storage.Retention(keep_days=days or 0, keep_entries=entries or 0)
