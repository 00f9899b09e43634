"""Projects with more than one database."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db.models import Model

from tests.rigs.foreign_project import ForeignProject
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.pgbouncer import PgBouncer
from tests.rigs.servers.postgresql import PostgreSQL

SETTINGS = """
DATABASES["other"] = DATABASES["default"] | {"NAME": Path(__file__).with_name("other.sqlite3")}
DATABASE_ROUTERS = ["routers.Router"]
DRAMATIQ_BROKER["BROKER"] = "feeds.embedded.EmbeddedBroker"
FEEDS_REDIRECT_CHECKS, FEEDS_REDIRECT_DAYS, FEEDS_KEEP_ENTRIES = 1, 0.0, 1
"""
SECOND = """
class Router:
    def db_for_read(self, model, **hints):
        return "other" if model._meta.app_label == "feeds" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "other") == (app_label == "feeds")
"""
LAGGING = """
class Router:
    def db_for_read(self, model, **hints):
        return "default"  # where nothing ever arrives

    def db_for_write(self, model, **hints):
        return "other"

    def allow_relation(self, one, another, **hints):
        return True
"""
TITLES = "abcdefghijkl"
LIFE = """
import json
from django.utils import timezone
from dramatiq import get_broker
from feeds import tasks
from feeds.status import health
from feeds.models import Alias, Entry, Feed, Host, Tombstone
from feeds.signals import entries_added

for alias in ("default", "other"):
    call_command("migrate", database=alias, verbosity=0)
added = []
entries_added.connect(lambda entries, **_: added.extend(entry.title for entry in entries), weak=False)

call_command("import_feeds", "{0}/feed", verbosity=0)
call_command("import_feeds", "{0}/moved", verbosity=0)  # it is merged with the other
feed = Feed.objects.import_feed("{0}/feed")
Feed.objects.using("other").update(next_check_at=timezone.now())
Host.objects.using("other").update(delay=0.01)
tasks.import_due_feeds()
get_broker().drain(20)
call_command("prune_entries", verbosity=0)
print(json.dumps({{
    "error": feed.error_text,
    "added": sorted({{*added}}),
    "feeds": [*Feed.objects.using("other").values_list("url", flat=True)],
    "kept": [*Entry.objects.using("other").values_list("title", flat=True)],
    "aliases": [*Alias.objects.using("other").values_list("url", flat=True)],
    "removed": Tombstone.objects.using("other").count(),
    "ready": health.readiness(),
    "deleted": feed.delete()[1].get("feeds.Entry"),
    "left": Feed.objects.using("other").count(),
}}))
"""


def document(*titles: str) -> bytes:
    items = "".join(f"<item><guid>{title[0]}</guid><title>{title}</title></item>" for title in titles)
    return f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


class Changing:
    """A feed that lists its two newest entries; with each request there is one more."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, request: Received) -> bytes:
        self.requests += 1
        return answer(body=document(*TITLES[max(0, self.requests - 2) : self.requests]))


@pytest.mark.slow
@pytest.mark.parametrize("router", [SECOND, LAGGING], ids=["second", "lagging"])
def test_a_feeds_life_goes_by_the_database_that_is_written(tmp_path: Path, router: str) -> None:
    with FeedServer() as server:
        feed = Changing()
        server.routes |= {"/feed": feed, "/moved": answer(301, location=server.url("/feed"))}
        project = ForeignProject(tmp_path, SETTINGS, {"routers.py": router})
        found = json.loads(project.run(LIFE.format(server.url(""))).splitlines()[0])
    assert found["error"] == ""
    assert found["added"] == [*TITLES[: feed.requests]]
    assert found["feeds"] == [server.url("/feed")]
    assert found["aliases"] == [server.url("/moved")]
    assert sorted(found["kept"]) == [*TITLES[feed.requests - 2 : feed.requests]]
    assert found["removed"] == feed.requests - 2
    assert set(found["ready"].values()) == {True}
    assert (found["deleted"], found["left"]) == (2, 0)


class EntriesElsewhere:
    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "archive" if model._meta.model_name == "entry" else None


def test_a_router_that_tears_an_import_apart_is_refused(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [EntriesElsewhere()]
    (error,) = (message for message in run_checks(tags=["feeds"]) if message.id == "feeds.E020")
    assert error.msg == "DATABASE_ROUTERS write Entry elsewhere than Feed, which goes to 'default'"


POOLED = """
import io, json
from django.contrib.admin import site
from django.test import RequestFactory
from feeds.admin import FeedAdmin
from feeds.models import Feed

call_command("migrate", verbosity=0)
Feed.objects.bulk_create([Feed(url=f"https://{number}.example/", title=str(number)) for number in range(300)])
out = io.StringIO()
call_command("import_feeds", "--due", "--dry-run", stdout=out)
call_command("import_feeds", "--all", "--dry-run", stdout=out)
call_command("export_opml", stdout=(exported := io.StringIO()))
sent = FeedAdmin(Feed, site).send(RequestFactory().post("/"), Feed.objects.values_list("url", flat=True))
call_command("prune_entries", days=1, stdout=out)
print(json.dumps([out.getvalue(), exported.getvalue().count("xmlUrl="), sent]))
"""


@pytest.mark.slow
def test_behind_pgbouncer_feeds_are_sent_and_exported(
    tmp_path: Path, postgresql: PostgreSQL, pgbouncer: PgBouncer
) -> None:
    database = postgresql.create_database()
    pgbouncer.warm_up(database)
    settings = f"""
        import dj_database_url
        DATABASES["default"] = dj_database_url.parse("{pgbouncer.url(database)}")
        INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages", "django.contrib.sessions"]
        """
    said, exported, sent = json.loads(ForeignProject(tmp_path, settings).run(POOLED).splitlines()[0])
    assert said.count("300 feeds would be sent to the queue") == 2
    assert (exported, sent) == (300, 300)
