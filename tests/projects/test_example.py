"""The worked example of the docs: built, tested, and shown feeds as the world has them."""

import shutil
from pathlib import Path

import pytest

from tests.rigs.foreign_project import ROOT, ForeignProject
from tests.rigs.servers.feed_server import FeedServer, answer

EXAMPLE = ROOT / "feeds" / "docs" / "example"
SETTINGS = """
from settings import *
ALLOWED_HOSTS = ["testserver"]
FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
FEEDS_HOST_DELAY = 0.0
"""
SAMPLES, DATA = ROOT / "feeds_project" / "samples", ROOT / "tests" / "data"
FILES = [SAMPLES / name for name in ("news.rss", "library.rdf", "journal.atom", "tides.json")]
FILES += [DATA / name for name in ("rss20_podcast.xml", "atom10_bases.xml")]
DOCUMENTS = {f"/{path.name}": path.read_bytes() for path in FILES}
SHOW = """
from django.contrib.admin import site
from django.test import Client
from community.admin import CommunityFeedAdmin
from community.models import CommunityFeed, FeedType, Post
from dramatiq import get_broker
from feeds.models import Entry, Feed
call_command("migrate", verbosity=0)
blogs = FeedType.objects.create(name="Blogs", slug="blogs")
for number, url in enumerate({urls}):
    Client().post("/suggest/", {{"title": f"Feed {{number}}", "url": url, "feed_type": blogs.pk}})
call_command("import_feeds", all=True, verbosity=0)
print("before:", Post.objects.count())
CommunityFeedAdmin(CommunityFeed, site).approve(None, CommunityFeed.objects.exclude(title="Feed 0"))
call_command("import_feeds", all=True, wait=True, verbosity=0)
get_broker().drain(60)  # the receivers, too: the command is done when it sees what is stored
shown = Client().get("/blogs/").content.count(b"<article>")
print("feeds:", Feed.objects.filter(imported_at__isnull=False).count(), "of", CommunityFeed.objects.count())
print("all shown:", shown == Entry.objects.count() > len({urls}))
"""


@pytest.fixture
def example(tmp_path: Path) -> ForeignProject:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    project = ForeignProject(tmp_path, SETTINGS, only=True)
    project.manage("makemigrations", "community")
    return project


@pytest.mark.slow
def test_the_tests_of_the_example_pass(example: ForeignProject) -> None:
    assert "OK" in example.manage("test")


@pytest.mark.slow
def test_feeds_are_suggested_approved_imported_and_shown(example: ForeignProject) -> None:
    with FeedServer(routes={path: answer(body=body) for path, body in DOCUMENTS.items()}) as server:
        output = example.run(SHOW.format(urls=[server.url(path) for path in DOCUMENTS]))
    assert f"before: 0\nfeeds: {len(DOCUMENTS) - 1} of {len(DOCUMENTS)}\nall shown: True\n" in output
