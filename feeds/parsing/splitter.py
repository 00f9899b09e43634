"""Where each entry of an XML document begins and ends, with its guid and a digest; a refusal of hostile XML.

One pass of expat over a document in UTF-8, without its prolog. A document is split only where cutting one entry out
cannot change what feedparser says of the others; where that is not certain, or where the document is not well-formed,
it is read whole.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from xml.parsers import expat

from feeds.outcomes import FailureKind
from feeds.parsing.values import Unreadable

# Over 193 well-formed real feeds the maxima were depth 6, 11 attributes and 4,191 elements.
# What goes beyond is read whole, by a child, whose time says whether it is too much.
MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 256  # of one element; the standard library's SAX driver is quadratic in it
MAX_NAMESPACES = 1_000  # distinct declarations
MAX_EQUALS_SIGNS = 100_000  # in one tag: expat keeps 100 bytes for each attribute
MAX_SURROUNDINGS = 8  # elements that entries stand in or after, such as <rss> and <channel>

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
# feedparser goes by local names. One of these anywhere else changes how it reads what follows.
_STRUCTURE = frozenset({"rss", "rdf", "feed", "channel", "item", "entry"})
# Elements that hold text or markup. One inside another, or elements where text is promised, leave traces in feedparser
# that the next entry meets.
_CONSTRUCTS = frozenset(
    """
    title subtitle tagline summary content description abstract encoded fullitem full-text body info rights
    copyright browserfriendly
    """.split()  # noqa: SIM905
)
_MARKUP_TYPES = frozenset({"xhtml", "application/xhtml+xml"})
_CONTAINERS = frozenset({"http://search.yahoo.com/mrss/ content", "http://search.yahoo.com/mrss content"})
_ATTRIBUTES = rb"[^<>\"']*+(?:(?:\"[^<\"]*+\"|'[^<']*+')[^<>\"']*+)*+"  # they may hold ">", but no "<"
_TAG = re.compile(rb"<" + _ATTRIBUTES + rb">")
# Or a short one and a long text behind it; with a quotation mark too many, all up to the next one.
_LONG_TAG = re.compile(rb"<(?=[^<!?/][^<]{100000})" + _ATTRIBUTES + rb"(?:>|[^<]*+)")
# feedparser reads these as UTF-8 or windows-1252 that was decoded wrongly, and repairs them: two guids may become one.
_MISREAD = re.compile("[\x80-\x9f]|[\xc2-\xf4][\xa0-\xbf]")
_PIECE = 1024 * 1024  # bytes
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One entry: where it stands, and what it is."""

    start: int
    end: int
    guid: str  # "" = none, or not a certain one
    digest: bytes  # 16 bytes of its content, and of everything around it that gives this a meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of a document, and the digests of the entries in it."""

    body: bytes = field(repr=False)
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A document and its entries, in their order."""

    body: bytes = field(repr=False)
    entries: tuple[Slice, ...]

    @property
    def digests(self) -> tuple[bytes, ...]:
        return tuple(entry.digest for entry in self.entries)

    def without(self, unwanted: Collection[bytes], most: int) -> Rest:
        """Return the document without the entries of these digests, and without those after so many.

        An entry without a guid, or with one that an entry has that differs, stays: its identity depends on both.
        """
        usage = Counter(guid for guid, _ in {(entry.guid, entry.digest) for entry in self.entries})
        kept, pieces, position = [], [], 0
        for number, entry in enumerate(self.entries):
            is_sure = entry.guid != "" and usage[entry.guid] == 1
            if number < most and not (is_sure and entry.digest in unwanted):
                kept.append(entry.digest)
            else:
                pieces.append(self.body[position : entry.start])
                position = entry.end
        return Rest(body=b"".join((*pieces, self.body[position:])), digests=tuple(kept))


def split(body: bytes, salt: bytes = b"") -> Split | Unreadable | None:
    """Find the entries of a document; None = it cannot be split, Unreadable (HOSTILE) = it is built to do harm.

    `salt` goes into every digest: whatever outside of the document gives an entry its meaning.
    """
    most = MAX_EQUALS_SIGNS
    if body.count(b"=") > most and any(tag[0].count(b"=") > most for tag in _LONG_TAG.finditer(body)):
        return Unreadable(kind=FailureKind.HOSTILE, text="too many attributes")
    walk = _Walk(body, salt)
    try:
        end = walk.run()
    except _Hostile as error:
        return Unreadable(kind=FailureKind.HOSTILE, text=str(error))
    except _Whole:
        return None
    if end is None or not walk.splittable:
        return None
    return Split(body=body[:end], entries=tuple(walk.entries))


def _certain(guids: Sequence[str]) -> str:
    return guids[0] if len(guids) == 1 and not _MISREAD.search(guids[0]) else ""


class _Hostile(Exception):
    """The document exceeds a limit that no honest feed comes near."""


class _Whole(Exception):
    """The document cannot be split, and to look further costs much."""


class _Kinds(dict[str, int]):
    """What an element is to the walk, by its name: 0 = nothing."""

    def __missing__(self, name: str) -> int:
        local = name.rpartition(" ")[2].lower()
        if local in _STRUCTURE:
            self[name] = _STRUCTURAL
        elif local in _CONSTRUCTS and name not in _CONTAINERS:
            self[name] = _CONSTRUCT
        else:
            self[name] = _ID if name in _IDS else 0
        return self[name]


_STRUCTURAL, _CONSTRUCT, _ID = 1, 2, 3


class _Walk:
    """One pass over a document. `_open` and `_close` are called for every element: half of the time is theirs."""

    def __init__(self, body: bytes, salt: bytes) -> None:
        self.splittable = True
        self.entries: list[Slice] = []
        self._body = body
        self._depth = 0
        self._elements = 0
        self._kinds = _Kinds()
        self._structure: list[str] = []  # the open elements of that kind
        self._construct = 0  # depth of the open text construct; 0 = none is open
        self._markup = False  # may the open construct hold elements?
        self._start = -1  # of the open entry; -1 = none is open
        self._guids: list[str] = []  # of the open entry
        self._text: list[str] = []  # of the open guid
        self._key = blake2b(salt).digest()  # of what gives the entries their meaning: ancestors, namespaces
        self._surroundings = 0  # elements that the key is of
        self._namespaces: dict[tuple[str | None, str | None], None] = {}
        self._parser = self._make_parser()

    def run(self) -> int | None:
        """Return where the document ends, None if it is not well-formed; raise _Hostile or _Whole."""
        try:
            for start in range(0, len(self._body), _PIECE):  # expat holds the GIL for as long as it calls nothing
                self._parser.Parse(self._body[start : start + _PIECE], False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            # What servers append to a complete document, such as a script, is no part of it.
            return self._parser.ErrorByteIndex if error.code == _JUNK else None
        return len(self._body)

    def _make_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.StartNamespaceDeclHandler = self._declare_namespace
        parser.EndDoctypeDeclHandler = self._end_doctype
        parser.SkippedEntityHandler = self._skip_entity
        return parser

    # Elements

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth = depth = self._depth + 1
        if depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise _Whole
        if len(attributes) > MAX_ATTRIBUTES:
            raise _Hostile(f"too many attributes at element {self._elements}")
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

    def _open_structure(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an entry, or note what surrounds them; a document that has either elsewhere is not split."""
        self._structure.append(name)
        if self._start >= 0 or self._depth != len(self._structure):
            self.splittable = False
        elif tuple(self._structure) in _PATHS:
            self._start = self._parser.CurrentByteIndex
            self._guids = [attributes[_ABOUT]] if _ABOUT in attributes else []
        else:
            self._surround(name, attributes)

    def _surround(self, name: str, attributes: dict[str, str]) -> None:
        self._surroundings += 1
        if self.entries or self._surroundings > MAX_SURROUNDINGS:
            self.splittable = False
        else:
            surroundings = repr((name, sorted(attributes.items()), list(self._namespaces)))
            self._key = blake2b(surroundings.encode(), key=self._key).digest()

    def _close_structure(self) -> None:
        if self._start >= 0 and tuple(self._structure) in _PATHS:
            self._close_entry()
        self._structure.pop()

    def _close_entry(self) -> None:
        end = self._end(self._start)
        content = blake2b(memoryview(self._body)[self._start : end], key=self._key, digest_size=16)
        guid = _certain(self._guids)
        self.entries.append(Slice(start=self._start, end=end, guid=guid, digest=content.digest()))
        self._start = -1

    def _end(self, start: int) -> int:
        """Return where the element ends that is being closed: expat stands at its end tag, or behind <item/>."""
        index = self._parser.CurrentByteIndex
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

    def _end_doctype(self) -> None:
        if b"<!ENTITY" in self._body[: self._parser.CurrentByteIndex]:
            raise _Whole

    def _skip_entity(self, name: str, is_parameter: bool) -> None:
        self.splittable = False
