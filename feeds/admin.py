"""The admin: feeds to add, look into, import, pause and resume; entries and locks to look at.

Written for a million feeds and many more entries: no list sorts or searches by what has no index unless somebody asks
for it, counts a table that only grows, or costs a query per row.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from feeds import canonical_urls, scheduling, storage
from feeds.exceptions import InvalidURL, describe
from feeds.forms import FetchOptionsForm
from feeds.models import Alias, Entry, Feed, FetchOptions, Host, Lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.http import HttpRequest

    # Generic for the type checker only.
    FeedModelForm = forms.ModelForm[Feed]
    HostModelForm = forms.ModelForm[Host]
    AliasTabularInline = admin.TabularInline[Alias, Feed]
    FetchOptionsStackedInline = admin.StackedInline[FetchOptions, Feed]
    FeedModelAdmin = admin.ModelAdmin[Feed]
    AnyModelAdmin = admin.ModelAdmin[Any]
    EntryPaginator = Paginator[Entry]
else:
    FeedModelForm = HostModelForm = forms.ModelForm
    AliasTabularInline = admin.TabularInline
    FetchOptionsStackedInline = admin.StackedInline
    FeedModelAdmin = AnyModelAdmin = admin.ModelAdmin
    EntryPaginator = Paginator

logger = logging.getLogger(__name__)

NOTHING = "–"
LISTED_TEXT = 120  # characters of a URL or an error's text in a list
LISTED_ENTRIES = 10_000  # nobody pages further, and counting all of them would read the whole table

# What a person decides of a feed, besides its URL.
DECIDED = ("folder", "fixed_interval", "keep_days", "keep_entries")

NO_ERROR: dict[str, Any] = {"error_kind": "", "error_text": "", "error_count": 0, "failing_since": None}
# An import under way has read the feed as it was before. With this it writes nothing, as if another had come first.
FENCED: dict[str, Any] = {"revision": F("revision") + 1}


def nobody(admin: object, request: HttpRequest, obj: Any = None) -> bool:
    return False


def who_may_change_feeds(admin: object, request: HttpRequest, obj: Any = None) -> bool:
    return request.user.has_perm("feeds.change_feed")


class ReadOnlyAdmin(AnyModelAdmin):
    """Rows that only the program writes."""

    has_add_permission = has_change_permission = has_delete_permission = nobody


# Feeds


class FeedForm(FeedModelForm):
    """What a person decides of a feed."""

    class Meta:
        model = Feed
        fields = ("url", *DECIDED)
        # One line each, though the columns are texts.
        widgets = {"url": AdminTextInputWidget(), "folder": AdminTextInputWidget()}

    def clean_url(self) -> str:
        try:
            url = canonical_urls.canonical_url(self.cleaned_data["url"])
        except InvalidURL as error:
            raise forms.ValidationError(str(error), code="invalid") from error
        if other := Feed.objects.filter(pk__in=Feed.objects.ids_by_url([url]).values()).exclude(pk=self.instance.pk):
            raise forms.ValidationError(f"There is a feed with this URL already: {other[0]}", code="unique")
        return url


class AliasInline(AliasTabularInline):
    """Other URLs that lead to the feed. Who removes one can give it a feed of its own."""

    model = Alias
    max_num = 0  # new ones come by themselves
    verbose_name_plural = "other URLs"
    fields = readonly_fields = ("reason", "created_at")  # Django writes the URL above them, as `str` has it
    has_change_permission = has_delete_permission = who_may_change_feeds

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # to whoever sees the feed


class FetchOptionsInline(FetchOptionsStackedInline):
    """For those who may change the feed; others do not see it at all."""

    model = FetchOptions
    form = FetchOptionsForm
    extra = 1
    max_num = 1
    verbose_name_plural = "how it is fetched"
    fields = (
        "user_agent",
        "username",
        ("password", "clear_password"),
        ("headers", "clear_headers"),
        ("proxy", "clear_proxy"),
        "deadline",
        "verify_tls",
    )
    has_add_permission = has_change_permission = has_delete_permission = has_view_permission = who_may_change_feeds


@admin.register(Feed)
class FeedAdmin(FeedModelAdmin):
    form = FeedForm
    inlines = (AliasInline, FetchOptionsInline)
    list_display = ("name", "host_link", "state", "outcome", "checked_at", "next_check")
    list_filter = ("status", "error_kind", "last_outcome")
    search_fields = ("title", "url")
    search_help_text = "A feed's URL in full, or a part of its title or URL."
    actions = ("import_now", "pause", "resume")
    ordering = ("-id",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("url", *DECIDED)}),
        ("Last check", {"fields": ("outcome", "error_text", "failing_since", "checked_at", "imported_at")}),
        ("Next check", {"fields": ("state", "next_check", "pace")}),
        ("The feed", {"fields": ("title", "site_url", "description", "language", "format", "hubs", "entry_count")}),
        ("Said by the server", {"fields": ("etag", "last_modified", "ttl", "update_period", "redirected_to")}),
    )

    # What is shown

    @admin.display(description="feed", ordering="title")
    def name(self, feed: Feed) -> str:
        url = Truncator(canonical_urls.redacted(feed.url)).chars(LISTED_TEXT)
        return format_html("{}<br><small>{}</small>", feed.title, url) if feed.title else url

    @admin.display(description="host", ordering="host_id")
    def host_link(self, feed: Feed) -> str:
        if feed.host_id is None:
            return NOTHING
        return _link(f"{_list_url(Feed)}?{urlencode({'host__exact': feed.host_id})}", feed.host_id)

    @admin.display(description="status", ordering="status")
    def state(self, feed: Feed) -> str:
        return ": ".join(filter(None, (feed.get_status_display(), feed.status_reason)))

    @admin.display(description="last outcome", ordering="last_outcome")
    def outcome(self, feed: Feed) -> str:
        if not feed.error_kind:
            return feed.last_outcome or NOTHING
        text = Truncator(feed.error_text).chars(LISTED_TEXT)
        times = "" if feed.error_count < 2 else f", {feed.error_count} times in a row"
        return format_html("{}{}<br><small>{}</small>", feed.get_error_kind_display(), times, text)

    @admin.display(description="next check", ordering="next_check_at")
    def next_check(self, feed: Feed) -> str:
        when = _moment(feed.next_check_at) if feed.status == Feed.Status.ACTIVE else NOTHING
        return format_html("{}<br><small>{}</small>", when, feed.next_check_reason)

    @admin.display(description="own pace")
    def pace(self, feed: Feed) -> str:
        return f"{feed.interval} s" if feed.interval else "not known yet"

    @admin.display(description="entries")
    def entry_count(self, feed: Feed) -> str:
        return _link(f"{_list_url(Entry)}?{urlencode({'feed__id__exact': feed.pk})}", f"{feed.entries.count()} entries")

    @admin.display(description="redirected to")
    def redirected_to(self, feed: Feed) -> str:
        if not feed.moved_to:
            return NOTHING
        seen = f"seen {feed.moved_count} times since {feed.moved_since:%Y-%m-%d}"
        return format_html("{}<br><small>{}</small>", canonical_urls.redacted(feed.moved_to), seen)

    @admin.display(description="URL")
    def shown_url(self, feed: Feed) -> str:
        return canonical_urls.redacted(feed.url)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feed]:
        # Digests are 16 bytes for every entry of a document, and shown nowhere.
        return super().get_queryset(request).defer("seen_digests", "listed_digests")

    def get_inlines(self, request: HttpRequest, obj: Feed | None) -> Any:
        return self.inlines if obj else [FetchOptionsInline]

    def get_fieldsets(self, request: HttpRequest, obj: Feed | None = None) -> Any:
        """Show the URL with its credentials only to those who may edit it, and to a new feed nothing but the form."""
        if obj is None:
            return self.fieldsets[:1]
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return ((None, {"fields": ("shown_url", *DECIDED)}), *self.fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: Feed | None = None) -> tuple[str, ...]:
        """Return all but what a person decides: the rest is the program's."""
        shown = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        return tuple(name for name in shown if name not in FeedForm.Meta.fields)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Feed], search_term: str
    ) -> tuple[QuerySet[Feed], bool]:
        """Find a URL by its digest, which is indexed, and anything else by looking at every row."""
        try:
            url = canonical_urls.canonical_url(search_term)
        except InvalidURL:
            return super().get_search_results(request, queryset, search_term)
        exact = queryset.filter(pk__in=Feed.objects.ids_by_url([url]).values())
        return (exact, False) if exact.exists() else super().get_search_results(request, queryset, search_term)

    # What is written

    def save_model(self, request: HttpRequest, obj: Feed, form: FeedForm, change: bool) -> None:
        """Store what the form holds, and nothing else: a worker may be writing the same row."""
        Host.objects.ensure([canonical_urls.host_key(obj.url)])
        if not change:
            _set(obj, storage.url_columns(obj.url))
            obj.save()
        elif obj.url_md5 == canonical_urls.url_md5(obj.url):
            obj.save(update_fields=DECIDED)
        else:
            now = timezone.now()
            obj.save(update_fields=[*DECIDED, *_set(obj, _moved(obj, now))])
            storage.remove_alias(obj.url)
            storage.add_alias(obj.pk, form.initial["url"], f"the URL was changed by {request.user.get_username()}", now)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count the entries that go with the feeds. Django would list each of them, and ask for leave to delete it."""
        listed = [canonical_urls.redacted(feed.url) for feed in objs]
        entries = Entry.objects.filter(feed__in=[feed.pk for feed in objs]).count()
        return listed, {"feeds": len(listed), "entries": entries}, set(), []

    @admin.action(description="Import now", permissions=["change"])
    def import_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        # Imported here: Django may load this module before the broker is set, and actors keep the broker they find.
        from feeds import tasks

        sent = 0
        try:
            for url in queryset.values_list("url", flat=True).iterator():
                tasks.send(url)
                sent += 1
        except Exception as error:  # each broker's client has its own, and they are named in no module of ours
            logger.exception("action=import_now sent=%s: the broker does not take messages", sent)
            self.message_user(request, f"The queue failed. {describe(error)}", messages.ERROR)
        if sent:
            self.message_user(request, f"{_feeds(sent)} queued for import.", messages.SUCCESS)
        if paused := queryset.filter(status=Feed.Status.PAUSED).count():
            self.message_user(request, f"{_feeds(paused)} paused: not imported until resumed.", messages.WARNING)

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        reason = f"by {request.user.get_username()}"
        active = queryset.filter(status=Feed.Status.ACTIVE)
        paused = active.update(status=Feed.Status.PAUSED, status_reason=reason, **FENCED)
        self.message_user(request, f"{_feeds(paused)} paused.", messages.SUCCESS)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        resumed = queryset.update(
            status=Feed.Status.ACTIVE,
            status_reason="",
            next_check_at=timezone.now(),
            next_check_reason=f"resumed by {request.user.get_username()}",
            **NO_ERROR,
            **FENCED,
        )
        self.message_user(request, f"{_feeds(resumed)} resumed, to be checked now.", messages.SUCCESS)


def _moved(feed: Feed, now: datetime) -> dict[str, Any]:
    """Return what changes with the URL of a known feed: what the old one said is forgotten."""
    values = {
        **storage.url_columns(feed.url),
        # These belong to one URL: sent to another they could bring a 304 for a document that was never seen.
        "etag": "",
        "last_modified": "",
        "body_digest": b"",
        "seen_digests": b"",
        "found_on": "",
        "fetch_seconds": None,
        "next_check_at": now,
        "next_check_reason": "the URL was changed",
        **NO_ERROR,
        **FENCED,
    }
    if feed.status == Feed.Status.DISABLED:  # that was about the old URL
        values |= {"status": Feed.Status.ACTIVE, "status_reason": ""}
    return values


def _set(feed: Feed, values: dict[str, Any]) -> Iterable[str]:
    """Set fields of a feed and return their names."""
    for name, value in values.items():
        setattr(feed, name, value)
    return values


def _feeds(count: int) -> str:
    return "1 feed" if count == 1 else f"{count} feeds"


# Entries


class CappedPaginator(EntryPaginator):
    """Counts no further than anybody pages."""

    @cached_property
    def count(self) -> int:
        entries = cast("QuerySet[Entry]", self.object_list)  # declared wider: lists can be paginated, too
        return entries.order_by()[:LISTED_ENTRIES].count()


class EntryList(ChangeList):
    """Reads the listed columns only, and says in the title when it counted no further."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.result_count == LISTED_ENTRIES:
            self.title = f"The newest {LISTED_ENTRIES:,} entries"

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Entry]:
        entries = super().get_queryset(request, exclude_parameters)
        return entries.only("title", "url", "guid", "published_at", "first_seen_at", "feed__title", "feed__url")


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ("name", "feed_link", "published_at", "first_seen_at")
    search_fields = ("title",)
    search_help_text = "A part of the title."
    sortable_by = ()
    paginator = CappedPaginator
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("title", "feed_link", "web_link", "authors", "published_at", "updated_at")}),
        ("Text", {"fields": ("summary_view", "content_view")}),
        ("More", {"fields": ("categories", "enclosures", "language", "rights", "source_title", "itunes")}),
        ("Record", {"fields": ("guid", "first_seen_at", "changed_at", "changes", "capped")}),
    )
    readonly_fields = ("feed_link", "web_link", "summary_view", "content_view")

    @admin.display(description="entry")
    def name(self, entry: Entry) -> str:
        return Truncator(entry.title or canonical_urls.redacted(entry.url) or entry.guid or NOTHING).chars(LISTED_TEXT)

    @admin.display(description="feed")
    def feed_link(self, entry: Entry) -> str:
        name = Truncator(entry.feed.title or canonical_urls.redacted(entry.feed.url)).chars(LISTED_TEXT)
        return _link(reverse("admin:feeds_feed_change", args=[entry.feed_id]), name)

    @admin.display(description="URL")
    def web_link(self, entry: Entry) -> str:
        if not entry.url.startswith(("http://", "https://")):
            return entry.url or NOTHING
        return format_html('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>', entry.url, entry.url)

    @admin.display(description="summary")
    def summary_view(self, entry: Entry) -> str:
        return _framed(entry.summary)

    @admin.display(description="content")
    def content_view(self, entry: Entry) -> str:
        return _framed(entry.content)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("feed").defer("feed__seen_digests", "feed__listed_digests")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order for which there is an index: by date within a feed, else by when it came."""
        return ("-sorted_at",) if "feed__id__exact" in request.GET else ("-id",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryList


# The HTML was sanitised before it was stored. Should that have failed, nothing here runs, submits or loads anything.
FRAME_HEAD = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    '<base target="_blank"><style>body { font: 14px sans-serif; background: white; color: black }</style>'
)


def _framed(html: str) -> str:
    if not html:
        return NOTHING
    return format_html(
        '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" srcdoc="{}" '
        'style="width: 100%; height: 24em; border: 1px solid #ccc"></iframe>'
        "<br><small>Images and other parts from elsewhere are not loaded.</small>",
        FRAME_HEAD + html,
    )


# Hosts


class HostForm(HostModelForm):
    def clean_paused_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["paused_until"]
        if until and until > timezone.now() + scheduling.FARTHEST:
            raise forms.ValidationError(f"A pause ends within {scheduling.FARTHEST.days} days.", code="invalid")
        return until


@admin.register(Host)
class HostAdmin(AnyModelAdmin):
    """How requests to each host are spaced. A person may set a delay, also before its first feed, or end a pause."""

    form = HostForm
    list_display = ("name", "delay", "paused_until", "requests", "waits", "pauses")
    fields = ("name", "delay", "paused_until", "pause_reason", "slot_at", "free_at", "requests", "waits", "pauses")
    readonly_fields = ("pause_reason", "slot_at", "free_at", "requests", "waits", "pauses")
    ordering = ("name",)
    search_fields = ("name",)
    search_help_text = "A part of the name."
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("name", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Host, form: Any, change: bool) -> None:
        """Write what the form has, and nothing of what workers count meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)

    def has_delete_permission(self, request: HttpRequest, obj: Host | None = None) -> bool:
        """Let a host go that no feed refers to. Django would list all the feeds that keep the others."""
        return obj is not None and not obj.feeds.exists() and super().has_delete_permission(request, obj)


# Locks


@admin.register(Lock)
class LockAdmin(ReadOnlyAdmin):
    """The locks in the database; those in memcached are listed by `manage.py locks`."""

    list_display = ("key", "token", "expires_at")
    fields = ("key", "token", "expires_at")
    ordering = ("expires_at",)
    search_fields = ("key",)


def _list_url(model: type[Feed] | type[Entry]) -> str:
    return reverse(f"admin:feeds_{model._meta.model_name}_changelist")


def _link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def _moment(moment: datetime | None) -> str:
    return str(localize(timezone.localtime(moment))) if moment else NOTHING
