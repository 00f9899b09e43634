"""A server for the tests of fetching, which says what a test writes."""

from collections.abc import Iterator

import pytest

from tests.rigs.servers.feed_server import FeedServer


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running
