"""What the admin keeps to itself: logins in URLs, and whatever else may be secret."""

import re

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from feeds import canonical_urls
from feeds.models import Alias, Entry, Feed
from tests.rigs.people import staff

pytestmark = pytest.mark.django_db

FEEDS = reverse("admin:feeds_feed_changelist")
ENTRIES = reverse("admin:feeds_entry_changelist")
URL = "https://example.org/feed"
PROXY = "http://ann:pr0xy@proxy.example:3128/"


def new_feed(url: str = URL) -> Feed:
    return Feed.objects.create(url=url)


def viewer(client: Client, *codenames: str) -> Client:
    """Return a browser whose user may look at feeds and entries, and has these permissions besides."""
    client.force_login(staff("view_feed", "view_entry", *codenames, username="viewer"))
    return client


def found(client: Client, term: str) -> list[str]:
    """Return the URLs of the feeds that a search finds."""
    response = client.get(FEEDS, {"q": term})
    assert response.status_code == 200
    return sorted(feed.url for feed in response.context["cl"].result_list)


# Logins in URLs


LOGIN = "https://user:s3cret@private.example/news"
ANY_FEEDS = [
    URL,
    LOGIN,
    "https://user@mail.example/news",
    "https://social.example/@user.rss",
    "https://search.example/?q=a@b",
    "mailto:user:s3cret@text.example/news",  # no URL, and stored as what it is
]


@pytest.mark.parametrize("term", ["user:s3", "s3cret", "user:", "https://user:s3cret@private.example", LOGIN])
def test_the_login_of_a_url_is_not_found_by_searching(client: Client, term: str) -> None:
    for url in ANY_FEEDS:
        new_feed(url)
    assert found(viewer(client), term) == []


@pytest.mark.parametrize(
    ("term", "urls"),
    [
        ("private.example/new", [LOGIN]),
        ("mail.exam", ["https://user@mail.example/news"]),
        ("https://social.example/@user.rss", ["https://social.example/@user.rss"]),
        ("https://search.example/?q=a@b", ["https://search.example/?q=a@b"]),
        ("https://Example.org", [URL]),
    ],
)
def test_the_host_of_a_url_and_one_without_a_login_are_found(client: Client, term: str, urls: list[str]) -> None:
    for url in ANY_FEEDS:
        new_feed(url)
    assert found(viewer(client), term) == urls


def test_people_who_see_the_login_find_the_url_in_full(client: Client) -> None:
    feed = new_feed(LOGIN)
    alias = "https://user:0ld@private.example/"
    Alias.objects.create(feed=feed, url=alias, url_md5=canonical_urls.url_md5(alias), created_at="2026-11-24T12:00Z")
    editor = viewer(client, "change_feed")
    assert found(editor, LOGIN) == found(editor, alias) == [LOGIN]


@pytest.mark.parametrize("lookup", ["feed__url__startswith", "feed__options__password__startswith"])
def test_a_list_of_entries_cannot_either(admin_client: Client, lookup: str) -> None:
    assert admin_client.get(ENTRIES, {lookup: "https://user:s"}).status_code == 400


@pytest.mark.parametrize("model", [model for model in admin.site._registry if model._meta.app_label == "feeds"])
def test_no_list_is_filtered_or_sorted_by_what_may_hold_a_login(admin_client: Client, model: type[Model]) -> None:
    """Whatever admin is registered next: by every path that leads to a column of a URL or a secret."""
    new_feed(LOGIN)
    page = reverse(f"admin:feeds_{model._meta.model_name}_changelist")
    for path in secret_paths(model):
        for lookup in ("", "__startswith"):
            assert admin_client.get(page, {path + lookup: "https://user:s"}).status_code == 400, path + lookup
    sorts = [f"{sign}{column}" for column in range(1, 8) for sign in ("", "-")]
    queries = [str(admin_client.get(page, {"o": order}).context["cl"].queryset.query) for order in sorts]
    assert not [query for query in queries if re.search(r"ORDER BY.*(url|password|headers|proxy|token)\b", query)]


SECRET = re.compile("url|password|headers|proxy|found_on|moved_to|error_text")


def secret_paths(model: type[Model]) -> list[str]:
    """Return the lookups that lead to a secret: of the model's own columns, and through one relation."""
    paths = []
    for field in model._meta.get_fields():
        if field.is_relation and field.related_model is not None:
            names = [each.name for each in field.related_model._meta.fields if SECRET.search(each.name)]
            paths += [f"{field.name}__{name}" for name in names]
        elif model is not Entry and SECRET.search(field.name):  # an entry's are what the document says
            paths.append(field.name)
    return paths
