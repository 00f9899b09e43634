"""What the admin keeps to itself: logins in URLs, and the secrets with which a feed is fetched."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.views.debug import SafeExceptionReporterFilter

from feeds import canonical_urls
from feeds.models import Alias, Entry, Feed, FetchOptions
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


# Secrets of a feed


SECRETS = {"password": "hunter2", "headers": "X-Key: s3cr3t", "proxy": PROXY}


@pytest.fixture
def feed() -> Feed:
    feed = new_feed()
    FetchOptions.objects.create(
        feed=feed, username="ann", password="hunter2", headers=[["X-Key", "s3cr3t"]], proxy=PROXY
    )
    return feed


def save(client: Client, feed: Feed, url: str = URL, **options: str) -> Any:
    """Send the form of a feed that has options; a test names what it is about."""
    fields = {"username": "ann", "verify_tls": "on", **dict.fromkeys(SECRETS, ""), **options}
    data = {
        "url": url,
        "folder": "",
        "aliases-TOTAL_FORMS": "0",
        "aliases-INITIAL_FORMS": "0",
        "options-TOTAL_FORMS": "1",
        "options-INITIAL_FORMS": "1",
        "options-0-feed": str(feed.pk),
        **{f"options-0-{name}": value for name, value in fields.items() if value is not None},
    }
    return client.post(reverse("admin:feeds_feed_change", args=[feed.pk]), data)


def errors_of(response: Any) -> dict[str, list[str]]:
    """Return the errors of the options' form by field."""
    formsets = [inline.formset for inline in response.context["inline_admin_formsets"]]
    (errors,) = [formset.errors[0] for formset in formsets if formset.prefix == "options"]
    return errors


def test_what_is_entered_stands_in_no_report_of_an_error(admin_client: Client, feed: Feed) -> None:
    request = save(admin_client, feed, password="n3w").wsgi_request
    shown = SafeExceptionReporterFilter().get_post_parameters(request)
    assert shown["options-0-password"] == shown["url"] == SafeExceptionReporterFilter.cleansed_substitute


CHANGES: list[dict[str, Any]] = [
    {"url": "https://evil.example/feed"},
    {"url": "http://example.org/feed"},
    {"url": "https://example.org:8443/feed"},
    {"verify_tls": None},
    {"proxy": "http://evil.example:3128"},
    {"clear_proxy": "on"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_secrets_are_entered_anew_when_they_would_go_elsewhere(
    admin_client: Client, feed: Feed, change: dict[str, Any]
) -> None:
    response = save(admin_client, feed, **change)
    assert response.status_code == 200
    errors = errors_of(response)
    kept = SECRETS.keys() - {name.removeprefix("clear_") for name in change}
    assert errors.keys() == kept
    assert all("Enter it again, or clear it" in text for texts in errors.values() for text in texts)
    feed.refresh_from_db()
    assert (feed.url, FetchOptions.objects.get().proxy) == (URL, PROXY)


@pytest.mark.parametrize("change", CHANGES)
def test_secrets_entered_anew_are_stored(admin_client: Client, feed: Feed, change: dict[str, Any]) -> None:
    entered = {name: value for name, value in SECRETS.items() if f"clear_{name}" not in change}
    assert save(admin_client, feed, **{**entered, **change}).status_code == 302
    feed.refresh_from_db()
    assert feed.url == change.get("url", URL)
    assert FetchOptions.objects.get().password == "hunter2"


def test_cleared_secrets_are_not_asked_for(admin_client: Client, feed: Feed) -> None:
    boxes = {f"clear_{name}": "on" for name in SECRETS}
    assert save(admin_client, feed, url="https://other.example/", **boxes).status_code == 302
    options = FetchOptions.objects.get()
    assert (options.password, options.headers, options.proxy) == ("", [], "")


def test_another_path_of_the_same_origin_keeps_the_secrets(admin_client: Client, feed: Feed) -> None:
    assert save(admin_client, feed, url="https://example.org/other").status_code == 302
    assert FetchOptions.objects.get().password == "hunter2"


@pytest.mark.parametrize(
    "left_out", [{"options-TOTAL_FORMS": "0", "options-INITIAL_FORMS": "0"}, {"options-TOTAL_FORMS": "0"}]
)
def test_the_options_cannot_be_left_out_of_the_form(admin_client: Client, feed: Feed, left_out: dict[str, str]) -> None:
    data = {"url": "https://evil.example/", "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0"}
    data |= {"options-TOTAL_FORMS": "1", "options-INITIAL_FORMS": "1", **left_out}
    assert admin_client.post(reverse("admin:feeds_feed_change", args=[feed.pk]), data).status_code == 200
    feed.refresh_from_db()
    assert feed.url == URL


@pytest.mark.parametrize("name", ["Host", "content-length", "RANGE", "If-None-Match", "Proxy-Authorization"])
def test_a_header_that_is_not_sent_is_refused(admin_client: Client, feed: Feed, name: str) -> None:
    response = save(admin_client, feed, headers=f"X-Key: 1\n{name}: 2")
    assert f"{name}: not sent, since the importer sets or leaves out such headers itself." in response.content.decode()
    assert FetchOptions.objects.get().headers == [["X-Key", "s3cr3t"]]


@pytest.mark.parametrize(
    "proxy",
    ["proxy.example:3128", "socks4://proxy.example", "ftp://proxy.example", "http://proxy.example/path", "http://"],
)
def test_a_proxy_is_a_url_with_no_path(admin_client: Client, feed: Feed, proxy: str) -> None:
    response = save(admin_client, feed, **{**SECRETS, "proxy": proxy})
    assert response.status_code == 200
    errors = errors_of(response)
    assert list(errors) == ["proxy"]
