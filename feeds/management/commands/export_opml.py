"""Write the feeds in the database as OPML."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from feeds import canonical_urls, opml, storage
from feeds.management.progress import dump
from feeds.models import Feed
from feeds.opml import Outline


class Command(BaseCommand):
    help = "Write the feeds as OPML, without credentials. `import_feeds` and every feed reader can read it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", default="", help="only the feeds of this folder and the folders in it")
        parser.add_argument("--all", action="store_true", help="include the feeds that are paused or disabled")
        parser.add_argument("--title", default="Feeds", help="the title of the document")
        parser.add_argument("--format", choices=("opml", "json"), default="opml", help="what to write")

    def handle(self, *args: Any, **options: Any) -> None:
        outlines = _outlines(options["folder"], everything=options["all"])
        if options["format"] == "json":
            dump(self.stdout, [_values(each) for each in outlines])
            return
        for line in opml.document(outlines, title=options["title"]):
            self.stdout.write(line, ending="")


def _values(outline: Outline) -> dict[str, str]:
    urls = {"url": canonical_urls.redacted(outline.url), "site_url": canonical_urls.redacted(outline.site_url)}
    return urls | {"folder": outline.folder, "title": outline.title}


def _outlines(within: str, *, everything: bool) -> Iterator[Outline]:
    """Yield the feeds, folder by folder: a database's own order would put `A-b` between `A` and `A/c`."""
    feeds = Feed.objects.all() if everything else Feed.objects.active()
    top = opml.folder_parts(within)
    folders = feeds.order_by().values_list("folder", flat=True).distinct()
    for folder in sorted(folders, key=opml.folder_parts):
        if opml.folder_parts(folder)[: len(top)] == top:
            ids = feeds.filter(folder=folder).order_by("title", "id").values_list("id", flat=True)
            for chunk in storage.chunked(ids, storage.CHUNK):
                yield from _some_outlines(chunk)


def _some_outlines(feed_ids: list[int]) -> Iterator[Outline]:
    """Yield some feeds in this order. PgBouncer keeps no cursor of the server's from one statement to the next."""
    feeds = Feed.objects.only("url", "folder", "title", "site_url").in_bulk(feed_ids)
    for feed in (feeds[id_] for id_ in feed_ids if id_ in feeds):
        yield Outline(url=feed.url, folder=feed.folder, title=feed.title, site_url=feed.site_url)
