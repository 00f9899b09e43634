"""Parse documents: decode, refuse what is hostile, split, cut what was seen before, read the rest.

What is small, plain and well-formed is read right here, all else by a child that can be killed.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from xml.parsers import expat

from feeds.outcomes import FailureKind
from feeds.parsing import reading
from feeds.parsing.autodiscovery import feed_links, header_links
from feeds.parsing.caps import MAX_ENTRIES, fitted
from feeds.parsing.encodings import GZIP, joined_surrogates, to_utf8, ungzipped, without_forbidden_bytes
from feeds.parsing.html.urls import safe_url
from feeds.parsing.prolog import without_prolog
from feeds.parsing.sandbox import ALERT, PATIENCE, STOPPED, GoesOn, Sandbox
from feeds.parsing.splitter import Split, split
from feeds.parsing.values import Document, ParsedFeed, SandboxUnavailable, Unreadable

logger = logging.getLogger(__name__)

# What a document that is read in this process may have at most. The time of some is quadratic in their tags.
PLAIN_BYTES = 256 * 1024
PLAIN_TAGS = 3_000  # tags and references of XML, of HTML, and of HTML that is escaped
PLAIN_NAMESPACES = 64  # declarations
PLAIN_AMPERSANDS = 20_000  # nh3 is quadratic in them: 250,000 take 1 s
LARGE_AT_ONCE = 2  # documents that are larger; on its way to a child one of 10 MiB takes 40 MB
MAX_UNPACKED = 10 * 1024 * 1024  # bytes of a document that is a gzip file

Read = Callable[[Document, frozenset[bytes]], ParsedFeed | Unreadable]


class Parser:
    """Parses documents, and owns the children that read some of them. Threads may share one."""

    def __init__(self, *, limit: float) -> None:
        """`limit`: seconds of the processor that a child may take for one document."""
        self._sandbox = Sandbox(limit=limit)
        self._large = threading.BoundedSemaphore(LARGE_AT_ONCE)

    def parse(
        self,
        document: Document,
        seen: frozenset[bytes] = frozenset(),
        *,
        suspicious: bool = False,
        goes_on: GoesOn = lambda: True,
        context: Mapping[str, object] | None = None,
    ) -> ParsedFeed | Unreadable:
        """Parse a document; entries whose digest is in `seen` may be left out of `entries`, never out of `digests`.

        `suspicious` says that the last document of this feed was hostile, or crashed the parser: a child reads it.
        `goes_on` is asked now and then while a child is waited for. `context` goes into the log with what fails.
        Raise SandboxUnavailable where a child is needed and there is none, which is no fault of the document; and where
        `goes_on` says no.
        """
        in_child = partial(self._sandbox.read, goes_on=goes_on)
        try:
            with self._room_for(document, goes_on):
                return parse(document, seen, in_child if suspicious else partial(_read, in_child))
        except SandboxUnavailable:
            raise
        except Exception as error:  # a fault of ours or of feedparser's, and no reason to import no feed at all
            logger.exception(
                "url=%s stage=parse: the parser failed", document.url, extra={"stage": "parse", **(context or {})}
            )
            return Unreadable(kind=FailureKind.HOSTILE, text=f"the parser failed: {type(error).__name__}")

    def close(self) -> None:
        """End the children. Another document starts new ones."""
        self._sandbox.close()

    @contextmanager
    def _room_for(self, document: Document, goes_on: GoesOn) -> Iterator[None]:
        """Keep the memory of a worker within bounds, however many large documents come at once."""
        if len(document.body) <= PLAIN_BYTES and not document.body.startswith(GZIP):
            yield
            return
        asked = time.monotonic()
        while not self._large.acquire(timeout=ALERT):
            if not goes_on():
                raise SandboxUnavailable(STOPPED)
            if time.monotonic() - asked > PATIENCE:
                raise SandboxUnavailable(f"other documents were being parsed for {PATIENCE:g} s")
        try:
            yield
        finally:
            self._large.release()


def _read(in_child: Read, document: Document, seen: frozenset[bytes]) -> ParsedFeed | Unreadable:
    read = reading.read if is_plain(document) else in_child
    return read(document, seen)


def is_plain(document: Document) -> bool:
    """Tell whether a decoded document cannot take long to read."""
    body = document.body
    if len(body) > PLAIN_BYTES:
        return False
    if document.is_json:
        tags = body.count(b"<") + body.lower().count(rb"\u003c")
        return tags <= PLAIN_TAGS and body.count(b"&") + body.count(rb"\u0026") <= PLAIN_AMPERSANDS
    # "<" may be written as &lt; &#60; &#x3c; and these escaped once more.
    tags = body.count(b"<") + body.count(b"lt;") + body.count(b"&#")
    has_declarations = b"<!DOCTYPE" in body or body.count(b"xmlns") > PLAIN_NAMESPACES
    is_small = tags <= PLAIN_TAGS and body.count(b"&") <= PLAIN_AMPERSANDS
    return is_small and not has_declarations and _is_well_formed(body)


def _is_well_formed(body: bytes) -> bool:
    try:
        expat.ParserCreate("utf-8").Parse(body, True)
    except expat.ExpatError:
        return False
    return True


def parse(
    document: Document, seen: frozenset[bytes] = frozenset(), read: Read = reading.read
) -> ParsedFeed | Unreadable:
    """Parse a document as `Parser.parse` does, in this process if `read` does not leave it."""
    decoded = _decoded(document)
    parsed = read(decoded, seen) if decoded.is_json else _parse_xml(decoded, seen, read)
    if isinstance(parsed, Unreadable):
        is_page = parsed.kind is FailureKind.NOT_A_FEED
        return replace(parsed, links=tuple(feed_links(decoded))) if is_page else parsed
    hubs = tuple(dict.fromkeys((*_header_hubs(document.links, document.url), *parsed.hubs)))
    return fitted(replace(parsed, hubs=hubs, complete=parsed.complete and not document.is_delta))


# The document


def _decoded(document: Document) -> Document:
    """Return the document in UTF-8."""
    body = to_utf8(ungzipped(document.body, MAX_UNPACKED), document.content_type)
    return replace(document, body=joined_surrogates(body.lstrip()))


def _parse_xml(document: Document, seen: frozenset[bytes], read: Read) -> ParsedFeed | Unreadable:
    body = without_prolog(document.body)
    if isinstance(body, Unreadable):
        return body
    return _parse_rooted(replace(document, body=body), seen, read) if body else reading.NOT_A_FEED


def _parse_rooted(document: Document, seen: frozenset[bytes], read: Read) -> ParsedFeed | Unreadable:
    salt = "\n".join((reading.READING.decode(), document.url, document.content_language))
    parts = split(document.body, salt.encode())
    if isinstance(parts, Unreadable):
        return parts
    if parts is not None:
        return _parse_split(document, parts, seen, read)
    clean = replace(document, body=without_forbidden_bytes(document.body))
    return read(document, seen) if clean == document else _parse_rooted(clean, seen, read)


def _parse_split(document: Document, parts: Split, seen: frozenset[bytes], read: Read) -> ParsedFeed | Unreadable:
    rest = parts.without(seen, MAX_ENTRIES)
    parsed = read(replace(document, body=rest.body, digests=rest.digests), seen)
    if isinstance(parsed, Unreadable):
        return parsed
    count = len(parsed.entries)
    are_over_limits = count < len(rest.digests) and not parsed.complete and not parsed.cut_short
    if count != len(rest.digests) and not are_over_limits:  # the two disagree about what an entry is
        return read(replace(document, body=parts.body), seen)
    left_out = frozenset(rest.digests[count:]) - frozenset(rest.digests[:count])  # until the document changes
    return replace(
        parsed,
        digests=tuple(digest for digest in parts.digests[:MAX_ENTRIES] if digest not in left_out),
        complete=len(parts.entries) <= MAX_ENTRIES and not are_over_limits,
        cut_short=False,
    )


def _header_hubs(headers: Iterable[str], base: str) -> Iterator[str]:
    """Yield the hubs of Link headers (WebSub §4)."""
    for values in header_links(headers):
        if "hub" in values.get("rel", "").lower().split() and (url := safe_url(values["href"], base)):
            yield url
