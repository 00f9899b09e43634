"""Delete feeds with all that refers to them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import ProtectedError

from feeds.management import sources
from feeds.management.progress import Progress, counted
from feeds.models import Entry, Feed


class Command(BaseCommand):
    help = "Delete feeds with their entries and all that refers to them, 10,000 rows at a time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="+", metavar="URL", help="a feed")
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        feeds = sources.stored(options["urls"])
        entries = Entry.primary.filter(feed__in=feeds).count()
        what = f"{counted(len(feeds), 'feed')} with {counted(entries, 'entry', 'entries')}"
        if options["dry_run"]:
            self.stdout.write(f"{what} would be deleted")
            return
        with Progress(self.stderr, "Deleting", len(feeds) + entries, visible=options["verbosity"] == 1) as progress:
            try:
                Feed.primary.filter(pk__in=feeds).delete(
                    lambda went: progress.advance(went.get("feeds.Feed", 0) + went.get("feeds.Entry", 0))
                )
            except ProtectedError as error:
                raise CommandError(str(error.args[0])) from error
        if options["verbosity"]:
            self.stdout.write(f"{what} deleted")
