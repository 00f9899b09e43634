"""feedparser's strict and loose parser, subclassed, corrected, guarded, and called by us.

`feedparser.parse` is not called: it would want forged headers for what is known here, and it knows no parsers but its
own. Nothing of feedparser is changed for others in the process.
"""

import contextlib
import re
from itertools import islice
from typing import Any
from xml.parsers import expat

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
_PIECE = 64 * 1024  # bytes
# "&" that begins no reference: for sgmllib "&copy=" in a URL would be one. What stands in CDATA is left alone.
_BARE = re.compile(r"<!\[CDATA\[(?:[^]]++|\](?!\]>))*+|&(?!(?:[a-zA-Z][0-9a-zA-Z]*+|#[xX]?[0-9a-fA-F]++);)")
_USERLAND = "backend.userland.com/rss"  # RSS, in whatever spelling of it
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
        reader.read(body)
    except Enough:
        is_partial = True
    except expat.ExpatError:
        reader = _LooseParser(base, language or None, _ENCODING, entities)
        reader.resolve_relative_uris = reader.sanitize_html = False
        is_partial = _feed(reader, body)
    entries = reader.entries[:-1] if is_partial and reader.inentry else reader.entries
    return FeedParserDict(feed=reader.feeddata, entries=entries, version=version or reader.version, partial=is_partial)


def _feed(reader: "_LooseParser", body: bytes) -> bool:
    """Return whether there is more than was read."""
    beyond = next(islice(_MARK.finditer(body), MAX_MARKS, None), None)
    try:
        text = (body[: beyond.start()] if beyond else body).decode("utf-8", "replace")
        reader.feed(_BARE.sub(lambda found: "&amp;" if found[0] == "&" else found[0], text))
    except Enough:
        return True
    return beyond is not None


class _StrictParser(Texts, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    """Reads what is well-formed, by expat itself: the SAX of the standard library took a tenth of the time of a feed.

    Namespaces end with the element that declares them; feedparser keeps them for what follows.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._outer: list[tuple[tuple[dict[str | None, str], str | None, str | None], ...]] = []
        self._tags: dict[str, str] = {}  # feedparser's names of elements, by expat's, as long as no namespace changes

    def read(self, body: bytes) -> None:
        """Read a document; raise ExpatError."""
        parser = expat.ParserCreate(_ENCODING, " ")
        parser.namespace_prefixes = True
        parser.buffer_text, parser.buffer_size = True, _PIECE  # else each line and each entity of a text is one call
        parser.StartElementHandler, parser.EndElementHandler = self._open, self._close
        parser.StartNamespaceDeclHandler, parser.EndNamespaceDeclHandler = self.startPrefixMapping, self._end_mapping
        parser.CharacterDataHandler = self.handle_data
        for start in range(0, len(body), _PIECE):
            parser.Parse(body[start : start + _PIECE], False)
        parser.Parse(b"", True)

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self.unknown_starttag(self._tag(name), list(self._by_name(attributes).items()) if attributes else [])

    def _close(self, name: str) -> None:
        self.unknown_endtag(self._tag(name))

    def _tag(self, name: str) -> str:
        """Return feedparser's name of an element: that of a namespace is written with the prefix that it knows."""
        if name not in self._tags:
            uri, local, *_ = name.split(" ") if " " in name else ("", name)
            prefix = "" if _USERLAND in uri.lower() else self._matchnamespaces.get(uri.lower(), "")
            if uri and not prefix:
                prefix = next((used for used, value in self.namespaces_in_use.items() if used and value == uri), "")
            self._tags[name] = f"{prefix}:{local}".removeprefix(":").lower()
        return self._tags[name]

    def _by_name(self, attributes: dict[str, str]) -> dict[str, str]:
        """Return attributes by their names: that of a namespace has up to two, and gives way to one without."""
        foreign = {}
        for name in attributes:
            if " " in name:
                uri, local, *written = name.split(" ")
                for prefix in (self._matchnamespaces.get(uri.lower(), ""), *written):
                    foreign[f"{prefix}:{local}".removeprefix(":").lower()] = attributes[name]
        return foreign | {name.lower(): value for name, value in attributes.items() if " " not in name}

    def startPrefixMapping(self, prefix: str | None, uri: str | None) -> None:  # the name is SAX's
        name = self._matchnamespaces.get((uri or "").lower(), prefix or "")
        changed = (self.namespaces_in_use, name), (self.namespacemap, prefix)
        self._outer.append(tuple((names, key, names.get(key)) for names, key in changed))
        super().startPrefixMapping(prefix, uri)
        self._tags.clear()

    def _end_mapping(self, prefix: str | None) -> None:
        self._tags.clear()
        self.handlers.clear()
        for names, key, value in self._outer.pop():
            if value is None:
                names.pop(key, None)
            else:
                names[key] = value


class _LooseParser(Texts, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    """What is left open ends with the entry, and references are characters."""

    refers = True

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        """Begin an element without its declarations: feedparser keeps either the attributes or the text of many."""
        for name, uri in attrs:
            if name.startswith("xmlns"):
                self.track_namespace(name[6:] or None, uri)
        super().unknown_starttag(tag, [pair for pair in attrs if not pair[0].startswith("xmlns")])

    def unknown_endtag(self, tag: str) -> None:
        if self.incontent and tag in _STRUCTURE:
            self.end_text()
        super().unknown_endtag(tag)

    def handle_charref(self, ref: str) -> None:
        """Leave out references to what is no character; feedparser keeps some, and fails on others."""
        with contextlib.suppress(ValueError, OverflowError):
            if without_forbidden(chr(int(f"0{ref}", 16) if ref[:1] in "xX" else int(ref))):
                super().handle_charref(ref)
