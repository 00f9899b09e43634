"""How the outcome of a feed is found out, and how long it is waited for."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.management import following
from feeds.management.following import Following
from feeds.models import Feed
from feeds.outcomes import Outcome

pytestmark = pytest.mark.django_db


def stored(url: str = "http://a.example/") -> Following:
    """Store a feed and follow it as it is now."""
    Feed.objects.create(url=url)
    waiting = Following()
    waiting.add(following.load(list(Feed.objects.values_list("id", flat=True))))
    return waiting


NOW = timezone.now()


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"status": Feed.Status.DISABLED}, None),
        ({"revision": 7}, None),
        ({"status": Feed.Status.PAUSED}, Outcome.PAUSED),
        ({"slot_at": NOW}, Outcome.DELAYED),
        ({"checked_at": NOW, "last_outcome": "imported"}, Outcome.IMPORTED),
        ({"checked_at": NOW, "last_outcome": "unchanged"}, Outcome.UNCHANGED),
        (
            {"checked_at": NOW, "last_outcome": "failed", "error_kind": "gone", "status": Feed.Status.DISABLED},
            Outcome.FAILED,
        ),
    ],
)
def test_a_feed_has_ended_when_it_was_checked_or_never_will_be(change: dict[str, Any], outcome: Outcome | None) -> None:
    waiting = stored()
    Feed.objects.update(**change)
    assert [ending.outcome for ending in waiting.look()] == ([outcome] if outcome else [])
    assert len(waiting) == (0 if outcome else 1)


def test_a_feed_that_was_deleted_has_ended() -> None:
    waiting = stored()
    Feed.objects.all().delete()
    (ending,) = waiting.look()
    assert (ending.outcome, ending.error) == (Outcome.PAUSED, "deleted meanwhile, or merged with another feed")


def test_an_error_without_text_is_told_by_its_kind() -> None:
    waiting = stored()
    Feed.objects.update(checked_at=NOW, last_outcome="failed", error_kind="not_found")
    (ending,) = waiting.look()
    assert ending.error == "not found (404)"


def test_waiting_ends_when_nothing_is_under_way_any_more() -> None:
    waiting = stored()
    assert [*waiting.looks(patience=60, settled=lambda: True)] == [[]]
    assert len(waiting) == 1


def test_waiting_ends_when_there_was_no_news_for_too_long() -> None:
    waiting = stored()
    assert not any(waiting.looks(patience=0.01))
    assert len(waiting) == 1


def test_a_check_that_began_before_ours_but_ended_after_counts() -> None:
    waiting = stored()
    Feed.objects.update(checked_at=timezone.now() - timedelta(minutes=1), last_outcome="unchanged")
    (endings,) = waiting.looks(patience=60)
    assert [ending.outcome for ending in endings] == [Outcome.UNCHANGED]
