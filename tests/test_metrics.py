"""Metrics: what workers count, and what the database tells."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feeds import heartbeat
from feeds.models import Process
from feeds_project.logs import JSONFormatter
from tests.test_admin import new_feed

PROGRAM = """
import django; django.setup()
import dramatiq
from feeds import signals, tasks
from feeds.fetching import Failed
from feeds.outcomes import FailureKind, Outcome
from feeds.planning import ImportReport
broker = dramatiq.get_broker()
broker.start()
for url in ("nothing", "nothing either"):
    tasks.import_feed.send(url)
broker.drain(20)
signals.feed_imported.send(None, report=ImportReport(feed_id=1, url="", outcome=Outcome.IMPORTED, new=3, changed=2))
broker.stop()
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


@pytest.mark.slow
def test_workers_count_imports_locks_and_waits_beside_what_dramatiq_counts(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "feeds_project.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/feeds.sqlite3",
        "dramatiq_prom_db": str(tmp_path / "metrics"),
        "METRICS": "1",
    }
    run = {"env": environment, "capture_output": True, "text": True, "timeout": 120, "check": True}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], **run)
    text = subprocess.run([sys.executable, "-c", PROGRAM], **run).stdout
    assert 'feeds_imports_total{error="invalid_url",outcome="failed"} 2.0' in text
    assert 'feeds_imports_total{error="",outcome="imported"} 1.0' in text
    assert "feeds_entries_new_total 3.0" in text
    assert "feeds_entries_changed_total 2.0" in text
    assert 'feeds_locks_total{actor="import_feed",answer="acquired"} 2.0' in text
    assert 'feeds_lock_held_seconds_count{actor="import_feed"} 2.0' in text
    assert "feeds_queue_wait_seconds_count 2.0" in text
    assert 'dramatiq_messages_total{actor_name="import_feed",queue_name="feeds"} 2.0' in text


@pytest.mark.django_db
def test_the_database_is_told_to_those_who_bear_the_token(client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 404
    settings.FEEDS_METRICS_TOKEN = "a token"
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 404
    now = timezone.now()
    Process.objects.create(name="a:1", began_at=now, seen_at=now)
    heartbeat.note_schedule(now)
    new_feed("https://example.com/1", error_kind="dns")
    new_feed("https://example.com/2")
    text = client.get("/metrics", headers={"Authorization": "Bearer a token"}).content.decode()
    for line in (
        "feeds_total 2",
        'feeds_failing{error="dns"} 1',
        "feeds_workers 1",
        'feeds_part_ok{part="lock store"} 1',
        'feeds_part_ok{part="migrations"} 1',
    ):
        assert line in text.splitlines()
    sample = re.compile(r'[a-z_]+({[a-z]+="[^"]*"(,[a-z]+="[^"]*")*})? [-\d.e+]+|# .*')
    assert all(map(sample.fullmatch, text.splitlines()))
    assert len(set(re.findall("# TYPE .*", text))) == len(re.findall("# TYPE .*", text))


def test_a_line_of_the_log_is_an_object_where_that_is_wanted() -> None:
    arguments = ("https://example.com/", "failed", 1.5)
    record = logging.LogRecord("feeds", logging.INFO, "", 0, "feed=%s outcome=%s seconds=%.3f", arguments, None)
    line = json.loads(JSONFormatter().format(record))
    assert (line["level"], line["outcome"], line["seconds"]) == ("INFO", "failed", 1.5)
    assert line["message"] == "feed=https://example.com/ outcome=failed seconds=1.500"
