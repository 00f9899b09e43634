"""feedparser's strict and loose parser, subclassed, corrected, guarded, and called by us.

`feedparser.parse` is not called: it would want forged headers for what is known here, and it knows no parsers but its
own. Nothing of feedparser is changed for others in the process.
"""

import contextlib
import io
import re
from html import unescape
from typing import Any
from xml.sax import SAXException
from xml.sax.expatreader import ExpatParser
from xml.sax.handler import feature_external_ges, feature_namespaces
from xml.sax.xmlreader import InputSource

import feedparser.api
import feedparser.mixin
from feedparser.sanitizer import replace_doctype
from feedparser.util import FeedParserDict

from feeds.parsing.encodings import without_forbidden

MAX_AUTHOR = 1_000  # characters that feedparser's author routine gets to see
MAX_TAGS = 1_000  # categories of one entry
_C1 = re.compile("[\x80-\x9f]")
_ROOTS = frozenset({"feed", "rss", "rdf:RDF"})
_KEEP_IN_IMAGE = frozenset({"title", "link", "description", "url", "href", "width", "height"})
_KEEP_IN_TEXTINPUT = frozenset({"title", "link", "description", "name"})


def author_guard_installed() -> bool:
    """Tell whether feedparser still calls the author routine that is guarded here.

    The routine is quadratic: 60,000 characters hold the GIL for 11 s (feedparser #562, #580).
    """
    author = "a" * MAX_AUTHOR + "@example.com (name)"
    body = f"<rss><channel><item><author>{author}</author></item></channel></rss>".encode()
    entry = feedparser_result(body, "", "").entries[0]
    return all("email" not in dict(person) for person in entry.get("authors", []))


def feedparser_result(body: bytes, base: str, language: str) -> Any:
    """Return what `feedparser.parse` returns for a document in UTF-8, as far as it is of use here."""
    version, body, entities = replace_doctype(body)
    reader = _StrictParser(base, language or None, "utf-8")
    reader.resolve_relative_uris = reader.sanitize_html = False
    try:
        _drive(reader, body)
    except SAXException:
        reader = _LooseParser(base, language or None, "utf-8", entities)
        reader.resolve_relative_uris = reader.sanitize_html = False
        reader.feed(body.decode("utf-8", "replace"))
    return FeedParserDict(feed=reader.feeddata, entries=reader.entries, version=version or reader.version)


def _drive(reader: "_StrictParser", body: bytes) -> None:
    driver = _BufferingDriver()
    driver.setFeature(feature_namespaces, 1)
    driver.setFeature(feature_external_ges, 0)
    driver.setContentHandler(reader)
    driver.setErrorHandler(reader)
    source = InputSource()
    source.setByteStream(io.BytesIO(body))
    driver.parse(source)


class _BufferingDriver(ExpatParser):
    """An XML driver whose expat hands over text in one piece.

    Without it each line and each entity of a text is one call: 25 % of the time of a feed.
    """

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]  # typeshed leaves it out
        self._parser.buffer_size = 65_536  # type: ignore[attr-defined]


_OTHER_NAMES = frozenset(FeedParserDict.keymap) | {"category", "enclosures", "license", "updated", "updated_parsed"}


class _Values(FeedParserDict):  # type: ignore[misc]  # feedparser has no types
    """feedparser's dictionary, quicker for the keys that have one name: it asks for each element and each text."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) if key in _OTHER_NAMES else dict.get(self, key, default)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) if key in _OTHER_NAMES else dict.__contains__(self, key)

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Values":
        """Copy without a detour over pickling; the values in it are texts, or are not changed afterwards."""
        return _Values(self)


class _Text(str):
    """A text that is translated only if it holds what feedparser translates, C1 controls.

    str.translate asks for each character, 35 ns a time: a sixth of the time of a feed.
    """

    __slots__ = ()

    def translate(self, table: Any) -> str:
        return super().translate(table) if _C1.search(self) else str(self)


class _Corrections(feedparser.mixin._FeedParserMixin):  # type: ignore[misc]  # feedparser has no types
    """What feedparser's two parsers do otherwise here."""

    guidislink: bool
    inimage: int
    insource: int
    intextinput: int

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.feeddata: FeedParserDict = _Values(self.feeddata)
        self.contentparams = _Values()
        self._named: set[tuple[int, str | None, str | None, str | None]] = set()  # categories of the open entry

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        """Begin an element; one without a base, a language or namespaces of its own takes a shorter way.

        feedparser joins the base with itself for each element: a sixth of the time of a feed.
        """
        values = dict(map(self._normalize_attributes, attrs))
        if self.incontent or tag in _ROOTS or any(map(_changes_scope, values)):
            super().unknown_starttag(tag, attrs)
            return
        self.depth += 1
        self.basestack.append(self.baseuri)
        self.langstack.append(self.lang)
        prefix, name = tag.split(":", 1) if ":" in tag else ("", tag)
        if prefix := self.namespacemap.get(prefix, prefix):
            name = f"{prefix}_{name}"
        else:
            self.intextinput = self.intextinput if tag in _KEEP_IN_TEXTINPUT else 0
            self.inimage = self.inimage if tag in _KEEP_IN_IMAGE else 0
        try:
            getattr(self, f"_start_{name}")(values)
        except AttributeError:  # of the handler, too, as in feedparser
            if values:
                self._get_context()[name] = values
            else:
                self.push(name, 1)

    def _start_item(self, attrs_d: dict[str, str]) -> None:
        super()._start_item(attrs_d)
        self.entries[-1] = _Values(self.entries[-1])
        self._named.clear()
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

    def push_content(self, tag: str, attrs_d: dict[str, str], default_content_type: str, expecting_text: int) -> None:
        super().push_content(tag, attrs_d, default_content_type, expecting_text)
        self.contentparams = _Values(self.contentparams)

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
        """Add a category of an entry, once, unless there are many; feedparser compares each with all before it."""
        tags = self._get_context().setdefault("tags", [])
        named = (self.insource, term, scheme, label)
        if self.inentry and any(named[1:]) and named not in self._named and len(tags) < MAX_TAGS:
            self._named.add(named)
            tags.append({"term": term, "scheme": scheme, "label": label})

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


def _changes_scope(name: str) -> bool:
    return name in ("xml:base", "base", "xml:lang", "lang") or name.startswith("xmlns")


class _StrictParser(_Corrections, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    """Namespaces end with the element that declares them; feedparser keeps them for what follows."""

    def __init__(self, *args: Any) -> None:
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
