"""feedparser's two parsers, subclassed: corrected, guarded, and called without feedparser.parse."""

import contextlib
import io
import re
from functools import lru_cache
from html import unescape
from typing import Any
from xml.sax.expatreader import ExpatParser

import feedparser.api
import feedparser.mixin
from feedparser.util import FeedParserDict

from feeds.parsing.encodings import without_forbidden

MAX_AUTHOR = 1_000  # characters that feedparser's author routine gets to see
MAX_TAGS = 1_000  # categories of one entry
_C1 = re.compile("[\x80-\x9f]")


def author_guard_installed() -> bool:
    """Tell whether feedparser still calls the author routine that is guarded here.

    The routine is quadratic: 60,000 characters hold the GIL for 11 s (feedparser #562, #580).
    """
    author = "a" * MAX_AUTHOR + "@example.com (name)"
    body = f"<rss><channel><item><author>{author}</author></item></channel></rss>".encode()
    entry = feedparser_result(body, "", "").entries[0]
    return all("email" not in dict(person) for person in entry.get("authors", []))


def feedparser_result(body: bytes, base: str, language: str) -> Any:
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base, "content-language": language}
    return feedparser.api.parse(
        io.BytesIO(body),  # bytes would be tried as the path of a file first
        response_headers={name: value for name, value in headers.items() if value},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


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
