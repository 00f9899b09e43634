"""An XML document in UTF-8 in; where each of its entries begins and ends, with a digest, out. Hostile XML is refused.

One pass of expat. A document is split only where cutting one entry out cannot change what feedparser says of the
others; where that is not certain, or where the document is not well-formed, the answer is None: parse it whole.

Of an entry that was seen before, byte for byte, expat is shown an empty one instead. If it finds an entry there, the
other one is an entry, too, and all that expat said of it when it was new still holds.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b, sha1
from xml.parsers import expat

from feeds.outcomes import FailureKind
from feeds.parsing import siblings
from feeds.parsing.values import Unreadable

NAME = 4  # bytes at the end of a digest: they tell an entry from its siblings
UNSURE = bytes(NAME)

# Over 193 well-formed real feeds the maxima were depth 6, 11 attributes and 4,191 elements.
MAX_DEPTH = 64
MAX_ATTRIBUTES = 256  # of one element; the standard library's SAX driver is quadratic in it
MAX_ELEMENTS = 200_000
MAX_NAMESPACES = 1_000  # distinct declarations
MAX_ENTITIES = 1_000  # declarations; HTML has 253
MAX_ENTITY_LENGTH = 1_000  # characters

_ATOM = "http://www.w3.org/2005/Atom"
_ATOM03 = "http://purl.org/atom/ns#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ABOUT = f"{_RDF} about"
# Where entries stand: the path from the root to one of them, its last.
_PATHS = frozenset(
    {
        ("rss", "channel", "item"),
        (f"{_ATOM} feed", f"{_ATOM} entry"),
        (f"{_ATOM03} feed", f"{_ATOM03} entry"),
        (f"{_RDF} RDF", "http://purl.org/rss/1.0/ item"),
        (f"{_RDF} RDF", "http://my.netscape.com/rdf/simple/0.9/ item"),
    }
)
_IDS = frozenset({"guid", "id", f"{_ATOM} id", f"{_ATOM03} id"})
# feedparser goes by local names. One of these in any other place changes how it reads what follows.
_STRUCTURE = frozenset({"rss", "rdf", "feed", "channel", "item", "entry"})
# Elements that hold text or markup. One inside another, or elements where text is promised, leave traces in feedparser
# that the next entry meets.
_CONSTRUCTS = frozenset(
    """
    title subtitle tagline summary content description abstract encoded fullitem body info rights copyright
    browserfriendly
    """.split()  # noqa: SIM905
)
# Of the feed. Some list a thousand categories; `items` names all entries of RSS 1.0.
_UNREAD = frozenset({"category", "items", "generator", "lastbuilddate", "docs"})
_MARKUP_TYPES = frozenset({"xhtml", "application/xhtml+xml"})
_CONTAINERS = frozenset({"http://search.yahoo.com/mrss/ content", "http://search.yahoo.com/mrss content"})
_FIRST = re.compile(rb"<(item|entry)[\s>]")
_TAG = re.compile(rb"<[^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*>")  # attributes may hold ">"
_REFERENCE = re.compile(r"[&%][A-Za-z_:]")
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One entry: where it stands, and what it is."""

    start: int
    end: int
    digest: bytes  # 12 bytes of its content, and of everything around it that gives this a meaning; 4 of its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A document and its entries, in their order."""

    body: bytes = field(repr=False)
    entries: tuple[Slice, ...]
    surplus: tuple[tuple[int, int], ...] = ()  # where elements of the feed stand that nobody reads

    @property
    def digests(self) -> tuple[bytes, ...]:
        return tuple(entry.digest for entry in self.entries)

    def without(self, unwanted: Collection[bytes], most: int) -> "Rest":
        """Return the document without the entries of these digests, without those after so many, without surplus.

        An entry whose name is unsure, or shared with one that differs, stays: who it is depends on its siblings.
        """
        usage = Counter(digest[-NAME:] for digest in set(self.digests))
        spare = {digest for digest in unwanted if usage[digest[-NAME:]] == 1 and digest[-NAME:] != UNSURE}
        kept, cut = [], list(self.surplus)
        for number, entry in enumerate(self.entries):
            if number >= most or entry.digest in spare:
                cut.append((entry.start, entry.end))
            else:
                kept.append(entry.digest)
        return Rest(body=_without(self.body, sorted(cut)), digests=tuple(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of a document, and the digests of the entries in it."""

    body: bytes = field(repr=False)
    digests: tuple[bytes, ...]


def _without(body: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    pieces, position = [], 0
    for start, end in spans:
        pieces.append(body[position:start])
        position = end
    pieces.append(body[position:])
    return b"".join(pieces)


def split(body: bytes, salt: bytes = b"", seen: Collection[bytes] = ()) -> Split | Unreadable | None:
    """Find the entries of a document; None = it cannot be split, Unreadable (HOSTILE) = it is built to do harm.

    `salt` goes into every digest: whatever outside of the document gives an entry its meaning. `seen` are digests that
    this function gave to entries of another document, with the same salt.
    """
    walk = _Walk(body, salt)
    try:
        end = walk.run(seen)
    except _Hostile as error:
        return Unreadable(kind=FailureKind.HOSTILE, text=str(error))
    if walk.is_misled:
        return split(body, salt)
    if end is None or not walk.splittable:
        return None
    return Split(body=body[:end], entries=tuple(walk.entries), surplus=tuple(walk.surplus))


def _candidates(body: bytes, found: re.Match[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where something begins and ends that looks like an entry, from the first on."""
    opening, closing = b"<" + found[1], b"</" + found[1] + b">"
    start = found.start()
    while start >= 0 and (end := body.find(closing, start)) >= 0:
        yield start, end + len(closing)
        start = body.find(opening, end)


def _name(entry: bytes, guids: list[str]) -> bytes:
    name = siblings.name(entry, guids)
    return blake2b(name.encode(), digest_size=NAME).digest() if name else UNSURE


class _Hostile(Exception):
    """The document exceeds a limit that no honest feed comes near."""


class _Kinds(dict[str, int]):
    """What an element is to the walk, by its name: 0 = nothing."""

    def __missing__(self, name: str) -> int:
        local = name.rpartition(" ")[2].lower()
        if local in _STRUCTURE:
            self[name] = _STRUCTURAL
        elif local in _CONSTRUCTS and name not in _CONTAINERS:
            self[name] = _CONSTRUCT
        elif local in _UNREAD:
            self[name] = _SURPLUS
        else:
            self[name] = _ID if name in _IDS else 0
        return self[name]


_STRUCTURAL, _CONSTRUCT, _ID, _SURPLUS = 1, 2, 3, 4


class _Walk:
    """One pass over a document. `_open` and `_close` are called for every element: half of the time is theirs."""

    def __init__(self, body: bytes, salt: bytes) -> None:
        self.splittable = True
        self.entries: list[Slice] = []
        self.surplus: list[tuple[int, int]] = []
        self._body = body
        self._hidden: dict[int, list[Slice]] = {}  # where a row of entries begins that expat is not shown -> these
        self._hidden_under = b""  # the key of these digests
        self._stand_in = b""  # what it is shown instead
        self._shift = 0  # bytes that it was not shown so far
        self._depth = 0
        self._elements = 0
        self._kinds = _Kinds()
        self._structure: list[str] = []  # the open elements of that kind
        self._construct = 0  # depth of the open text construct; 0 = none is open
        self._markup = False  # may the open construct hold elements?
        self._start = -1  # of the open entry; -1 = none is open
        self._surplus = -1  # start of the open element of the feed that nobody reads
        self._guids: list[str] = []  # of the open entry
        self._text: list[str] = []  # of the open guid
        self._key = blake2b(salt).digest()  # of what gives the entries their meaning: ancestors, namespaces
        self._namespaces: dict[tuple[str | None, str | None], None] = {}
        self._entities = 0
        self._parser = self._make_parser()

    def run(self, seen: Collection[bytes]) -> int | None:
        """Return where the document ends, None if it is not well-formed; raise _Hostile."""
        first = _FIRST.search(self._body) if seen else None
        try:
            if first:
                self._parser.Parse(self._body[: first.start()], False)
                self._parser.Parse(self._shown(first, seen), True)
            else:
                self._parser.Parse(self._body, True)
        except expat.ExpatError as error:
            # What servers append to a complete document, such as a script, is no part of it.
            return self._parser.ErrorByteIndex + self._shift if error.code == _JUNK else None
        return len(self._body)

    @property
    def is_misled(self) -> bool:
        """Say whether something that was hidden is no entry, or means something else here."""
        return bool(self._hidden) or self._hidden_under not in (b"", self._key)

    def _shown(self, first: re.Match[bytes], seen: Collection[bytes]) -> bytes:
        """Return the document from the first entry on, with one empty entry for each row of those seen before."""
        self._hidden_under, self._stand_in = self._key, b"<%b></%b>" % (first[1], first[1])
        digests = {digest[:-NAME]: digest for digest in seen}
        row: list[Slice] = []
        pieces, position = [], first.start()
        for start, end in _candidates(self._body, first):
            if digest := digests.get(self._content(start, end)):
                between, position = self._body[position:start], end
                if not row or between.strip():
                    row = self._hidden[start] = []
                    pieces += [between, self._stand_in]
                row.append(Slice(start=start, end=end, digest=digest))
        return b"".join((*pieces, self._body[position:]))

    def _content(self, start: int, end: int) -> bytes:
        # Half the time of BLAKE2b. Who makes two contents that have one digest hides nothing but a change of his own.
        content = sha1(self._key, usedforsecurity=False)
        content.update(memoryview(self._body)[start:end])
        return content.digest()[: 16 - NAME]

    def _make_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.StartNamespaceDeclHandler = self._declare_namespace
        parser.EntityDeclHandler = self._declare_entity
        parser.SkippedEntityHandler = self._skip_entity
        return parser

    # Elements

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth = depth = self._depth + 1
        if depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES or self._elements > MAX_ELEMENTS:
            raise _Hostile(f"too deep, too many elements or too many attributes at element {self._elements}")
        kind = self._kinds[name]
        if kind or self._construct:
            self._open_known(kind, name, attributes)

    def _open_known(self, kind: int, name: str, attributes: dict[str, str]) -> None:
        if self._construct:
            self.splittable &= self._markup and kind != _CONSTRUCT
        elif kind == _CONSTRUCT:
            self._construct = self._depth
            self._markup = attributes.get("type", "").lower() in _MARKUP_TYPES
        elif kind == _ID and self._start >= 0:
            self._text = []
            self._parser.CharacterDataHandler = self._text.append
        elif kind == _SURPLUS and self._is_the_feeds():
            self._surplus = self._position()
        if kind == _STRUCTURAL:
            self._open_structure(name, attributes)

    def _close(self, name: str) -> None:
        kind = self._kinds[name]
        if kind:
            self._close_known(kind)
        self._depth -= 1

    def _close_known(self, kind: int) -> None:
        if self._depth == self._construct:
            self._construct = 0
        elif kind == _STRUCTURAL:
            self._close_structure()
        elif kind == _ID and self._start >= 0 and not self._construct:
            self._guids.append("".join(self._text).strip())
            self._parser.CharacterDataHandler = None
        elif kind == _SURPLUS and self._is_the_feeds():
            self.surplus.append((self._surplus, self._end(self._surplus)))

    def _is_the_feeds(self) -> bool:
        return self._start < 0 and self._depth - 1 == len(self._structure)

    def _open_structure(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an entry, or note what surrounds them; a document that has either elsewhere is not split."""
        self._structure.append(name)
        if self._start >= 0 or self._depth != len(self._structure):
            self.splittable = False
        elif tuple(self._structure) in _PATHS:
            self._start = self._position()
            self._guids = [attributes[_ABOUT]] if _ABOUT in attributes else []
        else:
            self.splittable &= not self.entries
            surroundings = repr((name, sorted(attributes.items()), list(self._namespaces)))
            self._key = blake2b(surroundings.encode(), key=self._key).digest()

    def _close_structure(self) -> None:
        if self._start >= 0 and tuple(self._structure) in _PATHS:
            self._close_entry()
        self._structure.pop()

    def _close_entry(self) -> None:
        if row := self._hidden.pop(self._start, None):
            self.entries += row
            self._shift += row[-1].end - self._start - len(self._stand_in)
        else:
            end = self._end(self._start)
            digest = self._content(self._start, end) + _name(self._body[self._start : end], self._guids)
            self.entries.append(Slice(start=self._start, end=end, digest=digest))
        self._start = -1

    def _position(self) -> int:
        return self._parser.CurrentByteIndex + self._shift

    def _end(self, start: int) -> int:
        """Return where the element ends that is being closed: expat stands at its end tag, or behind <item/>."""
        index = self._position()
        if not self._body.startswith(b"</", index):
            return index
        tag = _TAG.match(self._body, start)
        is_empty = tag is not None and tag.end() == index and tag[0].endswith(b"/>")
        return index if is_empty else self._body.index(b">", index) + 1

    # Declarations

    def _declare_namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix, uri] = None
        if len(self._namespaces) > MAX_NAMESPACES:
            raise _Hostile("too many namespaces")

    def _declare_entity(self, name: str, is_parameter: bool, value: str | None, *ids: str | None) -> None:
        """Refuse entities that refer to others, are long, or lie outside of the document; others are not split."""
        self.splittable = False
        self._entities += 1
        if self._entities > MAX_ENTITIES:
            raise _Hostile("too many entities")
        if value is not None and (len(value) > MAX_ENTITY_LENGTH or _REFERENCE.search(value)):
            raise _Hostile("entities that multiply")
        if value is None and not is_parameter:  # HTML's sets of entities are parameters, and never fetched
            raise _Hostile("an external entity")

    def _skip_entity(self, name: str, is_parameter: bool) -> None:
        self.splittable = False
