"""The subscriptions that a source on the command line names, and the lines of it that are none.

A source is a feed's URL, a file of URLs (one a line, `#` begins a comment), an OPML file, or `-` for one of the two
on standard input. What a file is, its content says, not its name.
"""

import io
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from django.core.management.base import CommandError

from feeds import canonical_urls, opml, storage
from feeds.exceptions import InvalidURL, OPMLError
from feeds.models import Feed
from feeds.opml import BadOutline
from feeds.parsing import to_utf8
from feeds.storage import Registered, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line of a source, or a whole source, that is no subscription."""

    source: str
    line: int = 0  # 0 = the whole source, or `why` says where
    text: str = ""
    why: str


STDIN = "-"
MAX_BYTES = 128 * 1024 * 1024  # of a list: two million URLs
SHOWN = 200  # characters of a line that is none
URL = re.compile(r"(https?|feed):", re.IGNORECASE)
COMMENT = re.compile(r"(^|\s)#.*")  # in a URL a fragment follows without a space

Item = Subscription | BadLine


def problem(source: str) -> str:
    """Say why nothing can be read from a source; "" if something can."""
    if os.path.isdir(source):
        return "a folder"
    if source == STDIN or URL.match(source) or os.path.exists(source):  # exists, since `<(command)` is no regular file
        return ""
    return "neither a feed's URL nor a file"


def read(source: str, stdin: BinaryIO) -> Iterator[Item]:
    """Yield what a source holds, in its order."""
    if source == STDIN:
        return document("standard input", stdin.read(MAX_BYTES + 1))
    if URL.match(source):
        return iter([_subscription(canonical_urls.redacted(source), 0, source)])
    return _file(source)


def document(source: str, body: bytes) -> Iterator[Item]:
    """Yield what a list of URLs or an OPML document holds."""
    if len(body) > MAX_BYTES:
        return iter([BadLine(source=source, why=f"more than {MAX_BYTES // 1024**2} MB")])
    text = to_utf8(body)
    return _outlines(source, text) if text.lstrip().startswith(b"<") else _lines(source, text.decode())


def _file(path: str) -> Iterator[Item]:
    try:
        with open(path, "rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        return iter([BadLine(source=path, why=error.strerror or str(error))])
    return document(path, body)


def _outlines(source: str, text: bytes) -> Iterator[Item]:
    try:
        for outline in opml.outlines(text):
            if isinstance(outline, BadOutline):
                yield BadLine(source=source, line=outline.line, why=outline.why)
            else:
                is_url = URL.match(outline.title)  # then it may hold the login, which nobody is to see or find
                title = canonical_urls.redacted(outline.title) if is_url else outline.title
                yield _subscription(source, outline.line, outline.url, folder=outline.folder, title=title)
    except OPMLError as error:
        yield BadLine(source=source, why=str(error))


def _lines(source: str, text: str) -> Iterator[Item]:
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if url := COMMENT.sub("", line).strip():
            yield _subscription(source, number, url)


def _subscription(source: str, line: int, text: str, *, folder: str = "", title: str = "") -> Item:
    try:
        return Subscription(url=canonical_urls.canonical_url(text), folder=folder, title=title)
    except InvalidURL as error:
        return BadLine(source=source, line=line, text=text[:SHOWN], why=str(error))


Register = Callable[[list[Subscription]], Registered]
Report = Callable[[BadLine], None]


@dataclass(slots=True, kw_only=True)
class Intake:
    """The feeds of the sources. Only ids and digests stay in memory: 40,000 URLs must not fill it."""

    feed_ids: "array[int]" = field(default_factory=lambda: array("q"))
    added: int = 0
    known: int = 0
    duplicates: int = 0
    bad_lines: int = 0
    _digests: set[bytes] = field(default_factory=set)

    def unique(self, items: Iterable[Item], report: Report) -> Iterator[Subscription]:
        """Yield each subscription the first time; count the rest, and report what is none."""
        for item in items:
            if isinstance(item, BadLine):
                self.bad_lines += 1
                report(item)
            elif (digest := canonical_urls.url_md5(item.url).bytes) in self._digests:
                self.duplicates += 1
            else:
                self._digests.add(digest)
                yield item


def take_in(items: Iterable[Item], *, register: Register, report: Report) -> Intake:
    """Store what the items name and return what came of them; `report` is told each bad line as it comes."""
    intake = Intake()
    for chunk in storage.chunked(intake.unique(items, report), storage.CHUNK):
        registered = register(chunk)
        intake.added += registered.added
        intake.known += registered.known
        ids = Feed.primary.ids_by_url(each.url for each in chunk)
        intake.feed_ids.extend(ids[each.url] for each in chunk if each.url in ids)
    return intake


def rehearse(chunk: list[Subscription]) -> Registered:
    """Count what `storage.register` would do, and write nothing."""
    known = len(Feed.primary.ids_by_url(subscription.url for subscription in chunk))
    return Registered(added=len(chunk) - known, known=known)


def stored(urls: list[str]) -> list[int]:
    """Return the ids of the feeds that are known by these URLs; raise CommandError where one is not."""
    wanted = [canonical_urls.feed_url(url) for url in urls]
    known = Feed.primary.ids_by_url(wanted)
    if unknown := [canonical_urls.redacted(url) for url in wanted if url not in known]:
        raise CommandError(f"No such feed: {', '.join(unknown)}", returncode=2)
    return sorted({*known.values()})
