"""A failing feed, its schedule and its retries over a week of a virtual clock."""

from datetime import timedelta

from pytest_django import DjangoDbBlocker

from tests.politeness import publisher
from tests.politeness.server import answer
from tests.politeness.stage import stage

WEEK = 7 * 24  # hours


def test_a_feed_that_fails_every_other_time_is_never_overdue(django_db_blocker: DjangoDbBlocker) -> None:
    replies = [answer(500) if number % 2 else publisher.feed(str(number), etag=f'"{number}"') for number in range(200)]
    with django_db_blocker.unblock(), stage() as play:
        feed = play.publish("moody", *replies)
        play.subscribe(feed.url)
        for _ in range(WEEK):
            play.live(hours=1)
            due = play.feed(feed).next_check_at
            assert due is not None
            assert due > play.clock.now(), "what was due has been done"
        visits = len(feed.visits)
    assert visits > 20
    assert min(feed.gaps()) >= timedelta(hours=1)
