"""Questions to the database about feeds. Reads only, but for the one door to the importer."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from feeds import addresses

if TYPE_CHECKING:
    from feeds.models import Feed


class FeedQuerySet(models.QuerySet["Feed"]):
    def active(self) -> Self:
        """Return the feeds that are polled."""
        return self.filter(status="active")

    def due(self, now: datetime) -> Self:
        """Return the feeds to check by `now`, the longest due first."""
        return self.active().filter(next_check_at__lte=now).order_by("next_check_at", "id")

    def with_urls(self, urls: Iterable[str]) -> Self:
        """Return the feeds of these canonical URLs."""
        return self.filter(url_md5__in=[addresses.url_md5(url) for url in urls])


class FeedManager(models.Manager.from_queryset(FeedQuerySet)):  # type: ignore[misc]  # django-stubs: dynamic base
    def import_feed(self, url: str) -> "Feed":
        """Import the feed at `url` here and now, without worker or broker, and return it.

        What went wrong, be it that `url` is no http(s) URL, stands on the feed: `error_kind`, `error_text`.
        """
        # The only import against the direction of the rooms: the recipe puts this call on the manager.
        from feeds import importer

        report = importer.import_feed(url)
        return self.get(pk=report.feed_id)
