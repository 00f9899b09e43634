"""feeds: the list, and one feed with its history."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from feeds.models import Import
from tests.test_admin import new_feed

pytestmark = pytest.mark.django_db


def run(*arguments: str, **options: object) -> str:
    out = io.StringIO()
    call_command("feeds", *arguments, stdout=out, **options)
    return out.getvalue()


def test_feeds_are_listed_by_how_they_are() -> None:
    now = timezone.now()
    soon = now + timedelta(hours=1)
    states = {
        "well": {"checked_at": now, "next_check_at": soon},
        "failing": {"checked_at": now, "next_check_at": soon, "error_kind": "dns"},
        "late": {"checked_at": now, "next_check_at": now - timedelta(hours=1), "error_kind": "tls"},
        "never checked": {"next_check_at": soon},
        "paused": {"status": "paused"},
        "disabled": {"status": "disabled"},
    }
    for name, fields in states.items():
        new_feed(f"https://user:secret@{name.replace(' ', '-')}.example/", folder=name, **fields)
    for name in states:
        urls = {feed["url"] for feed in json.loads(run(state=name, format="json"))}
        assert urls == {f"https://{name.replace(' ', '-')}.example/"} | (
            {"https://late.example/"} if name == "failing" else set()
        )
    assert len(run().splitlines()) == 1 + len(states)
    assert "secret" not in run()
    assert len(json.loads(run(format="json", limit=2))) == 2
    assert [feed["folder"] for feed in json.loads(run(format="json", host="late.example"))] == ["late"]
    assert "dns" in run(folder="failing")


def test_one_feed_is_shown_with_its_reasons_and_its_history() -> None:
    feed = new_feed("https://user:secret@example.com/feed", next_check_reason="failed 2 times", unchanged_count=4)
    now = timezone.now()
    Import.objects.create(feed=feed, number=1, started_at=now, asked_by="schedule", outcome="imported", new=7)
    failed = {"outcome": "failed", "error_kind": "dns", "error_text": "no \x1b[31msuch host"}
    Import.objects.create(feed=feed, number=2, started_at=now, asked_by="person", unchanged_before=9, **failed)
    text = run("https://user:secret@example.com/feed")
    assert "next check reason: failed 2 times" in text
    assert "\x1b" not in text
    assert "secret" not in text
    assert text.index("dns: no") < text.index("imported  ")
    shown = json.loads(run("https://user:secret@example.com/feed", format="json"))
    assert [each["number"] for each in shown["imports"]] == [2, 1]
    assert shown["imports"][0]["unchanged_before"] == 9


def test_a_feed_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="No such feed"):
        run("https://example.com/nothing")
