"""Entries, to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from feeds import canonical_urls
from feeds.admin.base import NOTHING, SEARCHED, CappedList, LongList, feed_name, link, nobody, short
from feeds.models import Entry


class EntryList(CappedList):
    """Reads the listed columns only."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Entry]:
        entries = super().get_queryset(request, exclude_parameters)
        return entries.only("title", "url", "guid", "published_at", "first_seen_at", "feed__title", "feed__url")


@admin.register(Entry)
class EntryAdmin(LongList):
    has_add_permission = has_change_permission = has_delete_permission = nobody  # only the program writes them
    list_display = ("name", "feed_link", "published_at", "first_seen_at")
    search_fields = ("title",)
    search_help_text = f"A part of the title, among the newest {SEARCHED:,} entries."
    sortable_by = ()
    changelist = EntryList
    fieldsets = (
        (None, {"fields": ("title", "feed_link", "web_link", "people", "published_at", "updated_at")}),
        ("Text", {"fields": ("summary_view", "content_view")}),
        ("More", {"fields": ("tags", "files", "language", "rights", "source_title", "itunes")}),
        ("Record", {"fields": ("guid", "first_seen_at", "changed_at", "changes", "capped")}),
    )
    readonly_fields = ("feed_link", "web_link", "people", "summary_view", "content_view", "tags", "files")

    @admin.display(description="entry")
    def name(self, entry: Entry) -> str:
        return short(entry.title or canonical_urls.redacted(entry.url) or entry.guid or NOTHING)

    @admin.display(description="feed")
    def feed_link(self, entry: Entry) -> str:
        return link(reverse("admin:feeds_feed_change", args=[entry.feed_id]), feed_name(entry.feed))

    @admin.display(description="URL")
    def web_link(self, entry: Entry) -> str:
        if not entry.url.startswith(("http://", "https://")):
            return entry.url or NOTHING
        return format_html('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>', entry.url, entry.url)

    @admin.display(description="authors")
    def people(self, entry: Entry) -> str:
        return in_words(entry.authors)

    @admin.display(description="categories")
    def tags(self, entry: Entry) -> str:
        return in_words(entry.categories)

    @admin.display(description="enclosures")
    def files(self, entry: Entry) -> str:
        return in_words(entry.enclosures)

    @admin.display(description="summary")
    def summary_view(self, entry: Entry) -> str:
        return framed(entry.summary, pictures=getattr(entry, "pictures", False))

    @admin.display(description="content")
    def content_view(self, entry: Entry) -> str:
        return framed(entry.content, pictures=getattr(entry, "pictures", False))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Entry | None:
        entry: Entry | None = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.pictures = "pictures" in request.GET  # type: ignore[attr-defined]  # for the frames
        return entry

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("feed").defer("feed__seen_digests", "feed__listed_digests")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order for which there is an index: by date within a feed, else by when it came."""
        return ("-sorted_at",) if "feed__id__exact" in request.GET else ("-id",)


def in_words(values: list[Any]) -> str:
    """Return what a list of JSON says, without its names."""
    rows = (each.values() if isinstance(each, dict) else [each] for each in values)
    return "; ".join(" ".join(str(value) for value in row if value) for row in rows) or NOTHING


# The HTML was sanitised before it was stored. Should that have failed, nothing here runs, submits or loads anything.
FRAME_HEAD = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; {pictures}style-src 'unsafe-inline'\">"
    '<base target="_blank"><style>img {{ max-width: 100% }} '
    ":root {{ color-scheme: light dark }} body {{ font: 14px sans-serif }}</style>"
)


NO_PICTURES = mark_safe('Pictures are not loaded: their servers would see you. <a href="?pictures">Load them</a>')


def framed(html: str, *, pictures: bool) -> str:
    """Return HTML of a feed in a frame of its own, without scripts and forms; it loads pictures, if anything."""
    if not html:
        return NOTHING
    return format_html(
        '<iframe class="feeds-frame" title="as a browser shows it" sandbox="allow-popups '
        'allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" srcdoc="{}"></iframe><br><small>{}</small>',
        FRAME_HEAD.format(pictures="img-src http: https:; " if pictures else "") + html,
        "Pictures are loaded." if pictures else NO_PICTURES,
    )
