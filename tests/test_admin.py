"""The admin, over HTTP as a browser asks for it."""

import html
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dramatiq
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from dramatiq.brokers.redis import RedisBroker

from feeds import canonical_urls, storage, tasks
from feeds.admin import base
from feeds.embedded.broker import EmbeddedBroker
from feeds.exceptions import InvalidURL
from feeds.models import Alias, Entry, Feed, Host, Import
from feeds.outcomes import FailureKind, Outcome
from feeds.planning.values import Circumstances, ImportPlan, NextCheck
from feeds.storage import Subscription
from tests.rigs.people import staff

pytestmark = pytest.mark.django_db

FEEDS = reverse("admin:feeds_feed_changelist")
ENTRIES = reverse("admin:feeds_entry_changelist")
HOSTS = reverse("admin:feeds_host_changelist")
ADD = reverse("admin:feeds_feed_add")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def queue() -> EmbeddedBroker:
    """The queue of this process."""
    broker = dramatiq.get_broker()
    assert isinstance(broker, EmbeddedBroker)
    return broker


def new_feed(url: str = "https://example.com/feed", **fields: object) -> Feed:
    return Feed.objects.create(url=url, **fields)


def new_entry(feed: Feed, number: int = 1, **fields: object) -> Entry:
    digest = number.to_bytes(16)
    values = {"title": f"Entry {number}", "sorted_at": NOON, "first_seen_at": NOON} | fields
    return Entry.objects.create(feed=feed, guid_digest=digest, content_digest=digest, **values)


def page_of(record: Feed | Entry) -> str:
    return reverse(f"admin:feeds_{record._meta.model_name}_change", args=[record.pk])


def text_at(client: Client, url: str, **parameters: object) -> str:
    answer = client.get(url, parameters)
    assert answer.status_code == 200, answer
    return html.unescape(answer.content.decode())


def act(client: Client, action: str, *feeds: Feed) -> str:
    """Run an action on feeds and return the page that follows."""
    answer = client.post(FEEDS, {"action": action, "_selected_action": [feed.pk for feed in feeds]}, follow=True)
    assert answer.status_code == 200, answer
    return html.unescape(answer.content.decode())


NO_ROWS = {f"{rows}-{kind}_FORMS": "0" for rows in ("options", "aliases") for kind in ("TOTAL", "INITIAL")}


def save(client: Client, page: str, **form: str) -> str:
    """Send the form of a feed and return the page that follows."""
    answer = client.post(page, {"folder": "", "fixed_interval": "", **NO_ROWS, **form}, follow=True)
    assert answer.status_code == 200, answer
    return html.unescape(answer.content.decode())


AROUND = ("SAVEPOINT", "ROLLBACK", "RELEASE", "SET")  # queries: PostgreSQL has more of these than SQLite


def queries_of(ask: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return [sql for query in captured if not (sql := query["sql"]).startswith(AROUND)]


# Lists


def test_the_list_of_feeds_takes_as_many_queries_for_twenty_feeds_as_for_one(admin_client: Client) -> None:
    new_feed()
    for_one = queries_of(lambda: admin_client.get(FEEDS))
    for number in range(19):
        new_feed(f"https://example.com/feed/{number}")
    assert len(queries_of(lambda: admin_client.get(FEEDS))) == len(for_one) <= 5


def test_the_list_of_hosts_takes_as_many_queries_for_twenty_hosts_as_for_one(admin_client: Client) -> None:
    new_feed("https://example.com/1")
    for_one = queries_of(lambda: admin_client.get(HOSTS))
    for number in range(19):
        new_feed(f"https://{number}.example/feed")
    assert Host.objects.count() == 20
    assert len(queries_of(lambda: admin_client.get(HOSTS))) == len(for_one) <= 5


def test_the_list_of_entries_takes_as_many_queries_for_twenty_feeds_as_for_one(admin_client: Client) -> None:
    new_entry(new_feed())
    for_one = queries_of(lambda: admin_client.get(ENTRIES))
    for number in range(19):
        new_entry(new_feed(f"https://example.com/feed/{number}"))
    assert len(queries_of(lambda: admin_client.get(ENTRIES))) == len(for_one) <= 5


def test_the_list_of_feeds_counts_once_and_reads_no_digests(admin_client: Client) -> None:
    new_feed()
    queries = queries_of(lambda: admin_client.get(FEEDS))
    assert len([query for query in queries if "COUNT(" in query]) == 1
    assert not [query for query in queries if "seen_digests" in query]


def test_the_list_of_entries_reads_no_texts(admin_client: Client) -> None:
    new_entry(new_feed(), content="<p>long</p>")
    assert not [query for query in queries_of(lambda: admin_client.get(ENTRIES)) if '"content"' in query]


def test_the_list_of_entries_counts_no_further_than_its_cap_and_says_so(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MOST_LISTED", 3)
    feed = new_feed()
    for number in range(5):
        new_entry(feed, number)
    page = text_at(admin_client, ENTRIES)
    assert "The first 3 entries" in page
    assert "Entry 4" in page


def test_an_error_and_the_reason_of_the_next_check_stand_in_the_list_in_words(admin_client: Client) -> None:
    new_feed(
        title="Broken",
        last_outcome=Outcome.FAILED,
        error_kind=FailureKind.NOT_FOUND,
        error_text="HTTP 404",
        error_count=3,
        next_check_reason="failed 3 times",
    )
    page = text_at(admin_client, FEEDS)
    for words in ("Broken", "not found (404), 3 times in a row", "HTTP 404", "failed 3 times", "✗"):
        assert words in page


def test_credentials_of_a_url_stand_in_no_list(admin_client: Client) -> None:
    new_entry(new_feed("https://user:secret@example.com/feed"), title="")
    for url in (FEEDS, ENTRIES):
        page = text_at(admin_client, url)
        assert "example.com" in page
        assert "secret" not in page


def test_people_who_may_only_look_see_no_credentials(client: Client) -> None:
    feed, other = new_feed("https://user:secret@example.com/feed", title="Private"), "https://user:secret@old.example/"
    Alias.objects.create(feed=feed, url=other, url_md5=canonical_urls.url_md5(other), created_at=NOON)
    client.force_login(staff("view_feed"))
    page = text_at(client, page_of(feed))
    assert "example.com/feed" in page
    assert "old.example" in page
    assert "secret" not in page
    assert "DELETE" not in page


def test_feeds_are_filtered_by_status_error_outcome_and_host(admin_client: Client) -> None:
    new_feed(title="Fine", last_outcome=Outcome.UNCHANGED)
    new_feed(
        "https://other.example/feed",
        title="Broken",
        status=Feed.Status.PAUSED,
        error_kind=FailureKind.TLS,
        last_outcome=Outcome.FAILED,
    )
    for name, value in {
        "status__exact": "paused",
        "error_kind__exact": "tls",
        "last_outcome__exact": "failed",
        "host__exact": canonical_urls.host_key("https://other.example/feed"),
    }.items():
        page = text_at(admin_client, FEEDS, **{name: value})
        assert "Broken" in page
        assert "Fine" not in page


# Search


def test_a_url_is_found_by_the_index_of_its_digest(admin_client: Client) -> None:
    new_feed("https://example.com/feed", title="Wanted")
    new_feed("https://example.com/feed/2", title="Another")
    pages: list[str] = []
    queries = queries_of(lambda: pages.append(text_at(admin_client, FEEDS, q=" HTTPS://EXAMPLE.com/feed")))
    assert "Wanted" in pages[0]
    assert "Another" not in pages[0]
    assert not [query for query in queries if "LIKE" in query]


def test_a_host_is_found_by_its_index_and_a_part_of_a_title_among_the_newest_feeds(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_feed("https://example.com/feed", title="First")
    new_feed("https://other.example/feed", title="Second")
    for term in ("https://other.example/", "Other.example", "other.exam"):
        page = text_at(admin_client, FEEDS, q=term)
        assert "Second" in page
        assert "First" not in page
    assert "First" in text_at(admin_client, FEEDS, q="irs")
    monkeypatch.setattr(base, "SEARCHED", 1)
    assert "First" not in text_at(admin_client, FEEDS, q="irs")
    assert "First" in text_at(admin_client, FEEDS, q="example.com")


def test_entries_are_searched_by_title(admin_client: Client) -> None:
    feed = new_feed()
    new_entry(feed, 1, title="Apples")
    new_entry(feed, 2, title="Pears")
    page = text_at(admin_client, ENTRIES, q="pear")
    assert "Pears" in page
    assert "Apples" not in page


# Adding and changing feeds


def test_a_feed_added_by_hand_is_canonical_and_due_at_once(admin_client: Client) -> None:
    save(admin_client, ADD, url=" HTTPS://Example.COM:443/feed#top ", folder="News")
    feed = Feed.objects.get()
    assert feed.url == canonical_urls.canonical_url("https://example.com/feed")
    assert (feed.url_md5, feed.host_id) == (canonical_urls.url_md5(feed.url), canonical_urls.host_key(feed.url))
    assert feed.folder == "News"
    assert feed.next_check_at is not None
    assert feed.next_check_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_what_is_no_url_is_an_error_of_the_form(admin_client: Client) -> None:
    with pytest.raises(InvalidURL) as error:
        canonical_urls.canonical_url("ftp://example.com/feed")
    assert str(error.value) in save(admin_client, ADD, url="ftp://example.com/feed")
    assert not Feed.objects.exists()


def test_a_known_url_is_an_error_of_the_form(admin_client: Client) -> None:
    known, other = new_feed(), new_feed("https://example.com/other")
    assert "There is a feed with this URL already: " in save(admin_client, ADD, url="https://EXAMPLE.com/feed")
    assert "There is a feed with this URL already: " in save(admin_client, page_of(other), url=known.url)
    assert Feed.objects.count() == 2


def test_a_new_url_drops_what_belonged_to_the_old_one(admin_client: Client) -> None:
    feed = new_feed(
        etag='"1"',
        last_modified="Tue, 24 Nov 2026 12:00:00 GMT",
        body_digest=b"1" * 16,
        seen_digests=b"2" * 32,
        revision=7,
        status=Feed.Status.DISABLED,
        error_kind=FailureKind.GONE,
        next_check_at=None,
    )
    save(admin_client, page_of(feed), url="https://example.com/moved")
    feed.refresh_from_db()
    assert feed.url == "https://example.com/moved"
    assert feed.url_md5 == canonical_urls.url_md5(feed.url)
    assert (feed.etag, feed.last_modified, bytes(feed.body_digest), bytes(feed.seen_digests)) == ("", "", b"", b"")
    assert feed.revision == 8
    assert (feed.status, feed.error_kind) == (Feed.Status.ACTIVE, "")
    assert feed.next_check_at is not None


def test_the_url_that_a_feed_had_still_leads_to_it(admin_client: Client) -> None:
    feed, old, new = new_feed(), "https://example.com/feed", "https://example.com/moved"
    save(admin_client, page_of(feed), url=new)
    assert storage.load(old).id == feed.pk
    assert storage.register([Subscription(url=old)]).added == 0
    alias = Alias.objects.get()
    assert (alias.url, alias.reason) == (old, "the URL was changed by admin")
    save(admin_client, page_of(feed), url=old)
    assert list(Alias.objects.values_list("url", flat=True)) == [new]
    assert storage.load(new).url == old


def test_another_url_of_a_feed_is_free_again_once_it_was_removed(client: Client) -> None:
    client.force_login(staff("view_feed", "change_feed", "add_feed"))
    feed, other = new_feed(title="First"), "https://user:secret@example.com/other"
    alias = Alias.objects.create(feed=feed, url=other, url_md5=canonical_urls.url_md5(other), created_at=NOON)
    assert "There is a feed with this URL already: First" in save(client, ADD, url=other)
    page = text_at(client, page_of(feed))
    assert "example.com/other" in page
    assert "secret" not in page
    rows = {"aliases-TOTAL_FORMS": "1", "aliases-INITIAL_FORMS": "1"}
    removed = {"aliases-0-id": str(alias.pk), "aliases-0-feed": str(feed.pk), "aliases-0-DELETE": "on"}
    save(client, page_of(feed), url=feed.url, **rows, **removed)
    save(client, ADD, url=other)
    assert Feed.objects.count() == 2


def test_saving_the_form_writes_nothing_that_workers_write(admin_client: Client) -> None:
    feed = new_feed(etag='"1"')
    queries = queries_of(lambda: save(admin_client, page_of(feed), url=feed.url, folder="News", fixed_interval="900"))
    (update,) = [query for query in queries if query.startswith('UPDATE "feeds_feed"')]
    assert "etag" not in update
    assert "revision" not in update
    feed.refresh_from_db()
    assert (feed.folder, feed.fixed_interval, feed.etag) == ("News", 900, '"1"')


def test_a_feed_is_deleted_with_its_entries_which_are_counted_not_listed(admin_client: Client) -> None:
    feed = new_feed("https://user:secret@example.com/feed", title="Old")
    new_entry(feed, 1)
    new_entry(feed, 2)
    delete = reverse("admin:feeds_feed_delete", args=[feed.pk])
    page = text_at(admin_client, delete)
    assert "entries: 2" in page.lower()
    assert "Entry 1" not in page
    assert "secret" not in page
    admin_client.post(delete, {"post": "yes"})
    assert not Feed.objects.exists()
    assert not Entry.objects.exists()


# Actions


def test_pause_counts_the_feeds_it_paused(admin_client: Client) -> None:
    feeds = [new_feed("https://example.com/1"), new_feed("https://example.com/2", status=Feed.Status.PAUSED)]
    assert "1 feed paused." in act(admin_client, "pause", *feeds)
    assert set(Feed.objects.values_list("status", flat=True)) == {"paused"}
    assert not Feed.objects.due(NOON + timedelta(days=9999)).exists()


def test_a_resumed_feed_is_due_and_has_no_error(admin_client: Client) -> None:
    disabled = new_feed(
        "https://example.com/1",
        status=Feed.Status.DISABLED,
        status_reason="gone",
        error_kind=FailureKind.GONE,
        error_text="HTTP 410",
        error_count=9,
        failing_since=NOON,
        next_check_at=None,
    )
    paused = new_feed("https://example.com/2", status=Feed.Status.PAUSED, next_check_at=None)
    assert "2 feeds resumed" in act(admin_client, "resume", disabled, paused)
    assert Feed.objects.due(datetime.now(UTC)).count() == 2
    disabled.refresh_from_db()
    assert (disabled.error_kind, disabled.error_text, disabled.error_count, disabled.failing_since) == ("", "", 0, None)


def test_an_import_under_way_does_not_undo_a_pause(admin_client: Client) -> None:
    feed = new_feed()
    known = storage.load(feed.url)
    act(admin_client, "pause", feed)
    next_check = NextCheck(at=NOON, reason="", interval=3600)
    at_noon = Circumstances(started_at=NOON, now=NOON, jitter=0.0)
    report = storage.apply(
        ImportPlan(feed=known, outcome=Outcome.UNCHANGED, circumstances=at_noon, next_check=next_check)
    )
    assert report.outcome == Outcome.SUPERSEDED
    feed.refresh_from_db()
    assert feed.status == Feed.Status.PAUSED


@pytest.mark.django_db(transaction=True)
def test_import_now_goes_through_the_queue(admin_client: Client, queue: EmbeddedBroker) -> None:
    feeds = [new_feed(f"http://127.0.0.1:9/{number}", next_check_at=None) for number in range(2)]
    assert "2 feeds queued for import." in act(admin_client, "import_now", *feeds)
    assert queue.drain(10)
    assert set(Feed.objects.values_list("error_kind", flat=True)) == {FailureKind.REFUSED_ADDRESS}


@pytest.mark.django_db(transaction=True)
def test_import_now_says_that_a_paused_feed_stays_as_it_is(admin_client: Client, queue: EmbeddedBroker) -> None:
    feed = new_feed(status=Feed.Status.PAUSED)
    page = act(admin_client, "import_now", feed)
    assert "1 feed paused: not imported until resumed." in page
    assert "queued for import" not in page


def test_a_broker_that_is_down_is_an_error_message_without_credentials(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.import_feed, "broker", RedisBroker(url="redis://user:secret@127.0.0.1:9/0"))
    page = act(admin_client, "import_now", new_feed())
    assert "The queue failed. ConnectionError" in page
    assert "queued for import" not in page
    assert "secret" not in page


# Entries


def test_the_page_of_a_feed_leads_to_its_entries(admin_client: Client) -> None:
    feed, other = new_feed(), new_feed("https://example.com/other")
    new_entry(feed, 1, title="Older", sorted_at=NOON)
    new_entry(feed, 2, title="Newer", sorted_at=NOON + timedelta(hours=1))
    new_entry(other, 3, title="Foreign")
    link = f"{ENTRIES}?feed__id__exact={feed.pk}"
    page = text_at(admin_client, page_of(feed))
    assert link in page
    assert "2 entries" in page
    page = text_at(admin_client, link)
    assert page.index("Newer") < page.index("Older")
    assert "Foreign" not in page


def test_the_html_of_an_entry_stands_in_a_frame_without_scripts_or_loads(admin_client: Client) -> None:
    entry = new_entry(new_feed(), content='<p title="a">Text</p><script>alert(1)</script>')
    page = admin_client.get(page_of(entry)).content.decode()
    assert "<script>alert" not in page
    frame = page[page.index("<iframe") : page.index("</iframe>")]
    assert "allow-scripts" not in frame
    assert "allow-same-origin" not in frame
    assert "default-src &#x27;none&#x27;" in frame
    assert "&lt;p title=&quot;a&quot;&gt;Text&lt;/p&gt;" in frame


def test_an_entry_links_to_the_web_only(admin_client: Client) -> None:
    feed = new_feed()
    assert 'href="https://example.com/a"' in text_at(
        admin_client, page_of(new_entry(feed, 1, url="https://example.com/a"))
    )
    assert 'href="javascript:' not in text_at(admin_client, page_of(new_entry(feed, 2, url="javascript:alert(1)")))


def test_entries_are_read_only(admin_client: Client) -> None:
    entry = new_entry(new_feed())
    assert admin_client.get(reverse("admin:feeds_entry_add")).status_code == 403
    assert admin_client.post(page_of(entry), {}).status_code == 403
    assert admin_client.get(reverse("admin:feeds_entry_delete", args=[entry.pk])).status_code == 403


# Hosts


def test_a_host_gets_a_delay_of_its_own_and_keeps_its_counters(admin_client: Client) -> None:
    Host.objects.create(name="slow.example", requests=7)
    page = reverse("admin:feeds_host_change", args=["slow.example"])
    answer = admin_client.post(page, {"delay": "60", "paused_until_0": "", "paused_until_1": ""})
    assert answer.status_code == 302
    host = Host.objects.get()
    assert (host.name, host.delay, host.requests) == ("slow.example", 60.0, 7)
    assert "slow.example" in text_at(admin_client, HOSTS)


def test_a_host_tells_its_pause_and_how_long_its_queue_is(admin_client: Client) -> None:
    now = datetime.now(UTC)
    pause = {"paused_until": now + timedelta(hours=2.1), "pause_reason": "429"}
    Host.objects.create(name="slow.example", slot_at=now + timedelta(seconds=130), **pause)
    page = text_at(admin_client, HOSTS).replace("\xa0", " ")
    assert "‖</span> paused for 2 hours: 429" in page
    assert "host__exact=slow.example" in page
    assert "the next free slot is in 2 min" in page


def test_a_host_can_be_given_a_delay_before_its_first_feed(admin_client: Client) -> None:
    admin_client.post(reverse("admin:feeds_host_add"), {"name": "new.example", "delay": "5"})
    assert Host.objects.get().delay == 5.0


def test_only_a_host_that_no_feed_refers_to_can_be_deleted(admin_client: Client) -> None:
    new_feed("https://used.example/feed")
    Host.objects.create(name="unused.example")
    for name in ("used.example", "unused.example"):
        admin_client.post(reverse("admin:feeds_host_delete", args=[name]), {"post": "yes"})
    assert Host.objects.get().name == "used.example"


def test_a_host_is_not_paused_for_longer_than_is_believed(admin_client: Client) -> None:
    Host.objects.create(name="slow.example")
    page = reverse("admin:feeds_host_change", args=["slow.example"])
    answer = admin_client.post(page, {"delay": "", "paused_until_0": "2199-01-01", "paused_until_1": "00:00"})
    assert "A pause ends within 14 days." in answer.content.decode()
    assert Host.objects.get().paused_until is None


# History


def test_the_page_of_a_feed_tells_what_its_imports_did_in_one_query(admin_client: Client) -> None:
    feed = new_feed(unchanged_count=7)
    bare = queries_of(lambda: admin_client.get(page_of(feed)))
    failed = {"outcome": Outcome.FAILED, "error_kind": FailureKind.TLS, "error_text": "<b>expired</b>"}
    for number in range(1, 4):
        Import.objects.create(feed=feed, number=number, started_at=NOON, asked_by="person", new=number)
    Import.objects.create(feed=feed, number=4, started_at=NOON, asked_by="schedule", unchanged_before=12, **failed)
    pages: list[str] = []
    assert len(queries_of(lambda: pages.append(admin_client.get(page_of(feed)).content.decode()))) == len(bare)
    page = pages[0]
    assert "since then 7 checks found nothing new" in page
    assert "before it 12 checks found nothing new" in page
    assert "no trusted TLS connection" in page
    assert "&lt;b&gt;expired&lt;/b&gt;" in page
    assert page.index("✗") < page.index("3 new, 0 changed") < page.index("1 new, 0 changed")
