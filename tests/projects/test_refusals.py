"""Projects whose database refuses what an import writes: by a trigger, or since their own rows protect ours."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.foreign_project import ForeignProject
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.slow

SETTINGS = """
INSTALLED_APPS.append("shop")
FEEDS_REDIRECT_CHECKS, FEEDS_REDIRECT_DAYS, FEEDS_KEEP_ENTRIES = 1, 0.0, 1
"""
FILES = {
    "shop/models.py": """
        from django.db import models

        class Bookmark(models.Model):
            entry = models.ForeignKey("feeds.Entry", models.PROTECT)

        class Subscription(models.Model):
            feed = models.ForeignKey("feeds.Feed", models.PROTECT)

        class Incident(models.Model):
            imported = models.ForeignKey("feeds.Import", models.PROTECT)

        class Publisher(models.Model):
            host = models.ForeignKey("feeds.Host", models.PROTECT)
    """
}
TRIGGER = {
    "sqlite": """
        CREATE TRIGGER no_ads BEFORE INSERT ON feeds_entry WHEN NEW.title = 'Ad'
        BEGIN SELECT RAISE(ABORT, 'no ads here'); END
    """,
    "postgresql": """
        CREATE FUNCTION no_ads() RETURNS trigger AS
        $$ BEGIN IF NEW.title = 'Ad' THEN RAISE EXCEPTION 'no ads here'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER no_ads BEFORE INSERT ON feeds_entry FOR EACH ROW EXECUTE FUNCTION no_ads()
    """,
}
NO_HTTP = {
    "sqlite": [
        "CREATE TRIGGER no_http BEFORE INSERT ON feeds_feed WHEN NEW.url LIKE 'http://%.example/' "
        "BEGIN SELECT RAISE(ABORT, 'no http'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION no_http() RETURNS trigger AS $$ BEGIN IF NEW.url LIKE 'http://%.example/' "
        "THEN RAISE EXCEPTION 'no http'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER no_http BEFORE INSERT ON feeds_feed FOR EACH ROW EXECUTE FUNCTION no_http()",
    ],
}
LIFE = """
import json
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from feeds import history, storage, tasks
from feeds.models import Feed, Host, Import
from feeds.signals import entries_added, feed_failed
from shop.models import Bookmark, Incident, Publisher, Subscription

call_command("migrate", "feeds", verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0)
with connection.cursor() as cursor:
    cursor.execute({trigger}[connection.vendor])
found, told = {{}}, []
history.KEPT = 1
entries_added.connect(lambda entries, **_: told.extend(entry.title for entry in entries), weak=False)
feed_failed.connect(lambda report, **_: told.append(report.failure.kind), weak=False)

def state(feed):
    return [feed.error_kind, feed.error_text, [*feed.entries.order_by("title").values_list("title", flat=True)]]

# An entry that is refused
found["refused"] = state(refused := Feed.objects.import_feed("{url}/ads"))
found["waits"] = (refused.next_check_at - refused.checked_at) >= timedelta(hours=1)
Incident.objects.create(imported=refused.imports.get())
found["again"] = state(Feed.objects.import_feed("{url}/ads"))
with connection.cursor() as cursor:
    cursor.execute("DROP TRIGGER no_ads" + (" ON feeds_entry" if connection.vendor == "postgresql" else ""))
found["repaired"] = state(Feed.objects.import_feed("{url}/ads"))
found["told"] = [*told]

# A list of which one feed is refused
with connection.cursor() as cursor:
    for statement in {no_http}[connection.vendor]:
        cursor.execute(statement)
    known = Feed.objects.count()
    storage.register([storage.Subscription(url=f"http{{'s' * (n != 1)}}://{{n}}.example/") for n in range(3)])
    found["registered"] = Feed.objects.count() - known
    cursor.execute("DROP TRIGGER no_http" + (" ON feeds_feed" if connection.vendor == "postgresql" else ""))

# Entries that are protected: the others go, and those of the feed behind it
one, two = Feed.objects.import_feed("{url}/old"), Feed.objects.import_feed("{url}/old2")
Feed.objects.update(listed_digests=b"")
long_ago = timezone.now() - timedelta(days=100)
Host.objects.bulk_create(Host(name=name, slot_at=long_ago, free_at=long_ago) for name in ("kept", "gone"))
Publisher.objects.create(host_id="kept")
Import.objects.filter(feed__url="{url}/ads").update(started_at=long_ago)
Bookmark.objects.create(entry=(kept := one.entries.get(title="a1")))
tasks.prune_entries()
found["pruned"] = [sorted(feed.entries.values_list("title", flat=True)) for feed in (one, two)]
found["left"] = [
    [*Host.objects.filter(feeds=None).values_list("name", flat=True)],
    [*Import.objects.filter(feed__url="{url}/ads").values_list("number", flat=True)],
]

# A feed that is protected is not merged with the one at its new URL
Subscription.objects.create(feed=Feed.objects.import_feed("{url}/leaving"))
Feed.objects.import_feed("{url}/there")
found["merged"] = state(Feed.objects.import_feed("{url}/leaving"))
found["there"] = state(Feed.objects.import_feed("{url}/there"))
print(json.dumps(found))
"""


def document(*titles: str) -> bytes:
    items = "".join(
        f"<item><guid>{title}</guid><title>{title}</title><pubDate>{number + 1:02} Nov 2026 01:00 GMT</pubDate></item>"
        for number, title in enumerate(titles)
    )
    return f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


class Leaving:
    """A feed that is somewhere else from its second request on."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, request: Received) -> bytes:
        self.requests += 1
        return answer(body=document("m1")) if self.requests == 1 else answer(301, location="/there")


def lived(project: ForeignProject) -> Any:
    with FeedServer() as server:
        server.routes = {
            "/ads": answer(body=document("News", "Ad", "More"), etag='"1"'),
            "/old": answer(body=document("a1", "a2", "a3")),
            "/old2": answer(body=document("b1", "b2", "b3")),
            "/leaving": Leaving(),
            "/there": answer(body=document("m1", "m2")),
        }
        printed = project.run(LIFE.format(url=server.url(""), trigger=TRIGGER, no_http=NO_HTTP))
    return json.loads(next(line for line in printed.splitlines() if line.startswith("{")))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lived(ForeignProject(tmp_path_factory.mktemp("refusing"), SETTINGS, FILES))


def test_an_entry_that_is_refused_is_named_and_the_others_are_stored(found: Any) -> None:
    text = "the database refuses the entry “Ad”: IntegrityError: no ads here"
    assert found["refused"] == found["again"] == ["database", text, ["More", "News"]]
    assert found["waits"]


def test_what_was_refused_is_stored_when_the_database_takes_it(found: Any) -> None:
    assert found["repaired"] == ["", "", ["Ad", "More", "News"]]
    assert found["told"] == ["News", "More", "database", "database", "Ad"]


def test_a_feed_that_is_refused_stops_no_other_of_its_list(found: Any) -> None:
    assert found["registered"] == 2


def test_an_entry_that_is_protected_stops_the_pruning_of_no_other(found: Any) -> None:
    assert found["pruned"] == [["a1", "a3"], ["b3"]]


def test_what_is_noted_of_imports_and_hosts_goes_unless_it_is_protected(found: Any) -> None:
    assert found["left"] == [["1.example", "kept"], [1]]


def test_a_feed_that_is_protected_stays_and_says_why_it_is_not_merged(found: Any) -> None:
    kind, text, entries = found["merged"]
    assert (kind, entries) == ("database", ["m1", "m2"])
    assert text.startswith("the database refuses the import: ProtectedError:")
    assert "Subscription.feed" in text
    assert found["there"] == ["", "", ["m1", "m2"]]


DEFERRED = """
from django.db import connection
from django.utils import timezone
from feeds import tasks
from feeds.models import Feed

call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    for table, column, refused in (("feeds_entry", "title", "Ad"), ("feeds_feed", "folder", "closed")):
        cursor.execute(
            f"CREATE FUNCTION {{column}}() RETURNS trigger AS $$ BEGIN IF NEW.{{column}} = '{{refused}}' "
            "THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        cursor.execute(
            f"CREATE CONSTRAINT TRIGGER {{column}} AFTER INSERT OR UPDATE ON {{table}} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {{column}}()"
        )
feed = Feed.objects.import_feed("{0}/ads")
print(feed.error_text, feed.entries.count())
Feed.objects.bulk_create([Feed(url="https://one.example/"), Feed(url="https://two.example/")])
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE feeds_feed DISABLE TRIGGER USER")
    Feed.objects.filter(url="https://one.example/").update(folder="closed")
    cursor.execute("ALTER TABLE feeds_feed ENABLE TRIGGER USER")
tasks.import_due_feeds()
print([*Feed.objects.filter(claimed_at__isnull=False).values_list("url", flat=True)])
"""


def test_what_postgresql_refuses_at_the_commit_is_named_and_stops_no_other(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    database = f"""
    import dj_database_url
    DATABASES["default"] = dj_database_url.parse("{postgresql.url(postgresql.create_database())}")
    """
    with FeedServer(routes={"/ads": answer(body=document("News", "Ad", "More"))}) as server:
        printed = ForeignProject(tmp_path, textwrap.dedent(database)).run(DEFERRED.format(server.url("")))
    imported, claimed = printed.splitlines()[:2]
    assert imported == "the database refuses the entry “Ad”: ProgrammingError: not this one 2"
    assert claimed == "['https://two.example/']"


def test_postgresql_names_what_a_trigger_of_its_own_language_refuses(tmp_path: Path, postgresql: PostgreSQL) -> None:
    database = f"""
    import dj_database_url
    DATABASES["default"] = dj_database_url.parse("{postgresql.url(postgresql.create_database())}")
    """
    found = lived(ForeignProject(tmp_path, SETTINGS + textwrap.dedent(database), FILES))
    assert found["refused"][1] == "the database refuses the entry “Ad”: ProgrammingError: no ads here"
    assert found["repaired"] == ["", "", ["Ad", "More", "News"]]
