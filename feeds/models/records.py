"""Records of the program's own work: imports, processes, minutes and locks."""

from django.db import models

from feeds.clock import MomentField
from feeds.models.feeds import FAILURES, OUTCOMES, Feed, Stored


class Import(Stored):
    """An import that did something, or failed. `history` says how many are kept."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="imports", db_index=False)
    number = models.PositiveIntegerField(help_text="The feed's first is 1.")
    started_at = MomentField()
    asked_by = models.CharField(max_length=20, help_text="The schedule, a person, or a push.")
    waited = models.FloatField(null=True, help_text="Seconds between the request and the begin.")
    seconds = models.JSONField(default=dict, help_text="Seconds of each stage.")
    outcome = models.CharField(max_length=20, choices=OUTCOMES)
    status = models.PositiveSmallIntegerField("HTTP status", null=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes of the document, decoded.")
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    error_kind = models.CharField(max_length=20, default="", choices=FAILURES)
    error_text = models.TextField(default="")
    # Checks that found nothing new since the row before. They have none of their own.
    unchanged_before = models.PositiveIntegerField(default=0)

    class Meta:
        # The constraint's index serves the foreign key, too.
        constraints = [models.UniqueConstraint(fields=["feed", "number"], name="feeds_import_number_unique")]
        indexes = [models.Index(fields=["started_at"], name="feeds_import_age")]

    def __str__(self) -> str:
        return f"import {self.number} of feed {self.feed_id}"


class Process(Stored):
    """A worker that is alive, or was when it was last seen; and, by the name `scheduler`, the schedule."""

    name = models.CharField(max_length=255, primary_key=True)
    threads = models.PositiveSmallIntegerField(default=0)
    began_at = MomentField()
    seen_at = MomentField()

    def __str__(self) -> str:
        return self.name


class Minute(Stored):
    """The work of all workers in a minute."""

    at = MomentField(primary_key=True, help_text="Its begin.")
    checks = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0, help_text="Entries.")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class Lock(models.Model):
    """A lock of `DatabaseLocks`, which stand in for memcached."""

    key = models.CharField(max_length=250, primary_key=True)
    token = models.TextField()
    expires_at = MomentField()

    def __str__(self) -> str:
        return self.key
