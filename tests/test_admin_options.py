"""The form of how a feed is fetched: what it takes, and that its secrets go in and never come out."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.views.debug import SafeExceptionReporterFilter

from feeds import storage
from feeds.models import Feed, FetchOptions
from tests.rigs.people import staff

pytestmark = pytest.mark.django_db

URL = "https://example.org/feed"
PROXY = "http://ann:pr0xy@proxy.example:3128/"
SECRETS = {"password": "hunter2", "headers": "X-Key: s3cr3t", "proxy": PROXY}
HEADERS = [["X-Key", "s3cr3t"]]  # as they are stored


@pytest.fixture
def feed() -> Feed:
    return Feed.objects.create(url=URL)


@pytest.fixture
def with_secrets(feed: Feed) -> None:
    FetchOptions.objects.create(feed=feed, username="ann", password="hunter2", headers=HEADERS, proxy=PROXY)


def page_of(feed: Feed) -> str:
    return reverse("admin:feeds_feed_change", args=[feed.pk])


def save(client: Client, feed: Feed, url: str = URL, **options: str | None) -> Any:
    """Send the form, as a browser does; a test names what it is about."""
    fields = {"verify_tls": "on", **dict.fromkeys(SECRETS, ""), **options}
    data = {
        "url": url,
        "folder": "",
        "aliases-TOTAL_FORMS": "0",
        "aliases-INITIAL_FORMS": "0",
        "options-TOTAL_FORMS": "1",
        "options-INITIAL_FORMS": str(FetchOptions.objects.filter(feed=feed).count()),
        "options-0-feed": str(feed.pk),
        **{f"options-0-{name}": value for name, value in fields.items() if value is not None},
    }
    return client.post(page_of(feed), data)


def stored() -> FetchOptions:
    return FetchOptions.objects.get()


def errors_of(response: Any) -> dict[str, list[str]]:
    """Return the errors of the options' form by field."""
    formsets = [inline.formset for inline in response.context["inline_admin_formsets"]]
    (errors,) = [formset.errors[0] for formset in formsets if formset.prefix == "options"]
    return errors


def test_a_feed_saved_without_options_gets_none(admin_client: Client, feed: Feed) -> None:
    assert save(admin_client, feed).status_code == 302
    assert not FetchOptions.objects.exists()


def test_options_are_stored(admin_client: Client, feed: Feed) -> None:
    response = save(
        admin_client,
        feed,
        user_agent="Reader/1",
        username="ann",
        password=SECRETS["password"],
        headers="X-Key: s3cr3t\nX-Other:  two ",
        proxy=PROXY,
        deadline="20",
    )
    assert response.status_code == 302
    options = stored()
    assert options.headers == [["X-Key", "s3cr3t"], ["X-Other", "two"]]
    request = storage.load(URL).request
    assert (request.user_agent, request.username, request.password) == ("Reader/1", "ann", SECRETS["password"])
    assert request.headers == (("X-Key", "s3cr3t"), ("X-Other", "two"))
    assert (request.proxy, request.deadline, request.verify_tls) == (PROXY, 20.0, True)


@pytest.mark.usefixtures("with_secrets")
def test_secrets_are_never_shown(admin_client: Client, feed: Feed) -> None:
    page = admin_client.get(page_of(feed)).content.decode()
    assert "Stored and not shown" in page
    assert not any(secret in page for secret in (SECRETS["password"], "s3cr3t", "pr0xy"))


@pytest.mark.usefixtures("with_secrets")
def test_empty_keeps_a_secret_and_a_box_clears_it(admin_client: Client, feed: Feed) -> None:
    assert save(admin_client, feed, username="bob").status_code == 302
    assert (stored().username, stored().password, stored().headers) == ("bob", SECRETS["password"], HEADERS)
    assert stored().proxy == PROXY
    save(admin_client, feed, clear_password="on", clear_headers="on")
    assert (stored().password, stored().headers, stored().proxy) == ("", [], PROXY)
    save(admin_client, feed, password="new", clear_proxy="on")
    assert (stored().password, stored().proxy) == ("new", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"headers": "no colon"}, "a name, a colon and a value"),
        ({"headers": "X Y: 1"}, "a name that cannot be sent"),
        ({"deadline": "0"}, "greater than or equal to 1"),
        ({"deadline": "280"}, "less than 280"),
        ({"user_agent": "a\x01b"}, "control character"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_shown_again(
    admin_client: Client, feed: Feed, options: dict[str, str], words: str
) -> None:
    response = save(admin_client, feed, password=SECRETS["password"], **options)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert SECRETS["password"] not in response.content.decode()
    assert not FetchOptions.objects.exists()


@pytest.mark.usefixtures("with_secrets")
def test_who_may_only_look_sees_no_options(client: Client, feed: Feed) -> None:
    client.force_login(staff("view_feed"))
    page = client.get(page_of(feed)).content.decode()
    assert "how it is fetched" not in page.lower()
    assert "ann" not in page.replace("channel", "")


# Where secrets go


@pytest.mark.usefixtures("with_secrets")
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
@pytest.mark.usefixtures("with_secrets")
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
    assert (feed.url, stored().proxy) == (URL, PROXY)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("with_secrets")
def test_secrets_entered_anew_are_stored(admin_client: Client, feed: Feed, change: dict[str, Any]) -> None:
    entered = {name: value for name, value in SECRETS.items() if f"clear_{name}" not in change}
    assert save(admin_client, feed, **{**entered, **change}).status_code == 302
    feed.refresh_from_db()
    assert feed.url == change.get("url", URL)
    assert stored().password == "hunter2"


@pytest.mark.usefixtures("with_secrets")
def test_cleared_secrets_are_not_asked_for(admin_client: Client, feed: Feed) -> None:
    boxes = {f"clear_{name}": "on" for name in SECRETS}
    assert save(admin_client, feed, url="https://other.example/", **boxes).status_code == 302
    options = stored()
    assert (options.password, options.headers, options.proxy) == ("", [], "")


@pytest.mark.usefixtures("with_secrets")
def test_another_path_of_the_same_origin_keeps_the_secrets(admin_client: Client, feed: Feed) -> None:
    assert save(admin_client, feed, url="https://example.org/other").status_code == 302
    assert stored().password == "hunter2"


@pytest.mark.parametrize(
    "left_out", [{"options-TOTAL_FORMS": "0", "options-INITIAL_FORMS": "0"}, {"options-TOTAL_FORMS": "0"}]
)
@pytest.mark.usefixtures("with_secrets")
def test_the_options_cannot_be_left_out_of_the_form(admin_client: Client, feed: Feed, left_out: dict[str, str]) -> None:
    data = {"url": "https://evil.example/", "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0"}
    data |= {"options-TOTAL_FORMS": "1", "options-INITIAL_FORMS": "1", **left_out}
    assert admin_client.post(page_of(feed), data).status_code == 200
    feed.refresh_from_db()
    assert feed.url == URL


@pytest.mark.parametrize("name", ["Host", "content-length", "RANGE", "If-None-Match", "Proxy-Authorization"])
@pytest.mark.usefixtures("with_secrets")
def test_a_header_that_is_not_sent_is_refused(admin_client: Client, feed: Feed, name: str) -> None:
    response = save(admin_client, feed, headers=f"X-Key: 1\n{name}: 2")
    assert f"{name}: not sent, since the importer sets or leaves out such headers itself." in response.content.decode()
    assert stored().headers == HEADERS


@pytest.mark.parametrize(
    "proxy",
    ["proxy.example:3128", "socks4://proxy.example", "ftp://proxy.example", "http://proxy.example/path", "http://"],
)
@pytest.mark.usefixtures("with_secrets")
def test_a_proxy_is_a_url_with_no_path(admin_client: Client, feed: Feed, proxy: str) -> None:
    response = save(admin_client, feed, **{**SECRETS, "proxy": proxy})
    assert response.status_code == 200
    errors = errors_of(response)
    assert list(errors) == ["proxy"]
