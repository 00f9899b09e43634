"""Feeds that move while others write: on PostgreSQL, where two transactions run side by side."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from feeds import canonical_urls, storage
from feeds.models import Feed
from feeds.outcomes import Outcome
from feeds.planning.values import Circumstances, FeedState, ImportPlan, Move, NextCheck

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "https://example.org/old", "https://example.org/new"
INSERT = """
    INSERT INTO feeds_feed SELECT (jsonb_populate_record(
        feed, jsonb_build_object('id', feed.id + 1, 'url', %s::text, 'url_md5', %s::text, 'folder', 'Theirs')
    )).* FROM feeds_feed feed"""


class Rival:
    """Registers the new URL, in a transaction of its own, as soon as a query has found nobody there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.has_come = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if "feeds_alias" in sql and "FOR UPDATE" in sql and not self.has_come:
            self.has_come = True
            with psycopg.connect(self.url) as theirs:
                theirs.execute(INSERT, (NEW, canonical_urls.url_md5(NEW)))
        return result


def plan(known: FeedState) -> ImportPlan:
    now = timezone.now()
    return ImportPlan(
        feed=known,
        outcome=Outcome.UNCHANGED,
        circumstances=Circumstances(started_at=now, now=now, jitter=0.0),
        next_check=NextCheck(at=now, reason="", interval=3600),
        move=Move(url=NEW, reason="moved"),
    )


def test_a_feed_that_moves_to_a_url_registered_in_that_moment_becomes_one_with_the_feed_there(
    on_postgresql: str,
) -> None:
    known, rival = storage.load(OLD), Rival(on_postgresql)
    with connection.execute_wrapper(rival):
        report = storage.apply(plan(known))
    assert rival.has_come
    feed = Feed.objects.get()
    assert (feed.url, feed.folder, feed.pk) == (NEW, "Theirs", report.feed_id)
    assert storage.load(OLD).id == feed.pk
