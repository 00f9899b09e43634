"""The recipe's actor. Run by `dramatiq tests.rigs.benchmarks.recipe.actors`; `--tables` makes the tables."""

import calendar
import os
import sys
from datetime import UTC, datetime
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.rigs.benchmarks.recipe.settings"

import django
import dramatiq
from dramatiq.brokers.redis import RedisBroker

django.setup()

import feedparser
from django.db import connection

from tests.rigs.benchmarks.recipe.models import Feed, Post
from tests.rigs.faults.recipe import RecipeMiddleware

broker = RedisBroker(url=os.environ["BROKER_URL"])
broker.add_middleware(RecipeMiddleware(os.environ["MEMCACHED_URL"]))
dramatiq.set_broker(broker)


@dramatiq.actor(lock_key=str, lock_expire=600, max_retries=0)
def import_feed(url: str) -> None:
    document = feedparser.parse(url)
    feed, _ = Feed.objects.update_or_create(url=url, defaults={"name": document.feed.get("title", "")[:200]})
    for entry in document.entries:
        guid = (entry.get("id") or entry.get("link") or entry.get("title") or "")[:500]
        Post.objects.update_or_create(feed=feed, guid=guid, defaults=_values(entry))


def _values(entry: Any) -> dict[str, Any]:
    when = entry.get("published_parsed") or entry.get("updated_parsed")
    content = entry.content[0].value if "content" in entry else entry.get("summary", "")
    return {
        "title": entry.get("title", "")[:500],
        "link": entry.get("link", "")[:2_000],
        "content": content.replace("\0", ""),
        "published": when and datetime.fromtimestamp(calendar.timegm(when), UTC),
    }


if __name__ == "__main__":
    if "--tables" in sys.argv:
        with connection.schema_editor() as editor:
            editor.create_model(Feed)
            editor.create_model(Post)
    for url in sys.stdin.read().split():
        import_feed.send(url)
