"""Import feeds in a test as the actor does, without a queue."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from feeds import canonical_urls
from feeds.conf import feeds_settings
from feeds.importer import Importer, ImportRequest, get_importer
from feeds.parsing import Parser
from feeds.planning import ImportReport

Fetch = Callable[..., Any]


@dataclass(frozen=True)
class GivenFetcher:
    """A function in the place of a Fetcher."""

    fetch: Fetch


# For all importers that are made here: each of its children takes half a second to start.
PARSER = Parser(limit=20.0)


def _importer(fetch: Fetch) -> Importer:
    fetcher = GivenFetcher(fetch)
    return Importer(feeds_settings(), fetcher=fetcher, parser=PARSER, clock=lambda: timezone.now())


def import_feed(
    url: str,
    *,
    requested_at: datetime | None = None,
    slot: datetime | None = None,
    fetch: Fetch | None = None,
    importer: Importer | None = None,
) -> ImportReport:
    """Import a feed once; `fetch` takes the place of the network."""
    importer = importer or (get_importer() if fetch is None else _importer(fetch))
    return importer.run(ImportRequest(url=canonical_urls.feed_url(url), requested_at=requested_at, slot=slot))
