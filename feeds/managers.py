"""Questions to the database about feeds and their hosts, and the import of one feed as a call."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models.expressions import DatabaseDefault

from feeds import canonical_urls, clock, databases
from feeds.databases import primary_database

if TYPE_CHECKING:
    from feeds.importer import Importer
    from feeds.models import Feed, Host

STATES = ("well", "failing", "late", "never checked", "paused", "disabled")
LATE = timedelta(minutes=10)  # a feed that has been due for longer is late
Row = TypeVar("Row", bound=models.Model, covariant=True)


class Primary(models.Manager[Row]):
    """Rows as they are in the primary database."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().using(primary_database())


def complete(feeds: Iterable["Feed"]) -> None:
    """Give new feeds their URLs' canonical spelling and digest, and their hosts, which are stored.

    They are due by the clock of this process, as workers judge it: the database's may be ahead by an hour.
    """
    now = clock.now()
    incomplete = [feed for feed in feeds if feed.url_md5 is None]
    for feed in incomplete:
        feed.url = canonical_urls.feed_url(feed.url)
        feed.url_md5 = canonical_urls.url_md5(feed.url)
        feed.host_id = canonical_urls.host_key(feed.url) or None
        for name in ("created_at", "next_check_at"):
            if isinstance(getattr(feed, name), DatabaseDefault):
                setattr(feed, name, now)
    hosts: HostManager = apps.get_model("feeds", "Host").objects
    hosts.ensure(feed.host_id for feed in incomplete)


def _spelled(lookup: dict[str, Any]) -> dict[str, Any]:
    return lookup | {"url": canonical_urls.feed_url(lookup["url"])} if "url" in lookup else lookup


class FeedQuerySet(models.QuerySet["Feed"]):
    def active(self) -> Self:
        """Return the feeds that are polled."""
        return self.filter(status="active")

    def due(self, now: datetime) -> Self:
        """Return the feeds to check by `now`, the longest due first."""
        return self.active().filter(next_check_at__lte=now).order_by("next_check_at", "id")

    def get_or_create(self, defaults: Any = None, **kwargs: Any) -> tuple["Feed", bool]:
        """Find or store a feed, by whatever spelling of its URL."""
        return super().get_or_create(defaults, **_spelled(kwargs))

    def update_or_create(self, *args: Any, **kwargs: Any) -> tuple["Feed", bool]:
        """Change or store a feed, by whatever spelling of its URL."""
        return super().update_or_create(*args, **_spelled(kwargs))

    def bulk_create(self, objs: Iterable["Feed"], *args: Any, **kwargs: Any) -> list["Feed"]:
        """Store new feeds, which need nothing but their URLs."""
        feeds = list(objs)
        complete(feeds)
        return super().bulk_create(feeds, *args, **kwargs)

    def delete(self, advance: databases.Advance = dict) -> tuple[int, dict[str, int]]:
        """Delete feeds with all that refers to them, in batches; `advance` is told what went with each.

        No import brings anything back meanwhile. If the process dies, delete them once more. Raise ProtectedError.
        """
        if self.query.is_sliced:  # as Django refuses it
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        alias: str = self._db or primary_database()  # type: ignore[attr-defined]
        ids, deleted = list(self.using(alias).values_list("pk", flat=True)), Counter[str]()
        for at in range(0, len(ids), databases.BATCH):
            feeds = self.model._base_manager.using(alias).filter(pk__in=ids[at : at + databases.BATCH])
            databases.refuse_protected(feeds)
            feeds.update(revision=models.F("revision") + 1, status="disabled", status_reason="is being deleted")
            deleted += databases.delete_rows(feeds, advance)
        return deleted.total(), dict(deleted)

    delete.alters_data = True  # type: ignore[attr-defined]  # for templates
    delete.queryset_only = True  # type: ignore[attr-defined]  # managers have none

    def in_state(self, state: str, now: datetime) -> Self:
        """Return the feeds that are in one of STATES."""
        conditions = {
            "well": models.Q(error_kind="", checked_at__isnull=False),
            "failing": ~models.Q(error_kind=""),
            "late": models.Q(next_check_at__lte=now - LATE),
            "never checked": models.Q(checked_at__isnull=True),
        }
        return self.active().filter(conditions[state]) if state in conditions else self.filter(status=state)

    def fence(self, **values: object) -> int:
        """Update feeds and move their revision on; return how many.

        An import under way has read the revision before, and will write nothing.
        """
        return self.update(revision=models.F("revision") + 1, **values)

    def ids_by_url(self, urls: Iterable[str]) -> dict[str, int]:
        """Return the ids of the feeds that are known by these canonical URLs, aliases included."""
        by_md5 = {canonical_urls.url_md5(url): url for url in urls}
        # Two statements: with an OR over both tables PostgreSQL would read every feed.
        aliases = self.filter(aliases__url_md5__in=by_md5).values_list("aliases__url_md5", "id")
        feeds = self.filter(url_md5__in=by_md5).values_list("url_md5", "id")
        return {by_md5[md5]: feed_id for md5, feed_id in [*aliases, *feeds]}


class FeedManager(models.Manager.from_queryset(FeedQuerySet)):  # type: ignore[misc]  # django-stubs: dynamic base
    def import_feed(self, url: str) -> "Feed":
        """Import the feed at `url` here and now, without worker or broker, and return it.

        What went wrong, such as an invalid URL, is recorded on the feed: `error_kind`, `error_text`. Where the
        host has no slot within five seconds nothing is fetched, and where no process can read the document nothing is
        stored: `next_check_at` says when it will be, `next_check_reason` why.
        Raise OpenTransaction inside of a transaction.
        """
        importer: Importer = apps.get_app_config("feeds").importer  # type: ignore[attr-defined]
        report = importer.run_now(canonical_urls.feed_url(url))
        feed: Feed = self.using(primary_database()).get(pk=report.feed_id)
        return feed


class PrimaryFeeds(models.Manager.from_queryset(FeedQuerySet)):  # type: ignore[misc]  # the same
    def get_queryset(self) -> FeedQuerySet:
        feeds: FeedQuerySet = super().get_queryset().using(primary_database())
        return feeds


class HostManager(models.Manager["Host"]):
    def ensure(self, names: Iterable[str | None]) -> None:
        """Store the hosts that are not stored yet. A feed refers to its host, so this comes before it gets its URL."""
        # In order: of two that store the same hosts at the same time none waits for the other in a circle.
        now, wanted = clock.now(), sorted({name for name in names if name})
        missing: list[Host] = [self.model(name=name, slot_at=now, free_at=now) for name in wanted]
        self.bulk_create(missing, ignore_conflicts=True)
