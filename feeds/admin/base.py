"""Permissions, lists, links and words that the pages share."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from feeds import canonical_urls
from feeds.databases import primary_database
from feeds.models import Feed

NOTHING = "–"
MOST_LISTED = 10_000  # rows; nobody pages further, and counting all of them would read the whole table
SEARCHED = 20_000  # rows that a search reads one by one
LISTED_TEXT = 120  # characters of a URL or an error's text in a list


def nobody(admin: object, request: HttpRequest, obj: Model | None = None) -> bool:
    return False


def may_change_feeds(admin: object, request: HttpRequest, obj: Model | None = None) -> bool:
    return request.user.has_perm("feeds.change_feed")


class Editable:
    """Reads from the primary database: a person decides by what a form shows, and a replica may lag behind."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]  # of ModelAdmin or of an inline
        return rows.using(primary_database())


class CappedPaginator(Paginator):
    """Counts no further than anybody pages."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_LISTED].count())


class CappedList(ChangeList):
    """Says in the title when it counted no further, and offers then to sort by what has an index only."""

    indexed: tuple[str, ...] = ()  # columns

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.result_count == MOST_LISTED:
            self.title = f"The first {MOST_LISTED:,} {self.opts.verbose_name_plural}"
            self.sortable_by = self.indexed


class List(admin.ModelAdmin):
    list_per_page = 50
    show_full_result_count = False

    class Media:
        css = {"all": ("feeds/admin.css",)}


class LongList(List):
    """A list of any length. A part of a text, for which there is no index, is looked for in the newest rows only."""

    paginator = CappedPaginator
    changelist: type[CappedList] = CappedList

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedList]:
        return self.changelist

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True)
        if search_term and (oldest := newest[SEARCHED : SEARCHED + 1].first()):
            queryset = queryset.filter(pk__gt=oldest)
        return super().get_search_results(request, queryset, search_term)


def link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def list_of(model: type[Model], **filters: str | int) -> str:
    """Return the URL of a list with some filters set."""
    return f"{reverse(f'admin:feeds_{model._meta.model_name}_changelist')}?{urlencode(filters)}"


def short(text: str) -> str:
    return Truncator(text).chars(LISTED_TEXT)


def feed_name(feed: Feed) -> str:
    return short(feed.title or canonical_urls.redacted(feed.url))
