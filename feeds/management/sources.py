"""A source as named on the command line in, a stream of subscriptions and bad lines out.

A source is a feed's URL, a file of URLs (one a line, `#` begins a comment), an OPML file, or `-` for one of the two
on standard input. What a file is, its content says, not its name.
"""

import io
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

from feeds import canonical_urls, opml, storage
from feeds.exceptions import InvalidURL, OPMLError
from feeds.models import Feed
from feeds.storage import Registered, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """What a source of subscriptions holds that is no subscription."""

    source: str
    line: int = 0  # 0 = the whole source, or `why` says where
    text: str = ""
    why: str


STDIN = "-"
CHUNK = 64 * 1024  # bytes
MAX_LINE = 64 * 1024  # characters; what is longer is no list of URLs
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
        return document("standard input", _chunks(stdin))
    if URL.match(source):
        return iter([_subscription(source, 0, source)])
    return _file(source)


def document(source: str, chunks: Iterable[bytes]) -> Iterator[Item]:
    """Yield what a list of URLs or an OPML document holds."""
    rest = iter(chunks)
    head = next(rest, b"")
    whole = chain([head], rest)
    return _outlines(source, whole) if _is_markup(head) else _lines(source, whole)


def _file(path: str) -> Iterator[Item]:
    try:
        with open(path, "rb") as file:
            yield from document(path, _chunks(file))
    except OSError as error:
        yield BadLine(source=path, why=error.strerror or str(error))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def _is_markup(head: bytes) -> bool:
    return head.decode(opml.encoding_of(head), "replace").lstrip("\ufeff \t\r\n").startswith("<")


def _outlines(source: str, chunks: Iterable[bytes]) -> Iterator[Item]:
    try:
        for outline in opml.outlines(chunks):
            yield _subscription(source, outline.line, outline.url, folder=outline.folder, title=outline.title)
    except OPMLError as error:
        yield BadLine(source=source, why=str(error))


def _lines(source: str, chunks: Iterable[bytes]) -> Iterator[Item]:
    for number, line in enumerate(_split(chunks), start=1):
        if len(line) > MAX_LINE:
            yield BadLine(source=source, line=number, text=line, why="the line is too long")
        elif text := COMMENT.sub("", line).strip():
            yield _subscription(source, number, text)


def _split(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a text; one longer than MAX_LINE is cut short."""
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    begun = ""
    for text in chain(opml.decoded(chunks), ["\n"]):
        *lines, begun = (begun[: MAX_LINE + 1] + newlines.decode(text)).split("\n")
        yield from lines


def _subscription(source: str, line: int, text: str, *, folder: str = "", title: str = "") -> Item:
    try:
        return Subscription(url=canonical_urls.canonical_url(text), folder=folder, title=title)
    except InvalidURL as error:
        return BadLine(source=source, line=line, text=text, why=str(error))


Register = Callable[[list[Subscription]], Registered]
Report = Callable[[BadLine], None]


@dataclass(slots=True, kw_only=True)
class Intake:
    """What came of the sources. Ids and digests are what stays in memory: 40,000 URLs must not fill it."""

    feed_ids: "array[int]" = field(default_factory=lambda: array("q"))
    added: int = 0
    known: int = 0
    duplicates: int = 0
    bad_lines: int = 0
    _digests: set[bytes] = field(default_factory=set)

    def unique(self, items: Iterable[Subscription | BadLine], report: Report) -> Iterator[Subscription]:
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


def take_in(items: Iterable[Subscription | BadLine], *, register: Register, report: Report) -> Intake:
    """Store what the items name and return what came of them; `report` is told each bad line as it comes."""
    intake = Intake()
    for chunk in storage.chunked(intake.unique(items, report), storage.CHUNK):
        registered = register(chunk)
        intake.added += registered.added
        intake.known += registered.known
        intake.feed_ids.extend(_feed_ids([subscription.url for subscription in chunk]))
    return intake


def rehearse(chunk: list[Subscription]) -> Registered:
    """Count what `storage.register` would do, and write nothing."""
    known = len(Feed.objects.ids_by_url(subscription.url for subscription in chunk))
    return Registered(added=len(chunk) - known, known=known)


def _feed_ids(urls: list[str]) -> list[int]:
    """Return the ids of these feeds, in the order of the URLs."""
    ids = Feed.objects.ids_by_url(urls)
    return [ids[url] for url in urls if url in ids]
