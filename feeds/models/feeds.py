"""Feeds, how they are fetched, and their hosts."""

from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from feeds import canonical_urls, managers
from feeds.clock import MomentField, Now
from feeds.managers import FeedManager, FeedQuerySet, HostManager, Primary, PrimaryFeeds
from feeds.outcomes import FailureKind, Outcome

OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
FAILURES = [(kind.value, kind.label) for kind in FailureKind]


class Stored(models.Model):
    """A row of which `primary` reads what decides about writing; `objects` may read it from a replica."""

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    primary: ClassVar[Primary[Self]] = Primary()

    class Meta:
        abstract = True


class Feed(models.Model):
    """A feed: its URL, what it says of itself, how the last check went, and when the next one is due."""

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"  # by a person
        DISABLED = "disabled", "disabled"  # for what its server or document said: status_reason

    url = models.TextField("URL", help_text="In its canonical spelling.")
    # A B-tree entry holds at most 2,704 bytes on PostgreSQL, a URL any number; so the digest is what is unique.
    # It is the digest in the lock's key, too. A UUID is 16 bytes, and an index of it a fifth cheaper than one of text.
    url_md5 = models.UUIDField("MD5 of the URL", editable=False)
    host = models.ForeignKey(
        "Host",
        on_delete=models.PROTECT,  # the requests for all its feeds are spaced by this row
        related_name="feeds",
        null=True,  # for a URL that is none: it is stored and shown as an error
        editable=False,
        db_index=False,  # on PostgreSQL Django would make a second one, for LIKE; see Meta
    )
    folder = models.TextField(blank=True, default="", help_text="Nested folders as in OPML, joined by slashes.")
    created_at = MomentField(db_default=Now(), editable=False)

    title = models.TextField(blank=True, default="")
    site_url = models.TextField("site URL", blank=True, default="")
    description = models.TextField(blank=True, default="")
    language = models.TextField(blank=True, default="")
    rights = models.TextField(blank=True, default="")
    image_url = models.TextField("image URL", blank=True, default="")
    icon_url = models.TextField("icon URL", blank=True, default="")
    authors = models.JSONField(blank=True, default=list)
    hubs = models.JSONField(blank=True, default=list, help_text="WebSub hubs.")
    format = models.CharField(max_length=20, blank=True, default="")

    etag = models.TextField("ETag", blank=True, default="", help_text="As received, byte for byte.")
    last_modified = models.TextField("Last-Modified", blank=True, default="", help_text="As received, byte for byte.")
    # Where redirects led, and ETag and Last-Modified came from; empty: the feed's own URL.
    validators_url = models.TextField("URL of the validators", blank=True, default="")
    # Conditional requests in a row that brought a whole document, and nothing new.
    validators_ignored = models.PositiveSmallIntegerField(default=0, editable=False)
    body_digest = models.BinaryField(blank=True, default=b"", editable=False)
    # Digests of the last document's entries, 16 bytes each, and of the GUIDs of the same entries in the same order.
    seen_digests = models.BinaryField(blank=True, default=b"", editable=False)
    listed_digests = models.BinaryField(blank=True, default=b"", editable=False)
    # Checks that found nothing new since the last row of the history, and the rows that this ever had.
    unchanged_count = models.PositiveIntegerField(default=0, editable=False)
    import_count = models.PositiveIntegerField(default=0, editable=False)
    # The fence: an import adds one, and writes nothing if the number is not the one that it has read.
    revision = models.PositiveBigIntegerField(default=0, editable=False)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    status_reason = models.TextField(blank=True, default="")
    checked_at = MomentField(null=True, blank=True, help_text="When the last check began.")
    imported_at = MomentField(null=True, blank=True, help_text="When the last successful check began.")
    received_at = MomentField(null=True, blank=True, help_text="When a request without conditions was last answered.")
    changed_at = MomentField(null=True, blank=True, help_text="When a new entry was last seen.")
    # The new entries of a day that began with the first of them; FEEDS_DAILY_ENTRIES is the limit.
    day_began_at = MomentField(null=True, blank=True, editable=False)
    day_entries = models.PositiveIntegerField(default=0, editable=False)
    left_out = models.PositiveIntegerField(
        default=0, help_text="New entries of the last document over FEEDS_DAILY_ENTRIES. A later check takes them."
    )
    next_check_at = MomentField(null=True, blank=True, db_default=Now())
    next_check_reason = models.TextField(blank=True, default="never checked")
    interval = models.PositiveIntegerField(default=0, help_text="Seconds between checks, learned. 0: not known yet.")
    slot_at = MomentField(null=True, blank=True, editable=False)  # reserved with the host
    claimed_at = MomentField(null=True, blank=True, editable=False)  # sent to the queue then, and not checked since
    fixed_interval = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds between checks, instead of the learned interval."
    )
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days that entries are kept, instead of FEEDS_KEEP_DAYS. 0: for ever."
    )
    daily_entries = models.PositiveIntegerField(
        null=True, blank=True, help_text="New entries stored a day, instead of FEEDS_DAILY_ENTRIES. 0: all."
    )
    keep_entries = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many entries are kept, instead of FEEDS_KEEP_ENTRIES. 0: all."
    )
    pruned_at = MomentField(null=True, blank=True, help_text="When entries were last pruned.")
    ttl = models.PositiveIntegerField("TTL", null=True, blank=True, help_text="Seconds, said by the feed.")
    update_period = models.PositiveIntegerField(null=True, blank=True, help_text="Seconds, said by the feed.")
    skip_hours = models.PositiveIntegerField(default=0, help_text="Bit n: not checked in hour n, GMT.")
    skip_days = models.PositiveSmallIntegerField(default=0, help_text="Bit n: not checked on weekday n; Monday is 0.")

    last_outcome = models.CharField(max_length=20, blank=True, default="", choices=OUTCOMES)
    error_kind = models.CharField(max_length=20, blank=True, default="", choices=FAILURES)
    error_text = models.TextField(blank=True, default="")
    error_count = models.PositiveIntegerField(default=0, help_text="Failures in a row.")
    failing_since = MomentField(null=True, blank=True)
    fetch_seconds = models.FloatField(null=True, blank=True, help_text="Seconds that the last fetch took.")

    found_on = models.TextField(blank=True, default="", help_text="Where its URL was found: a page, or a feed.")
    # The Internet has named the URL: it is not followed into private networks, be they allowed.
    public_only = models.BooleanField(default=False, editable=False)
    moved_to = models.TextField(blank=True, default="", help_text="Where permanent redirects lead at present.")
    moved_since = MomentField(null=True, blank=True)
    moved_count = models.PositiveIntegerField(default=0, help_text="How many checks in a row saw these redirects.")

    objects = FeedManager()
    primary = PrimaryFeeds()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["url_md5"], name="feeds_feed_url_unique")]
        indexes = [
            # A search for due feeds reads these two only. Most feeds never hold a slot.
            models.Index(
                fields=["next_check_at", "id", "host", "slot_at"],
                condition=models.Q(status="active"),
                name="feeds_feed_due",
            ),
            models.Index(
                fields=["next_check_at", "id", "host", "slot_at"],
                condition=models.Q(status="active", slot_at__isnull=False),
                name="feeds_feed_slots",
            ),
            models.Index(
                fields=["claimed_at"], condition=models.Q(claimed_at__isnull=False), name="feeds_feed_claimed"
            ),
            models.Index(fields=["host"], name="feeds_feed_host"),
            # For the list of the feeds that were never checked.
            models.Index(
                fields=["id"], condition=models.Q(status="active", checked_at__isnull=True), name="feeds_feed_unchecked"
            ),
            # For the status page; few feeds are in it, and a count of them reads nothing else.
            models.Index(
                fields=["status", "error_kind"],
                condition=~models.Q(status="active") | ~models.Q(error_kind=""),
                name="feeds_feed_unwell",
            ),
        ]

    def __str__(self) -> str:
        return self.title or canonical_urls.redacted(self.url)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the feed; a new one needs nothing but its URL."""
        if self._state.adding:
            managers.complete([self])
        elif "url" in (kwargs.get("update_fields") or {"url"}) and self.url_md5 != canonical_urls.url_md5(self.url):
            raise ValueError("a feed's URL is changed in the admin: what its server said before must be forgotten")
        super().save(*args, **kwargs)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the feed with all that refers to it, in batches."""
        deleted = FeedQuerySet(Feed, using=using).filter(pk=self.pk).delete()
        self.pk = None  # as Django does
        return deleted


class Alias(Stored):
    """Another URL of a feed: an earlier one, the page it was found on, or that of a feed merged into it."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="aliases")
    url = models.TextField("URL")
    url_md5 = models.UUIDField("MD5 of the URL", editable=False)
    reason = models.TextField(blank=True, default="")
    created_at = MomentField()

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [models.UniqueConstraint(fields=["url_md5"], name="feeds_alias_url_unique")]

    def __str__(self) -> str:
        return canonical_urls.redacted(self.url)


class FetchOptions(models.Model):
    """Options of fetching a feed that differ from the settings. Few feeds have a row."""

    feed = models.OneToOneField(Feed, on_delete=models.CASCADE, primary_key=True, related_name="options")
    user_agent = models.TextField("User-Agent", blank=True, default="", help_text="Empty: as for all feeds.")
    username = models.TextField("user name", blank=True, default="")
    password = models.TextField(blank=True, default="")
    headers = models.JSONField(blank=True, default=list)  # pairs of name and value
    proxy = models.TextField(
        blank=True,
        default="",
        help_text="http, https, socks5 or socks5h://user:password@host:port, or direct: none. Empty: as for all feeds.",
    )
    deadline = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(1.0)], help_text="Seconds. Empty: as for all feeds."
    )
    verify_tls = models.BooleanField(
        "verify TLS",
        default=True,
        help_text="Turning this off lets anyone between us and the server read the password and forge the feed.",
    )

    class Meta:
        verbose_name_plural = "fetch options"

    def __str__(self) -> str:
        return f"fetch options of {self.feed}"


class Host(models.Model):
    """A host, and how requests to it are spaced. Every feed whose URL is one refers to its host."""

    name = models.CharField(max_length=255, primary_key=True)
    delay = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(86_400.0)],
        help_text="Seconds between two requests, up to a day. Empty: FEEDS_HOST_DELAY, and none for private hosts.",
    )
    slot_at = MomentField(db_default=Now(), editable=False, help_text="The first slot that is still free.")
    free_at = MomentField(db_default=Now(), editable=False, help_text="No request begins before.")
    paused_until = MomentField(null=True, blank=True, help_text="No request begins before. At most 14 days ahead.")
    pause_reason = models.TextField(blank=True, default="")
    requests = models.PositiveBigIntegerField(default=0, editable=False)
    waits = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="How often a request had to wait for a slot."
    )
    pauses = models.PositiveBigIntegerField(default=0, editable=False)

    objects = HostManager()
    primary: Primary["Host"] = Primary()

    class Meta:
        indexes = [
            models.Index(
                fields=["paused_until"], condition=models.Q(paused_until__isnull=False), name="feeds_host_paused"
            )
        ]

    def __str__(self) -> str:
        return self.name
