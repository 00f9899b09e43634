"""Unforeseen errors: the log says with which feed and in which stage they were met, as fields of the record."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from feeds.models import Entry, Feed
from feeds.parsing import parser
from tests.rigs.documents import URL, import_document, item, rss
from tests.rigs.importing import import_feed

pytestmark = pytest.mark.django_db


def fail(*_: object) -> Any:
    raise RuntimeError("unforeseen")


def fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    import_feed(URL, fetch=fail)


def parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "is_plain", fail)
    import_document(rss(item(2)))


def plan(monkeypatch: pytest.MonkeyPatch) -> None:
    Entry.objects.update(url="http://[no address/?x")
    import_document(rss(item(1, link="http://example.org/another", title="Another")))


def store(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(execute: Callable[..., Any], statement: str, *rest: Any) -> Any:
        return fail() if statement.startswith("INSERT") else execute(statement, *rest)

    with connection.execute_wrapper(refuse):
        import_document(rss(item(2)))


@pytest.mark.parametrize("stage", [fetch, parse, plan, store])
def test_it_is_told_with_its_feed_and_its_stage(
    stage: Callable[[pytest.MonkeyPatch], None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_document(rss(item(1)))
    with suppress(RuntimeError):
        stage(monkeypatch)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (vars(record)["feed_id"], vars(record)["stage"]) == (Feed.objects.get().pk, stage.__name__)
    assert f"stage={stage.__name__}" in record.getMessage()
    assert record.exc_info
