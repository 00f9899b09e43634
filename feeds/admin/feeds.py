"""Feeds: to add, look into, import, pause and resume."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Case, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import StrIndex, Substr
from django.utils.html import format_html

from feeds import canonical_urls, clock, storage
from feeds.admin.base import NOTHING, AnyModelAdmin, Editable, link, list_of, may_change_feeds, moment, short
from feeds.admin.timeline import timeline
from feeds.databases import outside_transactions
from feeds.exceptions import InvalidURL, describe
from feeds.forms import DECIDED, FeedForm, FetchOptionsForm, FetchOptionsFormSet
from feeds.management.progress import counted
from feeds.managers import FeedQuerySet
from feeds.models import Alias, Entry, Feed, FetchOptions

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    # Generic for the type checker only.
    AliasTabularInline = admin.TabularInline[Alias, Feed]
    FetchOptionsStackedInline = admin.StackedInline[FetchOptions, Feed]
    FeedModelAdmin = admin.ModelAdmin[Feed]
else:
    AliasTabularInline = admin.TabularInline
    FetchOptionsStackedInline = admin.StackedInline
    FeedModelAdmin = AnyModelAdmin

logger = logging.getLogger(__name__)

# The URL without its login, in SQL. Of a text that is no URL and has an at sign nobody knows where a login ends.
HOST = r"[^/?#@]*([/?#]|$)"
PUBLIC_URL = Case(
    When(~Q(url__contains="@") | Q(url__regex=rf"^https?://{HOST}"), then=F("url")),
    When(url__regex=rf"^https?://[^/?#@]*@{HOST}", then=Substr("url", StrIndex("url", Value("@")) + 1)),
    default=Value(""),
    output_field=TextField(),
)


class AliasInline(Editable, AliasTabularInline):
    """Other URLs that lead to the feed. One that was removed can be given to a feed of its own."""

    model = Alias
    max_num = 0  # new ones come by themselves
    verbose_name_plural = "other URLs"
    fields = readonly_fields = ("reason", "created_at")  # Django writes the URL above them, as `str` has it
    has_change_permission = has_delete_permission = may_change_feeds

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # for everybody who sees the feed


class FetchOptionsInline(Editable, FetchOptionsStackedInline):
    """For people who may change the feed; others do not see it at all."""

    model = FetchOptions
    form = FetchOptionsForm
    formset = FetchOptionsFormSet
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
    has_add_permission = has_change_permission = has_delete_permission = has_view_permission = may_change_feeds


@admin.register(Feed)
class FeedAdmin(Editable, FeedModelAdmin):
    form = FeedForm
    inlines = (AliasInline, FetchOptionsInline)
    list_display = ("name", "host_link", "state", "outcome", "checked_at", "next_check")
    list_filter = ("status", "error_kind", "last_outcome")
    other_filters = ("host", "folder", "id")  # by links, or by hand
    search_fields = ("title", "public_url")
    search_help_text = "A feed's URL in full, or a part of its title or URL."
    actions = ("import_now", "pause", "resume")
    ordering = ("-id",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("url", *DECIDED)}),
        ("Last check", {"fields": ("outcome", "error_text", "failing_since", "checked_at", "imported_at", "left_out")}),
        ("What imports did", {"fields": ("timeline",)}),
        ("Next check", {"fields": ("state", "next_check", "learned_interval")}),
        ("The feed", {"fields": ("title", "site_url", "description", "language", "format", "hubs", "entry_count")}),
        ("Said by the server", {"fields": ("etag", "last_modified", "ttl", "update_period", "redirected_to")}),
    )

    # What is shown

    @admin.display(description="feed", ordering="title")
    def name(self, feed: Feed) -> str:
        url = short(canonical_urls.redacted(feed.url))
        return format_html("{}<br><small>{}</small>", feed.title, url) if feed.title else url

    @admin.display(description="host", ordering="host_id")
    def host_link(self, feed: Feed) -> str:
        return link(list_of(Feed, host__exact=feed.host_id), feed.host_id) if feed.host_id else NOTHING

    @admin.display(description="status", ordering="status")
    def state(self, feed: Feed) -> str:
        return ": ".join(filter(None, (feed.get_status_display(), feed.status_reason)))

    @admin.display(description="last outcome", ordering="last_outcome")
    def outcome(self, feed: Feed) -> str:
        if not feed.error_kind:
            return feed.last_outcome or NOTHING
        times = "" if feed.error_count < 2 else f", {feed.error_count} times in a row"
        return format_html("{}{}<br><small>{}</small>", feed.get_error_kind_display(), times, short(feed.error_text))

    @admin.display(description="next check", ordering="next_check_at")
    def next_check(self, feed: Feed) -> str:
        when = moment(feed.next_check_at) if feed.status == Feed.Status.ACTIVE else NOTHING
        return format_html("{}<br><small>{}</small>", when, feed.next_check_reason)

    @admin.display(description="learned interval")
    def learned_interval(self, feed: Feed) -> str:
        return f"{feed.interval} s" if feed.interval else "not known yet"

    @admin.display(description="entries")
    def entry_count(self, feed: Feed) -> str:
        return link(list_of(Entry, feed__id__exact=feed.pk), counted(feed.entries.count(), "entry", "entries"))

    @admin.display(description="timeline")
    def timeline(self, feed: Feed) -> str:
        return timeline(feed)

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
        """Show the URL with its login only to people who may edit it, and for a new feed nothing but the form."""
        if obj is None:
            return self.fieldsets[:1]
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return ((None, {"fields": ("shown_url", *DECIDED)}), *self.fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: Feed | None = None) -> tuple[str, ...]:
        """Return all but what a person decides: the rest is the program's."""
        shown = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        return tuple(name for name in shown if name not in FeedForm.Meta.fields)

    # What is found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow no filter by what may hold a login: `?url__startswith=` would find it out letter by letter."""
        field = lookup.partition("__")[0]
        return field in self.list_filter + self.other_filters and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Feed], search_term: str
    ) -> tuple[QuerySet[Feed], bool]:
        """Find a URL by its digest, which is indexed, and anything else by looking at every row."""
        if (exact := self._exact_match(request, queryset, search_term)) is not None:
            return exact, False
        return super().get_search_results(request, queryset.alias(public_url=PUBLIC_URL), search_term)

    def _exact_match(self, request: HttpRequest, queryset: QuerySet[Feed], text: str) -> QuerySet[Feed] | None:
        try:
            url = canonical_urls.canonical_url(text)
        except InvalidURL:
            return None
        if canonical_urls.redacted(url) != url and not self.has_change_permission(request):
            return None  # that would tell whether a guess is right
        found = queryset.filter(pk__in=Feed.primary.ids_by_url([url]).values())
        return found if found.exists() else None

    # What is written

    def save_model(self, request: HttpRequest, obj: Feed, form: FeedForm, change: bool) -> None:
        """Store what the form holds, and nothing else: a worker may be writing the same row."""
        if not change:
            obj.save()
            return
        obj.save(update_fields=DECIDED)
        if obj.url_md5 != canonical_urls.url_md5(obj.url):
            reason = f"the URL was changed by {request.user.get_username()}"
            storage.change_url(obj.pk, form.initial["url"], obj.url, reason=reason, now=clock.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count the entries that go with the feeds. Django would list each of them, and ask for leave to delete it."""
        listed = [canonical_urls.redacted(feed.url) for feed in objs]
        entries = Entry.objects.filter(feed__in=[feed.pk for feed in objs]).count()
        return listed, {"feeds": len(listed), "entries": entries}, set(), []

    @outside_transactions  # a worker must find what an action sends
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, extra_context)

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
            self.message_user(request, f"{counted(sent, 'feed')} queued for import.", messages.SUCCESS)
        if paused := queryset.filter(status=Feed.Status.PAUSED).count():
            text = f"{counted(paused, 'feed')} paused: not imported until resumed."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        active = queryset.filter(status=Feed.Status.ACTIVE)
        paused = active.fence(status=Feed.Status.PAUSED, status_reason=f"by {request.user.get_username()}")
        self.message_user(request, f"{counted(paused, 'feed')} paused.", messages.SUCCESS)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        resumed = queryset.fence(
            status=Feed.Status.ACTIVE,
            status_reason="",
            next_check_at=clock.now(),
            next_check_reason=f"resumed by {request.user.get_username()}",
            **storage.no_error(),
        )
        self.message_user(request, f"{counted(resumed, 'feed')} resumed, to be checked now.", messages.SUCCESS)
