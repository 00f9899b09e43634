"""`manage.py import_feeds`, with the embedded broker and a server of our own."""

import io
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from feeds import locking, storage, tasks
from feeds.models import Entry, Feed
from feeds.storage import Subscription
from feeds_project import samples
from tests.commands.test_progress import Terminal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_HOST_DELAY = 0.0


@pytest.fixture
def server() -> Iterator[samples.SampleServer]:
    with samples.serving(delay=0) as server:
        yield server


class Run:
    """One run of the command: its exit code and what it printed."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.code, self.error = 0, ""
        try:
            call_command("import_feeds", *arguments, stdout=out, stderr=err, **options)
        except CommandError as error:
            self.code, self.error = error.returncode, str(error)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def summary(self) -> str:
        return self.out.splitlines()[-1]


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def queued() -> int:
    return sum(queue.qsize() for queue in tasks.import_feed.broker.queues.values())


def test_what_came_of_it_is_printed_as_json_on_request(server: samples.SampleServer) -> None:
    run = Run(server.url("news.rss"), server.url("gone-missing.rss"), format="json")
    came = json.loads(run.out)
    assert run.code == 1
    counts = {name: came[name] for name in ("added", "bad_lines", "sent", "imported", "failed", "outstanding")}
    assert counts == {"added": 2, "bad_lines": 0, "sent": 2, "imported": 1, "failed": 1, "outstanding": 0}
    assert came["new_entries"] == Entry.objects.count()
    assert [failure["url"] for failure in came["failures"]] == [server.url("gone-missing.rss")]
    assert run.err == ""


def test_feeds_go_through_the_queue_into_the_database(server: samples.SampleServer) -> None:
    run = Run(server.url("news.rss"), server.url("journal.atom"))
    assert (run.code, run.error) == (0, "")
    assert run.summary == "2 feeds: 2 imported, 0 unchanged, 0 failed; 5 new entries"
    assert Entry.objects.count() == 5


def test_a_second_run_finds_them_unchanged(server: samples.SampleServer) -> None:
    Run(server.url("news.rss"))
    run = Run(server.url("news.rss"))
    assert (run.code, run.summary) == (0, "1 feed: 0 imported, 1 unchanged, 0 failed; 0 new entries")
    assert server.asked["news.rss"].conditional == 1


def test_full_fetches_and_reads_what_was_seen_before(server: samples.SampleServer) -> None:
    Run(server.url("news.rss"))
    Entry.objects.all()[:1].get().delete()
    run = Run("--all", "--full")
    assert (run.code, server.asked["news.rss"].conditional) == (0, 0)
    assert Entry.objects.count() == 3


def test_a_failed_feed_is_named_in_words_and_the_exit_code_is_1(server: samples.SampleServer) -> None:
    run = Run(server.url("news.rss"), server.url("gone-missing.rss"))
    assert (run.code, run.error) == (1, "1 feed failed.")
    assert "1 imported, 0 unchanged, 1 failed" in run.summary
    (line,) = [line for line in run.out.splitlines() if "gone-missing.rss" in line]
    assert "404" in line


def test_duplicates_known_feeds_and_bad_lines_are_counted_and_stop_nothing(
    server: samples.SampleServer, tmp_path: Path
) -> None:
    Run(server.url("news.rss"))
    path = tmp_path / "feeds.txt"
    path.write_text(f"# mine\n{server.url('news.rss')}\nnonsense\n{server.url('library.rdf')}#top\n")
    run = Run(str(path), server.url("library.rdf"))
    assert "2 feeds named: 1 new, 1 known; 1 duplicate, 1 bad line" in run.out
    assert f"{path}: line 3: this is no URL" in run.err
    assert "1 imported, 1 unchanged, 0 failed" in run.summary
    assert (run.code, run.error) == (1, "1 bad line.")


def test_the_login_of_a_bad_url_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "feeds.txt"
    path.write_text("https://user:s3cret@bad host/\n")
    run = Run("https://user:s3cret@bad host/", str(path))
    assert run.err.count("bad host/") == 2
    assert "s3cret" not in run.out + run.err + run.error


def test_folders_and_titles_of_opml_are_kept(server: samples.SampleServer, tmp_path: Path) -> None:
    path = tmp_path / "feeds.opml"
    path.write_text(
        '<opml><outline text="News"><outline text="Old">'
        f'<outline text="Gone" xmlUrl="{server.url("gone-missing.rss")}"/></outline>'
        f'<outline text="Mine" xmlUrl="{server.url("news.rss")}"/></outline></opml>'
    )
    Run(str(path))
    assert list(Feed.objects.order_by("id").values_list("folder", "title")) == [
        ("News/Old", "Gone"),
        ("News", "Harbour News"),  # what the feed says replaces it
    ]


def test_standard_input_is_a_source(server: samples.SampleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, f"{server.url('news.rss')}\n")
    assert Run("-").summary.startswith("1 feed: 1 imported")


def test_due_and_all_name_stored_feeds(server: samples.SampleServer) -> None:
    names = ["news.rss", "library.rdf", "journal.atom"]
    storage.register(Subscription(url=server.url(name)) for name in names)
    Feed.objects.filter(url=server.url("library.rdf")).update(next_check_at=timezone.now() + timedelta(hours=1))
    Feed.objects.filter(url=server.url("journal.atom")).update(status=Feed.Status.PAUSED)
    assert Run(due=True).summary.startswith("1 feed: 1 imported")
    assert Run(all=True).summary.startswith("2 feeds: 1 imported, 1 unchanged")


def test_a_paused_feed_is_skipped_even_if_named(server: samples.SampleServer) -> None:
    storage.register([Subscription(url=server.url("news.rss"))])
    Feed.objects.update(status=Feed.Status.PAUSED)
    run = Run(server.url("news.rss"))
    assert run.summary == "1 feed: 0 imported, 0 unchanged, 0 failed, 1 skipped; 0 new entries"
    assert run.code == 0
    assert server.asked["news.rss"].requests == 0


def test_a_feed_that_is_disabled_is_tried_if_named(server: samples.SampleServer) -> None:
    storage.register([Subscription(url=server.url("news.rss"))])
    Feed.objects.update(status=Feed.Status.DISABLED)
    assert Run(server.url("news.rss")).summary.startswith("1 feed: 1 imported")


def test_a_dry_run_tells_and_writes_nothing(server: samples.SampleServer) -> None:
    storage.register([Subscription(url=server.url("news.rss"))])
    run = Run(server.url("news.rss"), server.url("journal.atom"), dry_run=True)
    assert run.out.splitlines() == [
        "2 feeds named: 1 new, 1 known; 0 duplicates, 0 bad lines",
        "2 feeds would be sent to the queue",
    ]
    assert Feed.objects.count() == 1
    assert queued() == 0
    assert Run(all=True, dry_run=True).summary == "1 feed would be sent to the queue"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Name one or more SOURCEs"),
        (["http://a.example/", "--due"], "Name one or more SOURCEs"),
        (["-", "-"], "only once"),
        (["no-such-file"], "neither a feed's URL nor a file"),
    ],
)
def test_usage_errors_are_2_and_store_nothing(arguments: list[str], why: str) -> None:
    run = Run(*arguments)
    assert run.code == 2
    assert why in run.error
    assert not Feed.objects.exists()


def test_verbosity_0_is_silent_and_2_has_a_line_for_each_feed(server: samples.SampleServer) -> None:
    quiet = Run(server.url("news.rss"), verbosity=0)
    assert (quiet.out, quiet.err) == ("", "")
    loud = Run(server.url("journal.atom"), server.url("gone-missing.rss"), verbosity=2)
    assert f"imported  {server.url('journal.atom')} 2 new" in loud.out
    assert f"failed    {server.url('gone-missing.rss')} " in loud.out


def test_a_timeout_ends_the_wait_and_tells_what_is_outstanding(server: samples.SampleServer) -> None:
    server.delay = 1.0
    run = Run(server.url("news.rss"), timeout=0.1)
    assert (run.code, run.error) == (1, "1 feed still outstanding.")
    assert "1 outstanding" in run.summary
    assert tasks.import_feed.broker.drain(10)


def test_a_feed_that_another_imports_is_waited_for_until_its_lock_ends(server: samples.SampleServer) -> None:
    locks = caches["locks"]
    locks.add(locking.lock_key(tasks.import_feed.actor_name, server.url("news.rss")), "another's", 1)
    run = Run(server.url("news.rss"))
    assert (run.code, run.error) == (1, "1 feed still outstanding.")
    assert "1 outstanding" in run.summary
    assert not list(locks.held())


def test_an_interrupt_is_130_and_keeps_the_feeds(
    server: samples.SampleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Interrupting(io.BytesIO):
        """A standard input at which somebody presses Ctrl-C."""

        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    path = tmp_path / "urls.txt"
    path.write_text("".join(f"{server.url('news.rss')}?{number}\n" for number in range(storage.CHUNK)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupting()))
    run = Run(str(path), "-")
    assert run.code == 130
    assert run.error.startswith("Interrupted.")
    assert Feed.objects.count() == storage.CHUNK


def test_many_feeds_are_stored_in_few_statements(tmp_path: Path, django_assert_max_num_queries: Any) -> None:
    path = tmp_path / "feeds.txt"
    path.write_text("".join(f"http://feeds.example/{number}\n" for number in range(5_000)))
    with django_assert_max_num_queries(40):  # 10 chunks
        run = Run(str(path), dry_run=True)
    assert "5,000 feeds named: 5,000 new" in run.out


def test_a_terminal_gets_a_bar_and_a_file_does_not(server: samples.SampleServer) -> None:
    terminal, file = Terminal(), io.StringIO()
    call_command("import_feeds", server.url("news.rss"), stdout=io.StringIO(), stderr=terminal)
    call_command("import_feeds", server.url("news.rss"), stdout=io.StringIO(), stderr=file)
    assert f"Importing {'█' * 40} 1 of 1, 0:00:00 left" in terminal.getvalue()
    assert file.getvalue() == ""
