"""The app in a project that has nothing but what it needs."""

from pathlib import Path

from tests.rigs.foreign_project import ForeignProject
from tests.rigs.servers.feed_server import FeedServer, answer

FEED = b'<rss version="2.0"><channel><title>t</title><item><guid>1</guid><title>One</title></item></channel></rss>'

IMPORT = """
from feeds.models import Feed
call_command("migrate", verbosity=0)
feed = Feed.objects.import_feed("{url}")
print(feed.error_text or [*feed.entries.values_list("title", flat=True)])
"""


def test_a_feed_is_imported(tmp_path: Path) -> None:
    with FeedServer(routes={"/feed": answer(body=FEED)}) as server:
        output = ForeignProject(tmp_path).run(IMPORT.format(url=server.url()))
    assert output == "['One']\n"
