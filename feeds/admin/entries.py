"""Entries, to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from feeds import canonical_urls
from feeds.admin.base import NOTHING, SEARCHED, CappedList, LongList, feed_name, link, nobody, short
from feeds.models import Entry

# The HTML was sanitised before it was stored. Should that have failed, nothing here runs, submits or loads anything.
FRAME_HEAD = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; {pictures}style-src 'unsafe-inline'\">"
    '<base target="_blank"><style>img {{ max-width: 100% }} '
    ":root {{ color-scheme: light dark }} body {{ font: 14px sans-serif }}</style>"
)

MORE = (
    *("tags", "files", "language", "rights", "source_title", "itunes"),
    *("guid", "first_seen_at", "changed_at", "changes", "capped"),
)


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
        ("More", {"fields": MORE, "classes": ("collapse",)}),
    )
    readonly_fields = ("feed_link", "web_link", "people", "tags", "files")

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

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the texts in frames of their own, without scripts and forms; they load pictures, if anything."""
        entry, pictures = context["original"], "pictures" in request.GET
        head = FRAME_HEAD.format(pictures="img-src http: https:; " if pictures else "")
        texts = {"Summary": entry.summary, "Content": entry.content}
        frames = {name: head + html for name, html in texts.items() if html}
        return super().render_change_form(request, context | {"frames": frames, "pictures": pictures}, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("feed").defer("feed__seen_digests", "feed__listed_digests")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order for which there is an index: by date within a feed, else by when it came."""
        return ("-sorted_at",) if "feed__id__exact" in request.GET else ("-id",)


def in_words(values: list[Any]) -> str:
    """Return what a list of JSON says, without its names."""
    rows = (each.values() if isinstance(each, dict) else [each] for each in values)
    return "; ".join(" ".join(str(value) for value in row if value) for row in rows) or NOTHING
