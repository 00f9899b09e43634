"""Which checks go without conditions."""

from datetime import timedelta

import pytest

from feeds import planning
from feeds.fetching import FeedRequest
from tests.rigs.planning import NOW, URL, feed_state

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("received", "checked", "jitter", "conditional"),
    [
        (6 * DAY, 1 * DAY, 0.0, True),
        (7 * DAY, 1 * DAY, 0.0, False),
        (7 * DAY, 1 * DAY, 0.5, True),
        (7.7 * DAY, 1 * DAY, 0.99, False),
        (30 * DAY, 30 * DAY, 0.0, True),  # polled once a month: no 304 was given yet
    ],
)
def test_conditions_are_left_out_after_a_week_of_304(
    received: timedelta, checked: timedelta, jitter: float, conditional: bool
) -> None:
    given = FeedRequest(url=URL, etag='"1"', last_modified="yesterday")
    feed = feed_state(request=given, received_at=NOW - received, checked_at=NOW - checked)
    request = planning.request(feed, NOW, jitter)
    assert (bool(request.etag), bool(request.last_modified)) == (conditional, conditional)
