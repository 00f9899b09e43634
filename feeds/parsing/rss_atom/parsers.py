"""feedparser's strict and loose parser, subclassed, corrected, guarded, and called by us.

`feedparser.parse` is not called: it would want forged headers for what is known here, and it knows no parsers but its
own. Nothing of feedparser is changed for others in the process.
"""

import contextlib
import io
import re
from itertools import islice
from typing import Any
from xml.sax import SAXException
from xml.sax.expatreader import ExpatParser
from xml.sax.handler import feature_external_ges, feature_namespaces
from xml.sax.xmlreader import InputSource

import feedparser.api
from feedparser.sanitizer import replace_doctype
from feedparser.util import FeedParserDict

from feeds.parsing.caps import Enough
from feeds.parsing.encodings import without_forbidden
from feeds.parsing.people import MAX_AUTHOR
from feeds.parsing.rss_atom.texts import Texts

MAX_MARKS = 1_000_000  # "<" and "&" of a document that is not well-formed; 4 µs each, elements more

# Spelt as feedparser does not know it: it would take "\xc9\xae" for a letter in UTF-8 that was read as Latin-1 (#36).
_ENCODING = "UTF-8"
_MARK = re.compile(b"[<&]")
_STRUCTURE = frozenset({"item", "entry", "channel", "feed", "rss", "rdf:rdf"})


def author_guard_installed() -> bool:
    """Tell whether feedparser still asks ours, and not its own author routine.

    That is quadratic: 60,000 characters hold the GIL for 11 s (feedparser #562, #580).
    """
    author = "a" * MAX_AUTHOR + "@example.com (name)"
    body = f"<rss><channel><item><author>{author}</author></item></channel></rss>".encode()
    entry = feedparser_result(body, "", "").entries[0]
    return all("email" not in dict(person) for person in entry.get("authors", []))


def feedparser_result(body: bytes, base: str, language: str) -> Any:
    """Return what `feedparser.parse` returns for a document in UTF-8, as far as it is of use here.

    `partial` says that the document has more than is read of one.
    """
    version, body, entities = replace_doctype(body)
    reader: _StrictParser | _LooseParser = _StrictParser(base, language or None, _ENCODING)
    reader.resolve_relative_uris = reader.sanitize_html = is_partial = False
    try:
        _drive(reader, body)
    except Enough:
        is_partial = True
    except SAXException:
        reader = _LooseParser(base, language or None, _ENCODING, entities)
        reader.resolve_relative_uris = reader.sanitize_html = False
        is_partial = _feed(reader, body)
    entries = reader.entries[:-1] if is_partial and reader.inentry else reader.entries
    return FeedParserDict(feed=reader.feeddata, entries=entries, version=version or reader.version, partial=is_partial)


def _feed(reader: "_LooseParser", body: bytes) -> bool:
    """Return whether there is more than was read."""
    beyond = next(islice(_MARK.finditer(body), MAX_MARKS, None), None)
    try:
        reader.feed((body[: beyond.start()] if beyond else body).decode("utf-8", "replace"))
    except Enough:
        return True
    return beyond is not None


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


class _StrictParser(Texts, feedparser.api.StrictFeedParser):  # type: ignore[misc]
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


class _LooseParser(Texts, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    """What is left open ends with the entry, and references are characters."""

    refers = True

    def unknown_endtag(self, tag: str) -> None:
        if self.incontent and tag in _STRUCTURE:
            self.end_text()
        super().unknown_endtag(tag)

    def handle_charref(self, ref: str) -> None:
        """Leave out references to what is no character; feedparser keeps some, and fails on others."""
        with contextlib.suppress(ValueError, OverflowError):
            if without_forbidden(chr(int(f"0{ref}", 16) if ref[:1] in "xX" else int(ref))):
                super().handle_charref(ref)
