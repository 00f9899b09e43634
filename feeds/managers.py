"""Questions to the database about feeds. Reads only, but for the one door to the importer."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from feeds import canonical_urls

if TYPE_CHECKING:
    from feeds.models import Feed


class FeedQuerySet(models.QuerySet["Feed"]):
    def active(self) -> Self:
        """Return the feeds that are polled."""
        return self.filter(status="active")

    def due(self, now: datetime) -> Self:
        """Return the feeds to check by `now`, the longest due first."""
        return self.active().filter(next_check_at__lte=now).order_by("next_check_at", "id")

    def fence(self, **values: object) -> int:
        """Update feeds and move their revision on; return how many.

        An import under way has read the revision before, and will write nothing.
        """
        return self.update(revision=models.F("revision") + 1, **values)

    def ids_by_url(self, urls: Iterable[str]) -> dict[str, int]:
        """Return the ids of the feeds that are known by these canonical URLs, be it by an alias."""
        by_md5 = {canonical_urls.url_md5(url): url for url in urls}
        # Two statements: with an OR over both tables PostgreSQL would read every feed.
        aliases = self.filter(aliases__url_md5__in=by_md5).values_list("aliases__url_md5", "id")
        feeds = self.filter(url_md5__in=by_md5).values_list("url_md5", "id")
        return {by_md5[md5]: feed_id for md5, feed_id in [*aliases, *feeds]}


class FeedManager(models.Manager.from_queryset(FeedQuerySet)):  # type: ignore[misc]  # django-stubs: dynamic base
    def import_feed(self, url: str) -> "Feed":
        """Import the feed at `url` here and now, without worker or broker, and return it.

        What went wrong, be it that `url` is no http(s) URL, stands on the feed: `error_kind`, `error_text`. Where the
        host has no slot within five seconds nothing is fetched: `next_check_at` says when it will be, and why.
        """
        # The only import against the direction of the rooms: the recipe puts this call on the manager.
        from feeds import importer

        report = importer.import_now(url)
        feed: Feed = self.get(pk=report.feed_id)
        return feed
