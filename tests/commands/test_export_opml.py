"""`manage.py export_opml`, and what `import_feeds` makes of its documents."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from feeds import storage
from feeds.models import Feed
from feeds.storage import Subscription

pytestmark = pytest.mark.django_db


def exported(*arguments: str) -> str:
    out = io.StringIO()
    call_command("export_opml", *arguments, stdout=out)
    return out.getvalue()


SUBSCRIPTIONS = [
    Subscription(url="http://a.example/", folder="A", title="1"),
    Subscription(url="http://b.example/", folder="A-b", title="2"),
    Subscription(url="http://c.example/", folder="A/c", title="3"),
    Subscription(url="http://d.example/", title="4"),
    Subscription(url="https://user:secret@e.example/", title="5"),
]


def test_exported_feeds_can_be_imported_again(tmp_path: Path) -> None:
    storage.register(SUBSCRIPTIONS)
    path = tmp_path / "feeds.opml"
    path.write_text(exported())
    assert path.read_text().count('<outline text="A">') == 1
    assert "secret" not in path.read_text()
    out = io.StringIO()
    call_command("import_feeds", str(path), dry_run=True, stdout=out)
    assert out.getvalue().startswith("5 feeds named: 1 new, 4 known")  # e without its login


def test_a_folder_and_what_is_in_it_can_be_exported_alone() -> None:
    storage.register(SUBSCRIPTIONS)
    assert exported("--folder", "A").count("xmlUrl") == 2


def test_the_same_feeds_are_written_as_json_without_logins() -> None:
    assert json.loads(exported("--format", "json")) == []
    storage.register(SUBSCRIPTIONS)
    feeds = json.loads(exported("--format", "json"))
    assert [feed["title"] for feed in feeds] == ["4", "5", "1", "3", "2"]
    assert feeds[1] == {"url": "https://e.example/", "site_url": "", "folder": "", "title": "5"}


def test_paused_feeds_are_exported_on_request() -> None:
    storage.register(SUBSCRIPTIONS[:2])
    Feed.objects.filter(url="http://a.example/").update(status=Feed.Status.PAUSED)
    assert exported().count("xmlUrl") == 1
    assert exported("--all").count("xmlUrl") == 2
