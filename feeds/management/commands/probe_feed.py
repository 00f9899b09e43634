"""Ask the server of a feed twice, and explain what it does and when the importer would come back."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds import canonical_urls, clock, planning
from feeds.conf import FeedsSettings, feeds_settings
from feeds.exceptions import InvalidURL
from feeds.fetching import Failed, FeedRequest, Fetched, Fetcher, FetchOutcome, FetchSettings, NotModified, Redirect
from feeds.importer import document_of
from feeds.management.progress import printable
from feeds.parsing import ParsedFeed, Parser, SandboxUnavailable, Unreadable
from feeds.planning import Circumstances, FeedState, History, Rules


class Command(BaseCommand):
    help = "Ask the server of a feed twice, and explain what it does and when we would come back. Nothing is stored."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", metavar="URL", help="any feed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for line in explain(options["url"]):
                self.stdout.write(printable(line))
        except InvalidURL as error:
            url = printable(canonical_urls.redacted(options["url"]))
            raise CommandError(f"{url}: {error}.", returncode=2) from error


def explain(url: str) -> Iterator[str]:
    """Ask for a feed, then ask again with the validators it gave. Raise InvalidURL."""
    settings = feeds_settings()
    request = FeedRequest(url=canonical_urls.canonical_url(url))
    fetcher = Fetcher(settings.part(FetchSettings))
    yield f"First request, without conditions: {canonical_urls.redacted(request.url)}"
    first = yield from _ask(fetcher, request)
    document = _parsed(first, settings)
    yield from _said(document)
    if not isinstance(first, Fetched) or not isinstance(document, ParsedFeed):
        yield _decision(request, first, document, settings)
        return
    time.sleep(settings.host_delay)
    known = replace(
        request,
        etag=first.etag,
        last_modified=first.last_modified,
        validators_url=first.url if first.redirects else "",
        body_digest=first.body_digest,
    )
    yield ""
    yield "Second request, " + ("with its validators" if first.etag or first.last_modified else "without conditions")
    second = yield from _ask(fetcher, known)
    yield from _judged(first, second)
    yield ""
    yield _decision(known, second, document, settings)


def _ask(fetcher: Fetcher, request: FeedRequest) -> Generator[str, None, FetchOutcome]:
    """Yield what the server answers, and return it."""
    begun = time.monotonic()
    outcome = fetcher.fetch(request)
    seconds = time.monotonic() - begun
    yield from (f"  {hop.status}: redirects to {hop.url}{_kept(hop)}" for hop in outcome.redirects)
    match outcome:
        case Fetched():
            size = f"{len(outcome.body):,} bytes decoded, {outcome.content_type or 'no Content-Type'}"
            yield f"  {outcome.status} after {seconds:.2f} s: {size}"
            yield f"  ETag: {outcome.etag or 'none'}; Last-Modified: {outcome.last_modified or 'none'}"
        case NotModified(status=304):
            yield f"  304 after {seconds:.2f} s: nothing new, and no document sent"
        case NotModified():
            yield f"  {outcome.status} after {seconds:.2f} s: the whole document again, byte for byte the same"
        case Failed():
            yield f"  failed after {seconds:.2f} s: {outcome.kind.label}: {outcome.text}"
            if outcome.retry_after is not None:
                yield f"  Retry-After: {outcome.retry_after:.0f} s"
    if isinstance(outcome, Fetched | NotModified) and outcome.max_age is not None:
        yield f"  fresh for {outcome.max_age:.0f} s by Cache-Control or Expires"
    return outcome


def _kept(hop: Redirect) -> str:
    return " (permanent: believed after days)" if hop.status in (301, 308) else " (temporary)"


def _parsed(outcome: FetchOutcome, settings: FeedsSettings) -> ParsedFeed | Unreadable | None:
    if not isinstance(outcome, Fetched):
        return None
    with closing(Parser(limit=settings.parse_limit)) as parser:
        try:
            return parser.parse(document_of(outcome))
        except SandboxUnavailable as error:
            raise CommandError(str(error)) from error


def _said(document: ParsedFeed | Unreadable | None) -> Iterator[str]:
    if isinstance(document, ParsedFeed):
        yield f"  {document.format or 'a feed'}: {document.title!r}, {len(document.entries)} entries"
        if document.ttl:
            yield f"  ttl: {document.ttl // 60} minutes"
    elif document is not None:
        yield "  no feed"
        for link in document.links:
            yield f"  names a feed: {link.url} {link.title!r}"


def _judged(first: Fetched, second: FetchOutcome) -> Iterator[str]:
    if not (first.etag or first.last_modified):
        yield "  The server gives no validators: each poll costs it the whole document, so we poll once a day."
    elif isinstance(second, NotModified) and second.status == 304:
        yield "  Conditional requests work: a poll without news costs it next to nothing."
    elif isinstance(second, NotModified):
        yield "  It gives validators and does not honour them: each poll costs it the whole document."
    elif isinstance(second, Fetched):
        yield "  The document changes with each request: validators cannot help."


def _decision(
    request: FeedRequest, response: FetchOutcome, document: ParsedFeed | Unreadable | None, settings: FeedsSettings
) -> str:
    """Return what the importer would decide, for a feed that it had just been given."""
    now = clock.now()
    feed = FeedState(id=0, url=request.url, revision=0, request=request, history=History(created_at=now))
    circumstances = Circumstances(started_at=now, now=now, jitter=0.0)
    plan = planning.plan(feed, response, document, (), settings.part(Rules), circumstances)
    if plan.move:
        return f"We would go on with {canonical_urls.redacted(plan.move.url)}: {plan.move.reason}"
    if plan.next_check is None or plan.next_check.at is None:
        return f"We would not come back: {plan.disable}"
    return f"We would come back at {plan.next_check.at:%Y-%m-%d %H:%M} UTC, or a little later: {plan.next_check.reason}"
