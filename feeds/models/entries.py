"""Entries of feeds, and what is left of those that were pruned."""

from django.db import models

from feeds import canonical_urls
from feeds.clock import MomentField
from feeds.models.feeds import Feed, Stored


class Entry(Stored):
    """An entry of a feed, identified in it by `guid_digest`."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="entries", db_index=False)
    guid = models.TextField("GUID", blank=True, default="", help_text="As the feed gives it.")
    guid_digest = models.BinaryField(max_length=16, editable=False)
    content_digest = models.BinaryField(max_length=16, editable=False)
    url = models.TextField("URL", blank=True, default="")
    title = models.TextField(blank=True, default="")
    summary = models.TextField(blank=True, default="", help_text="Safe HTML.")
    content = models.TextField(blank=True, default="", help_text="Safe HTML.")
    authors = models.JSONField(blank=True, default=list)
    categories = models.JSONField(blank=True, default=list)
    enclosures = models.JSONField(blank=True, default=list)
    published_at = MomentField(null=True, blank=True)
    updated_at = MomentField(null=True, blank=True)
    published_text = models.TextField(blank=True, default="", help_text="The date as the feed writes it.")
    updated_text = models.TextField(blank=True, default="", help_text="The date as the feed writes it.")
    sorted_at = MomentField(help_text="The entry's date, at the latest when it was first seen.")
    language = models.TextField(blank=True, default="")
    rights = models.TextField(blank=True, default="")
    comments_url = models.TextField("comments URL", blank=True, default="")
    source_title = models.TextField(blank=True, default="")
    source_url = models.TextField("source URL", blank=True, default="")
    image_url = models.TextField("image URL", blank=True, default="")
    itunes = models.JSONField(blank=True, default=dict)
    capped = models.BooleanField(default=False, help_text="A value was cut, for it was too long.")
    first_seen_at = MomentField()
    changed_at = MomentField(null=True, blank=True, help_text="When a change was last stored.")
    changes = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "entries"
        # The constraint's index serves the foreign key, too.
        constraints = [models.UniqueConstraint(fields=["feed", "guid_digest"], name="feeds_entry_guid_unique")]
        indexes = [models.Index(fields=["feed", "-sorted_at"], name="feeds_entry_newest")]

    def __str__(self) -> str:
        return self.title or canonical_urls.redacted(self.url or self.guid)


class Tombstone(Stored):
    """The identity of a pruned entry, so that it does not come back while the feed still lists it."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="tombstones", db_index=False)
    guid_digest = models.BinaryField(max_length=16, editable=False)
    created_at = MomentField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "guid_digest"], name="feeds_tombstone_unique")]

    def __str__(self) -> str:
        return bytes(self.guid_digest).hex()
