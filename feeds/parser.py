"""A fetched body in, a ParsedFeed (or why it is none) out. The only module that imports feedparser.

The document is decoded and split; what was seen before is cut out of it; feedparser reads the rest; and what it says is
turned into values that are safe to store.
"""

import contextlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from html import unescape
from typing import Any
from xml.sax.expatreader import ExpatParser

import feedparser.api
import feedparser.mixin
from feedparser.util import FeedParserDict

from feeds import jsonfeed
from feeds.decoding import to_utf8, without_forbidden, without_forbidden_bytes
from feeds.documents import ParsedFeed
from feeds.fetching import Failed, Fetched
from feeds.outcomes import FailureKind
from feeds.reading import MAX_ENTRIES, read_feed
from feeds.sanitizer import safe_url
from feeds.splitter import Split, split

MAX_AUTHOR = 1_000  # characters that feedparser's author routine gets to see
MAX_TAGS = 1_000  # categories of one entry
# Salts the digests of entries: raise it when one that was seen before would be read, split or refused otherwise now.
READING = b"1"

_DECLARATION = re.compile(rb"<\?xml[^>]*\?>\s*")
_START = re.compile(rb"<\?xml|<(?:\w+:)?(?:rss|rdf|feed)\b", re.IGNORECASE)
_ROOT = re.compile(rb"<\w+")
_BLANKS = re.compile(rb"\s{2,}")
_ENDING = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)
_C1 = re.compile("[\x80-\x9f]")
_LINK_HEADER = re.compile(r"<([^>]*)>([^<]*)")
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]*)", re.IGNORECASE)


def parse(fetched: Fetched, seen: frozenset[bytes] = frozenset()) -> ParsedFeed | Failed:
    """Read a feed; entries whose digest is in `seen` may be left out of `entries`, never out of `digests`."""
    base = safe_url(fetched.content_location, fetched.url) or fetched.url
    body = to_utf8(fetched.body, fetched.content_type).lstrip()
    if body.startswith(b"{"):
        parsed = jsonfeed.parse(without_forbidden_bytes(body), base, seen, salt=READING)
    else:
        parsed = _parse_xml(_tidy(body), base, fetched.content_language, seen)
    if isinstance(parsed, Failed):
        return parsed
    return replace(
        parsed,
        hubs=tuple(dict.fromkeys((*_header_hubs(fetched.links, base), *parsed.hubs))),
        complete=parsed.complete and fetched.status != 226,
    )


def author_guard_installed() -> bool:
    """Tell whether feedparser still calls the author routine that is guarded here.

    The routine is quadratic: 60,000 characters hold the GIL for 11 s (feedparser #562, #580).
    """
    author = "a" * MAX_AUTHOR + "@example.com (name)"
    body = f"<rss><channel><item><author>{author}</author></item></channel></rss>".encode()
    entry = _feedparser_result(body, "", "").entries[0]
    return all("email" not in dict(person) for person in entry.get("authors", []))


# The document


def _tidy(body: bytes) -> bytes:
    """Return the document from its declaration on, but without it: it may name another encoding.

    Blank lines, comments or warnings of a script before the declaration would make it not well-formed.
    """
    found = _START.search(body, 0, 5_000)
    start = found.start() if found and found[0] == b"<?xml" else 0
    root = _ROOT.search(body, start)
    end = root.start() if root else len(body)
    prolog = _DECLARATION.sub(b"", body[start:end], count=1)
    # feedparser's search for a DOCTYPE is quadratic in the blank lines before the root.
    return _BLANKS.sub(b"\n", prolog) + body[end:]


def _parse_xml(body: bytes, base: str, language: str, seen: frozenset[bytes]) -> ParsedFeed | Failed:
    if _root_name(body) in (b"", b"html"):
        return _not_a_feed()
    parts = split(body, "\n".join((READING.decode(), base, language)).encode(), seen)
    if isinstance(parts, Failed):
        return parts
    if parts is not None:
        return _parse_split(parts, base, language, seen)
    clean = without_forbidden_bytes(body)
    return _parse_whole(body, base, language) if clean == body else _parse_xml(clean, base, language, seen)


def _root_name(body: bytes) -> bytes:
    root = _ROOT.search(body)
    return root[0][1:].lower() if root else b""


def _parse_whole(body: bytes, base: str, language: str) -> ParsedFeed | Failed:
    parsed = _parsed(body, base, language)
    if isinstance(parsed, ParsedFeed):
        ended = _ENDING.search(body, max(len(body) - 1_000, 0)) is not None
        return replace(parsed, complete=parsed.complete and ended, cut_short=not ended)
    return parsed


def _parse_split(parts: Split, base: str, language: str, seen: frozenset[bytes]) -> ParsedFeed | Failed:
    rest = parts.without(seen, MAX_ENTRIES)
    parsed = _parsed(rest.body, base, language)
    if isinstance(parsed, Failed):
        return parsed
    if len(parsed.entries) != len(rest.digests):  # the two disagree about what an entry is
        return _parse_whole(parts.body, base, language)
    return replace(
        parsed,
        entries=tuple(
            replace(entry, digest=digest) for entry, digest in zip(parsed.entries, rest.digests, strict=True)
        ),
        digests=parts.digests[:MAX_ENTRIES],
        complete=len(parts.entries) <= MAX_ENTRIES,
    )


def _parsed(body: bytes, base: str, language: str) -> ParsedFeed | Failed:
    try:
        result = _feedparser_result(body, base, language)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return Failed(kind=FailureKind.NOT_A_FEED, text=f"feedparser failed: {type(error).__name__}")
    if not result.version and not result.entries:
        return _not_a_feed()
    return read_feed(result.feed, result.entries, result.version or "", base)


def _not_a_feed() -> Failed:
    return Failed(kind=FailureKind.NOT_A_FEED, text="the document is neither RSS nor Atom nor JSON Feed")


def _feedparser_result(body: bytes, base: str, language: str) -> Any:
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base, "content-language": language}
    return feedparser.api.parse(
        io.BytesIO(body),  # bytes would be tried as the path of a file first
        response_headers={name: value for name, value in headers.items() if value},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _header_hubs(headers: Iterable[str], base: str) -> Iterator[str]:
    """Yield the hubs of Link headers (RFC 8288, WebSub §4)."""
    for header in headers:
        for target, parameters in _LINK_HEADER.findall(header[:10_000]):
            rel = _REL.search(parameters)
            if rel and "hub" in rel[1].lower().split() and (url := safe_url(target, base)):
                yield url


# feedparser, made fit


class _Text(str):
    """A text that is translated only if it holds what feedparser translates, C1 controls.

    str.translate asks for each character, 35 ns a time: a sixth of the time of a feed.
    """

    __slots__ = ()

    def translate(self, table: Any) -> str:
        return super().translate(table) if _C1.search(self) else str(self)


class _Corrections(feedparser.mixin._FeedParserMixin):  # type: ignore[misc]  # feedparser has no types
    """What feedparser's two parsers do otherwise here."""

    def _start_item(self, attrs_d: dict[str, str]) -> None:
        super()._start_item(attrs_d)
        self.entries[-1]["feeds_base"] = self.baseuri
        if self.lang and self.langstack[-2:] != [self.lang, self.lang]:  # its own, not inherited
            self.entries[-1]["language"] = self.lang

    _start_entry = _start_item

    def _start_author(self, attrs_d: dict[str, str]) -> None:
        """Begin another author; feedparser would give it the name of the one before, if it has none."""
        super()._start_author(attrs_d)
        self._get_context().pop("author", None)

    def decode_entities(self, element: str, data: str) -> str:
        return _Text(super().decode_entities(element, data))

    guidislink: bool

    def _end_guid(self) -> None:
        """Keep the id as given; feedparser resolves a relative one against the base."""
        is_link = self.guidislink
        self.guidislink = False
        value = self.pop("id") or ""
        if isinstance(self, _LooseParser):  # which leaves references as they are
            value = unescape(value)
            self._save("id", value, overwrite=True)
        self._save("guidislink", is_link and "link" not in self._get_context())
        if is_link and value:
            self._save("link", self.resolve_uri(value))

    _end_id = _end_guid

    def _sync_author_detail(self, key: str = "author") -> None:
        if len(dict.get(self._get_context(), key) or "") <= MAX_AUTHOR:
            super()._sync_author_detail(key)

    def _add_tag(self, term: str | None, scheme: str | None, label: str | None) -> None:
        """Add a category of an entry, unless there are many: feedparser compares each with all before it."""
        tags = self._get_context().setdefault("tags", [])
        if self.inentry and len(tags) < MAX_TAGS:
            super()._add_tag(term, scheme, label)

    def _end_hour(self) -> None:
        """Keep every hour of skipHours; feedparser keeps the last one."""
        self.feeddata.setdefault("skip_hours", []).append(self.pop("hour") or "")

    def _end_day(self) -> None:
        self.feeddata.setdefault("skip_days", []).append(self.pop("day") or "")

    def _end_itunes_explicit(self) -> None:
        """Keep the word; feedparser knows neither "true" nor "no"."""
        self.pop("itunes_explicit")

    def handle_charref(self, ref: str) -> None:
        """Leave out references to what is no character; feedparser keeps some, and fails on others."""
        with contextlib.suppress(ValueError, OverflowError):
            if without_forbidden(chr(int(f"0{ref}", 16) if ref[:1] in "xX" else int(ref))):
                super().handle_charref(ref)


class _StrictParser(_Corrections, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    """Namespaces end with the element that declares them; feedparser keeps them for what follows."""

    def __init__(self, *args: str) -> None:
        super().__init__(*args)
        self._outer: list[tuple[tuple[dict[str | None, str], str | None, str | None], ...]] = []

    def startPrefixMapping(self, prefix: str | None, uri: str | None) -> None:  # the name is SAX's
        name = self._matchnamespaces.get((uri or "").lower(), prefix or "")
        changed = (self.namespaces_in_use, name), (self.namespacemap, prefix)
        self._outer.append(tuple((names, key, names.get(key)) for names, key in changed))
        super().startPrefixMapping(prefix, uri)

    def endPrefixMapping(self, prefix: str | None) -> None:
        for names, key, value in self._outer.pop():
            if value is None:
                names.pop(key, None)
            else:
                names[key] = value


class _LooseParser(_Corrections, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    pass


def create_parser() -> ExpatParser:
    """Return an XML driver whose expat hands over text in one piece; `xml.sax.make_parser` calls this by its name.

    Without it each line and each entity of a text is one call: 25 % of the time of a feed.
    """
    return _BufferingParser()


class _BufferingParser(ExpatParser):
    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]  # typeshed leaves it out
        self._parser.buffer_size = 65_536  # type: ignore[attr-defined]


_REMAPPED_KEYS = frozenset(FeedParserDict.keymap) | {"category", "enclosures", "license", "updated", "updated_parsed"}


def _get(self: FeedParserDict, key: str, default: Any = None) -> Any:
    """Answer at once for the keys that have one name only; feedparser asks for each element and each text."""
    return dict.get(self, key, default) if key not in _REMAPPED_KEYS else _slow_get(self, key, default)


def _contains(self: FeedParserDict, key: str) -> bool:
    return dict.__contains__(self, key) if key not in _REMAPPED_KEYS else _slow_contains(self, key)


def _copied(self: FeedParserDict, memo: dict[int, Any]) -> FeedParserDict:
    """Copy without a detour over pickling; of what is in it nothing is changed afterwards."""
    return FeedParserDict(self)


_slow_get, _slow_contains = FeedParserDict.get, FeedParserDict.__contains__
FeedParserDict.get, FeedParserDict.__contains__ = _get, _contains
FeedParserDict.__deepcopy__ = _copied
# Called for each element with the same two URLs: a sixth of the time of a feed.
feedparser.mixin.make_safe_absolute_uri = lru_cache(maxsize=256)(feedparser.mixin.make_safe_absolute_uri)
# str.translate is slow where a dictionary lacks a character.
feedparser.mixin._cp1252 = "".join(chr(n) for n in range(0xFFFF)).translate(feedparser.mixin._cp1252)
feedparser.api.StrictFeedParser = _StrictParser
feedparser.api.LooseFeedParser = _LooseParser
feedparser.api.PREFERRED_XML_PARSERS = [__name__]
