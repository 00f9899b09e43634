"""Feeds: to add, look into, import, pause and resume."""

from functools import partial
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from feeds import canonical_urls, clock, storage
from feeds.admin.actions import FeedActions
from feeds.admin.base import NOTHING, SEARCHED, CappedList, Editable, LongList, link, list_of, may_change_feeds, short
from feeds.admin.forms import DECIDED, FeedForm, FetchOptionsForm, FetchOptionsFormSet
from feeds.admin.state import next_check, overview, state
from feeds.admin.upload import upload_view
from feeds.databases import outside_transactions, protectors
from feeds.management.following import Ending, Following
from feeds.managers import STATES
from feeds.models import Alias, Entry, Feed, FetchOptions
from feeds.outcomes import FailureKind, Outcome

LONGEST_WAIT = 8.0  # seconds for which a browser waits for an import


class FeedList(CappedList):
    """Sorted by the next check it lists active feeds only: no others are in the index."""

    indexed = ("next_check",)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Feed]:
        feeds = super().get_queryset(request, exclude_parameters)
        is_sorted = str(feeds.query.order_by[0]).lstrip("-") == "next_check_at"
        return feeds.filter(status=Feed.Status.ACTIVE) if is_sorted else feeds


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in STATES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        state = self.value()
        return queryset.in_state(state, clock.now()) if state in STATES else queryset


class WhyFilter(admin.SimpleListFilter):
    """The kinds of failures in groups: there are too many to list."""

    title = "why it fails"
    parameter_name = "why"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in dict.fromkeys(kind.group for kind in FailureKind)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feed]) -> QuerySet[Feed]:
        kinds = [kind for kind in FailureKind if kind.group == self.value()]
        return queryset.filter(error_kind__in=kinds) if kinds else queryset


class AliasInline(Editable, admin.TabularInline):
    """Other URLs that lead to the feed. Without its row here a URL can be another feed's."""

    model = Alias
    max_num = 0  # new ones come by themselves
    verbose_name_plural = "other URLs"
    fields = readonly_fields = ("reason", "created_at")  # Django writes the URL above them, as `str` has it
    has_change_permission = has_delete_permission = may_change_feeds

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # for everybody who sees the feed


class FetchOptionsInline(Editable, admin.StackedInline):
    """For people who may change the feed; others do not see it at all."""

    model = FetchOptions
    form = FetchOptionsForm
    formset = FetchOptionsFormSet
    extra = 1
    max_num = 1
    classes = ("collapse",)
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


def _folded(*names: str) -> Any:
    return {"fields": names, "classes": ("collapse",)}


@admin.register(Feed)
@method_decorator(sensitive_post_parameters(), name="changeform_view")  # no report of an error tells what was entered
@method_decorator(outside_transactions, name="changelist_view")  # a worker must find what an action sends
class FeedAdmin(Editable, FeedActions, LongList):
    form = FeedForm
    inlines = (AliasInline, FetchOptionsInline)
    list_display = ("name", "state", "next_check")
    list_filter = (StateFilter, WhyFilter)
    # By links, or by hand. Others could tell what nobody may see: `?url__startswith=` a login, letter by letter.
    allowed_filters = ("state", "why", "status", "error_kind", "last_outcome", "host", "folder", "id")
    search_fields = ("title", "host__name")
    search_help_text = f"A URL or a host in full, or a part of a title or host among the newest {SEARCHED:,} feeds."
    ordering = ("-id",)
    changelist = FeedList
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("url", *DECIDED)}),
        ("The feed", _folded("title", "site_url", "description", "language", "format", "hubs")),
        ("Its server", _folded("host_link", "etag", "last_modified", "redirected_to")),
        ("Last check", _folded("last_outcome", "error_text", "failing_since", "checked_at", "imported_at", "left_out")),
    )

    # What is shown

    @admin.display(description="feed", ordering="title")
    def name(self, feed: Feed) -> str:
        url = short(canonical_urls.redacted(feed.url))
        return format_html("{}<br><small>{}</small>", feed.title, url) if feed.title else url

    @admin.display(description="state", ordering="status")
    def state(self, feed: Feed) -> str:
        return state(feed)

    @admin.display(description="next check", ordering="next_check_at")
    def next_check(self, feed: Feed) -> str:
        return next_check(feed)

    @admin.display(description="host")
    def host_link(self, feed: Feed) -> str:
        return link(list_of(Feed, host__exact=feed.host_id), feed.host_id) if feed.host_id else NOTHING

    @admin.display(description="redirected to")
    def redirected_to(self, feed: Feed) -> str:
        if not feed.moved_to:
            return NOTHING
        seen = f"seen {feed.moved_count} times since {feed.moved_since:%Y-%m-%d}"
        return format_html("{}<br><small>{}</small>", canonical_urls.redacted(feed.moved_to), seen)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feed]:
        # Digests are 16 bytes for every entry of a document, and shown nowhere.
        return super().get_queryset(request).defer("seen_digests", "listed_digests")

    def get_inlines(self, request: HttpRequest, obj: Feed | None) -> Any:
        return self.inlines if obj and obj.aliases.exists() else [FetchOptionsInline]

    def get_fieldsets(self, request: HttpRequest, obj: Feed | None = None) -> Any:
        """Show the URL with its login only to people who may edit it, and for a new feed nothing but the form."""
        if obj is None:
            return self.fieldsets[:1]
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return ((None, {"fields": DECIDED}), *self.fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: Feed | None = None) -> tuple[str, ...]:
        """Return all but what a person decides: the rest is the program's."""
        shown = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        return tuple(name for name in shown if name not in FeedForm.Meta.fields)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if (feed := context["original"]) is not None:
            context |= overview(feed)
        return super().render_change_form(request, context, *args, **kwargs)

    # What is found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        field = lookup.partition("__")[0]
        return field in self.allowed_filters and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Feed], search_term: str
    ) -> tuple[QuerySet[Feed], bool]:
        """Find a URL by its digest and a host by its name, for which there are indexes."""
        if search_term and (exact := self._known_by(request, queryset, search_term.strip())) is not None:
            return exact, False
        return super().get_search_results(request, queryset, search_term)

    def _known_by(self, request: HttpRequest, queryset: QuerySet[Feed], text: str) -> QuerySet[Feed] | None:
        url = canonical_urls.feed_url(text)
        is_public = canonical_urls.redacted(url) == url
        # People who may not see a login may not try a guess either.
        ids = Feed.primary.ids_by_url([url]) if is_public or self.has_change_permission(request) else {}
        if ids or not is_public:
            return queryset.filter(pk__in=ids.values())
        hosted = queryset.filter(host=canonical_urls.host_key(text) or text.partition("/")[0].lower())
        return hosted if hosted.exists() else None

    # What is done

    def get_urls(self) -> list[Any]:
        view = outside_transactions(self.admin_site.admin_view(require_POST(self.import_view)))
        upload = outside_transactions(self.admin_site.admin_view(partial(upload_view, self)))
        own = [
            path("upload/", upload, name="feeds_feed_upload"),
            path("<path:object_id>/import/", view, name="feeds_feed_import"),
        ]
        return own + super().get_urls()

    def import_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Import one feed, wait a little for what comes of it, and say so on its page."""
        feed = self.get_object(request, object_id)
        if feed is None or not self.has_change_permission(request, feed):
            raise PermissionDenied
        waiting = Following()
        waiting.add([feed])
        if self.send(request, [feed.url]):
            endings = chain.from_iterable(waiting.looks(timeout=LONGEST_WAIT))
            self.message_user(request, *_said(next(endings, None)))
        return HttpResponseRedirect(reverse("admin:feeds_feed_change", args=[feed.pk]))

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
        keepers = list(protectors(Feed.primary.filter(pk__in=[feed.pk for feed in objs])))
        return listed, {"feeds": len(listed), "entries": entries}, set(), keepers


def _said(ending: Ending | None) -> tuple[str, int]:
    """Return the message that tells how an import ended; None: it has not yet."""
    if ending is None:
        return "The import is queued. Load this page again to see what came of it.", messages.INFO
    match ending.outcome:
        case Outcome.FAILED:
            return f"The import failed: {ending.error}.", messages.ERROR
        case Outcome.IMPORTED:
            return f"Imported: {ending.new:,} new.", messages.SUCCESS
        case Outcome.UNCHANGED:
            return "Nothing is new.", messages.SUCCESS
    return f"Not imported: {ending.error or 'the feed is paused'}.", messages.WARNING
