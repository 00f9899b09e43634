"""The embedded mode, used from two shells at once."""

from pathlib import Path

from feeds.embedded.broker import THREADS
from tests.acceptance.deployment import Deployment, finish
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.samples import ENTRIES

FEEDS = 50


def test_two_shells_import_the_same_feeds_and_never_one_at_the_same_time(
    embedded: Deployment, counting_server: CountingServer, tmp_path: Path
) -> None:
    counting_server.pace = 0.01  # seconds, so that two fetches of one feed would be seen together
    names = [f"feed-{number}" for number in range(FEEDS)]
    feed_list = tmp_path / "feeds.txt"
    feed_list.write_text("".join(f"{counting_server.url(name)}\n" for name in names))

    command = ("import_feeds", str(feed_list))
    with embedded.spawn(*command) as first, embedded.spawn(*command) as second:
        with counting_server.holding():
            counting_server.wait_for_open_requests(THREADS + 1)  # more than one shell can have: both are at work
        outputs = [finish(first), finish(second)]

    assert [first.returncode, second.returncode] == [0, 0], "\n".join(outputs)
    assert "database is locked" not in "".join(outputs)
    assert set(counting_server.requests) == set(names)
    assert max(counting_server.peak.values()) == 1
    assert embedded.imported() == FEEDS
    assert embedded.entries() == FEEDS * ENTRIES
