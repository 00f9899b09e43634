"""What people do in the admin, over HTTP as a browser asks for it."""

import html
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from dramatiq.brokers.redis import RedisBroker

from feeds import opml, storage, tasks
from feeds.admin import base
from feeds.embedded.broker import EmbeddedBroker
from feeds.models import Feed
from tests.rigs.people import staff
from tests.rigs.servers.feed_server import FeedServer
from tests.test_admin import FEEDS, act, new_entry, new_feed, page_of, queue, save, text_at

__all__ = ["queue"]

pytestmark = pytest.mark.django_db

# The list


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"checked_at": timezone.now()}, "✓</span> well"),
        ({}, "…</span> not checked yet"),
        ({"error_kind": "dns", "error_count": 3}, "✗</span> the host name does not resolve, 3 times in a row"),
        ({"status": "paused", "status_reason": "by admin"}, "‖</span> paused by admin"),
        ({"status": "disabled", "status_reason": "gone"}, "■</span> disabled: gone"),
    ],
)
def test_a_state_is_told_by_a_sign_and_in_words(admin_client: Client, fields: dict[str, Any], words: str) -> None:
    new_feed(**fields)
    assert words in text_at(admin_client, FEEDS)


def test_the_next_check_is_told_as_a_duration_with_its_reason(admin_client: Client) -> None:
    now = timezone.now()
    new_feed("https://a.example/", next_check_at=now + timedelta(hours=3.1), next_check_reason="learned interval 4 h")
    new_feed("https://b.example/", next_check_at=now - timedelta(hours=2.1))
    page = text_at(admin_client, FEEDS).replace("\xa0", " ")
    assert ">in 3 hours</time>" in page
    assert "learned interval 4 h" in page
    assert ">due for 2 hours</time>" in page


def test_feeds_are_filtered_by_how_they_are_and_by_groups_of_errors(admin_client: Client) -> None:
    soon, now = timezone.now() + timedelta(hours=1), timezone.now()
    kinds = {"late": {"next_check_at": now - timedelta(hours=1), "checked_at": now, "title": "Late"}}
    kinds["failing"] = {"error_kind": "dns", "next_check_at": soon, "checked_at": now, "title": "Failing"}
    kinds["paused"] = {"status": "paused", "error_kind": "gone", "title": "Paused"}
    kinds["disabled"] = {"status": "disabled", "title": "Disabled"}
    kinds["never checked"] = {"next_check_at": soon, "title": "Never"}
    for number, fields in enumerate(kinds.values()):
        new_feed(f"https://example.com/{number}", **fields)
    for state, fields in kinds.items():
        page = text_at(admin_client, FEEDS, state=state)
        listed = [one["title"] for one in kinds.values() if f">{one['title']}<br>" in page]
        assert listed == [fields["title"]]
    assert ">Failing<br>" in text_at(admin_client, FEEDS, why="the network")
    assert ">Failing<br>" not in text_at(admin_client, FEEDS, why="nothing is there")


def test_the_site_shows_no_table_of_another_app_that_stays_empty(admin_client: Client) -> None:
    page = text_at(admin_client, reverse("admin:index"))
    assert "Dramatiq" not in page
    assert "/admin/feeds/feed/" in page


# Actions


def test_a_disabled_feed_is_polled_no_more(admin_client: Client) -> None:
    feeds = [new_feed("https://example.com/1"), new_feed("https://example.com/2", status="disabled")]
    assert "1 feed disabled." in act(admin_client, "disable", *feeds)
    feed = Feed.objects.get(pk=feeds[0].pk)
    assert (feed.status, feed.status_reason, feed.next_check_at, feed.revision) == ("disabled", "by admin", None, 1)


def test_what_the_server_said_is_forgotten_for_a_check_as_if_new(admin_client: Client) -> None:
    feed = new_feed(etag='"1"', last_modified="x", body_digest=b"1" * 16, seen_digests=b"2" * 16, next_check_at=None)
    assert "1 feed to be checked as if new." in act(admin_client, "check_as_new", feed)
    feed.refresh_from_db()
    assert (feed.etag, feed.last_modified, bytes(feed.body_digest), bytes(feed.seen_digests)) == ("", "", b"", b"")
    assert Feed.objects.due(datetime.now(UTC)).exists()


def test_feeds_are_moved_to_a_folder(admin_client: Client) -> None:
    feeds = [new_feed("https://example.com/1"), new_feed("https://example.com/2", folder="Old")]
    form = {"action": "move_to_folder", "_selected_action": [feed.pk for feed in feeds], "folder": " News/World "}
    page = html.unescape(admin_client.post(FEEDS, form, follow=True).content.decode())
    assert "2 feeds moved to News/World." in page
    assert set(Feed.objects.values_list("folder", flat=True)) == {"News/World"}


def test_the_selected_feeds_are_exported_as_opml_without_logins(admin_client: Client) -> None:
    feeds = [
        new_feed("https://user:secret@example.com/1", folder="B", title="One"),
        new_feed("https://example.com/2", folder="A", title="Two"),
        new_feed("https://example.com/3", folder="B", title="Three"),
    ]
    form = {"action": "export", "_selected_action": [feed.pk for feed in feeds]}
    body = admin_client.post(FEEDS, form).content
    assert b"secret" not in body
    assert [(each.folder, each.title) for each in opml.outlines(body)] == [("A", "Two"), ("B", "One"), ("B", "Three")]


# One feed


def test_an_interval_is_written_as_a_duration(admin_client: Client) -> None:
    feed = new_feed()
    save(admin_client, page_of(feed), url=feed.url, fixed_interval="1 h 30 min")
    feed.refresh_from_db()
    assert feed.fixed_interval == 5_400
    assert 'value="1 h 30 min"' in text_at(admin_client, page_of(feed))
    assert "is no duration" in save(admin_client, page_of(feed), url=feed.url, fixed_interval="often")
    save(admin_client, page_of(feed), url=feed.url, fixed_interval="")
    feed.refresh_from_db()
    assert feed.fixed_interval is None


def import_page(feed: Feed) -> str:
    return reverse("admin:feeds_feed_import", args=[feed.pk])


@pytest.mark.django_db(transaction=True)
def test_an_import_by_hand_says_what_came_of_it(admin_client: Client, queue: EmbeddedBroker, settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ("127.0.0.0/8",)
    with FeedServer() as server:
        server.routes = {"/feed": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}
        feed = new_feed(server.url("/feed"))
        page = text_at(admin_client, page_of(feed))
        assert page.index(f'action="{import_page(feed)}"') < page.index('id="feed_form"'), "Enter in a field must save"
        answer = admin_client.post(import_page(feed), {}, follow=True)
    assert answer.redirect_chain[-1][0] == page_of(feed)
    assert "The import failed: the server answered 404" in html.unescape(answer.content.decode())
    assert feed.imports.get().asked_by == "person"


def test_an_import_by_hand_is_for_those_who_may_change_feeds(client: Client) -> None:
    feed = new_feed()
    client.force_login(staff("view_feed"))
    assert import_page(feed) not in text_at(client, page_of(feed))
    assert client.post(import_page(feed)).status_code == 403
    User.objects.all().delete()
    client.force_login(staff("view_feed", "change_feed"))
    assert client.get(import_page(feed)).status_code == 405


# One entry


def test_pictures_of_an_entry_are_loaded_when_asked_for(admin_client: Client) -> None:
    entry = new_entry(new_feed(), content='<p>Text <img src="https://tracker.example/1.png"></p>')
    page = text_at(admin_client, page_of(entry))
    assert "img-src" not in page
    assert 'href="?pictures"' in page
    page = text_at(admin_client, page_of(entry), pictures="")
    assert "default-src 'none'; img-src http: https:; style-src" in page
    assert "allow-scripts" not in page


# Uploads

UPLOAD = reverse("admin:feeds_feed_upload")
OPML = """<opml version="2.0"><body><outline text="News">
<outline type="rss" text="One" xmlUrl="https://example.com/1"/>
<outline type="rss" text="Two" xmlUrl="https://user:secret@example.com/2"/>
<outline type="rss" text="Broken" xmlUrl="ftp://example.com/3"/>
</outline></body></opml>"""


def upload(client: Client, text: str) -> str:
    answer = client.post(UPLOAD, {"file": SimpleUploadedFile("subscriptions.opml", text.encode())})
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def test_an_upload_is_shown_before_anything_is_added(admin_client: Client) -> None:
    new_feed("https://example.com/1")
    assert UPLOAD in text_at(admin_client, FEEDS)
    page = upload(admin_client, OPML)
    assert "1 new, 1 known, 0 named twice, 1 broken" in page
    assert "<td>4</td>" in page, "the line that is broken"
    assert Feed.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_was_shown_is_added_and_queued(admin_client: Client, queue: EmbeddedBroker) -> None:
    text = OPML.replace("user:secret@", "").replace("https://example.com", "http://127.0.0.1:9")
    page = upload(admin_client, text)
    assert "2 new" in page
    page = html.unescape(admin_client.post(UPLOAD, {"text": text}, follow=True).content.decode())
    assert "2 feeds added, 0 known." in page
    assert "1 line could not be read." in page
    assert set(Feed.objects.values_list("folder", flat=True)) == {"News"}


@pytest.mark.django_db(transaction=True)
def test_a_list_as_large_as_may_be_is_added_the_way_its_form_says(admin_client: Client, queue: EmbeddedBroker) -> None:
    comment = "<!-- " + '"é" ' * 300_000 + "-->"  # percent-encoded it would be more than Django takes
    outlines = OPML.replace("user:secret@", "").replace("https://example.com", "http://127.0.0.1:9")
    page = upload(admin_client, comment + outlines)
    assert "2 new" in page
    text = page.partition('<textarea name="text" hidden>\n')[2].partition("</textarea>")[0]
    token = {"csrfmiddlewaretoken": ""}
    if 'method="post" enctype="multipart/form-data"' in page:
        answer = admin_client.post(UPLOAD, token | {"text": text})
    else:
        encoded = urlencode(token | {"text": text})
        answer = admin_client.post(UPLOAD, encoded, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 302
    assert Feed.objects.count() == 2


def test_an_upload_that_the_broker_does_not_take_is_stored_and_says_so_once(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.import_feed, "broker", RedisBroker(url="redis://127.0.0.1:9/0"))
    text = "\n".join(f"http://127.0.0.1:9/{number}" for number in range(storage.CHUNK + 1))
    page = html.unescape(admin_client.post(UPLOAD, {"text": text}, follow=True).content.decode())
    assert "501 feeds added, 0 known." in page
    assert page.count("The queue failed.") == 1
    assert Feed.objects.due(timezone.now()).count() == storage.CHUNK + 1


def test_uploads_are_for_those_who_may_add_feeds_and_not_too_large(client: Client) -> None:
    client.force_login(staff("view_feed", "change_feed"))
    assert client.get(UPLOAD).status_code == 403
    User.objects.all().delete()
    client.force_login(staff("view_feed", "add_feed"))
    assert "More than 2 MB" in upload(client, "x" * 2_000_001)
    assert "The submitted file is empty" in upload(client, "")


def test_no_list_counts_further_than_anybody_pages(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_LISTED", 3)
    for number in range(5):
        new_feed(f"https://example.com/{number}", title=f"Feed {number}")
    page = text_at(admin_client, FEEDS)
    assert "The first 3 feeds" in page
    assert "sortable column-next_check" in page
    assert "sortable column-name" not in page


def test_by_the_next_check_the_feeds_are_sorted_that_have_one(admin_client: Client) -> None:
    now = timezone.now()
    for number in (2, 1):
        new_feed(f"https://example.com/{number}", title=f"Feed {number}", next_check_at=now + timedelta(hours=number))
    new_feed("https://example.com/3", title="Paused", status="paused")
    page = text_at(admin_client, FEEDS, o="3")
    assert page.index("Feed 1") < page.index("Feed 2")
    assert "Paused" not in page
    assert "Paused" in text_at(admin_client, FEEDS, o="2")
