"""Feeds deleted in a project whose own rows refer to them."""

import json
from pathlib import Path

import pytest
from django.db import IntegrityError, connection

from feeds.models import Feed
from tests.rigs.foreign_project import ForeignProject
from tests.test_admin import new_entry, new_feed

FILES = {
    "shop/models.py": """
        from django.db import models

        class Read(models.Model):
            entry = models.ForeignKey("feeds.Entry", models.CASCADE)

        class Bookmark(models.Model):
            entry = models.ForeignKey("feeds.Entry", models.PROTECT)

        class Mention(models.Model):
            entry = models.ForeignKey("feeds.Entry", models.SET_NULL, null=True)

        class Receipt(models.Model):
            read = models.ForeignKey(Read, models.PROTECT)
    """
}
LIFE = """
import io, json
from django.core.management import CommandError
from django.db import connection
from django.db.models import ProtectedError, signals
from django.utils import timezone
from feeds.databases import deletion
from feeds.models import Entry, Feed
from shop.models import Bookmark, Mention, Read, Receipt

call_command("migrate", "feeds", verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0)

def filled(url, count=1_200):
    feed = Feed.objects.create(url=url)
    now = timezone.now()
    Entry.objects.bulk_create(
        [Entry(feed=feed, guid_digest=number.to_bytes(16, "big"), content_digest=b"", sorted_at=now, first_seen_at=now)
         for number in range(count)]
    )
    Read.objects.bulk_create([Read(entry_id=pk) for pk in feed.entries.values_list("pk", flat=True)])
    return feed

found = {"batch": deletion.BATCH}
deletion.BATCH = 500
feed, other = filled("https://one.example/"), filled("https://two.example/", 10)
Mention.objects.create(entry=feed.entries.first())

# Bounded batches, by a call
statements, batches = [], []
def note(execute, sql, params, many, context):
    statements.append(len(params or ()))
    return execute(sql, params, many, context)
with connection.execute_wrapper(note):
    total, by_model = Feed.objects.filter(pk=feed.pk).delete(batches.append)
found["batches"] = [sum(batch.values()) for batch in batches]
found["most parameters"] = max(statements)
found["gone"] = by_model
found["left"] = [Feed.objects.count(), Entry.objects.count(), Read.objects.count(), Mention.objects.count()]

# What is protected keeps its feed, whole
Bookmark.objects.create(entry=other.entries.first())
try:
    other.delete()
except ProtectedError as error:
    found["refused"] = error.args[0]
try:
    call_command("delete_feeds", other.url)
except CommandError as error:
    found["refused command"] = str(error)
other.refresh_from_db()
found["kept"] = [other.status, other.entries.count()]

# So does what is protected further away
Bookmark.objects.all().delete()
Receipt.objects.create(read=Read.objects.last())
try:
    other.delete()
except ProtectedError as error:
    found["refused behind"] = error.args[0]
other = Feed.objects.get()
found["kept behind"] = [other.status, other.entries.count(), Read.objects.count()]

# Receivers get whole rows; the command shows how far it is
Receipt.objects.all().delete()
heard = []
def hear(instance, **_):
    heard.append(instance.get_deferred_fields())
signals.post_delete.connect(hear, sender=Entry)
call_command("delete_feeds", "https://TWO.example", stdout=(out := io.StringIO()), stderr=io.StringIO())
found["heard"] = [len(heard), sum(map(len, heard))]
found["said"] = out.getvalue()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_feed_goes_with_all_that_refers_to_it_in_batches(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path, 'INSTALLED_APPS.append("shop")', FILES)
    found = json.loads(project.run(LIFE).splitlines()[0])
    assert found["batch"] == 10_000
    assert max(found["batches"]) <= 500
    assert sum(found["batches"]) == 2_401
    assert found["most parameters"] <= 501
    assert found["gone"] == {"shop.Read": 1_200, "feeds.Entry": 1_200, "feeds.Feed": 1}
    assert found["left"] == [1, 10, 10, 1]
    text = "Cannot delete some instances of model 'Feed' because they are referenced through protected foreign keys: "
    assert found["refused"] == found["refused command"] == f"{text}'Bookmark.entry'."
    assert found["kept"] == ["active", 10]
    assert found["refused behind"] == f"{text}'Receipt.read'."
    assert found["kept behind"] == ["active", 10, 10]
    assert found["heard"] == [10, 0]
    assert found["said"] == "1 feed with 10 entries deleted\n"


@pytest.mark.django_db(transaction=True)
def test_rows_that_a_trigger_keeps_end_the_deletion() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the trigger is one of SQLite's")
    feed = new_feed()
    new_entry(feed)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER keep BEFORE DELETE ON feeds_entry BEGIN SELECT RAISE(IGNORE); END")
        try:
            with pytest.raises(IntegrityError):
                feed.delete()
        finally:
            cursor.execute("DROP TRIGGER keep")
    assert Feed.objects.get().entries.count() == 1
