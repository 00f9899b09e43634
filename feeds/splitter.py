"""An XML document in UTF-8 in; where each of its entries begins and ends, with a digest, out. Hostile XML is refused.

One pass of expat. A document is split only where cutting one entry out cannot change what feedparser says of the
others; where that is not certain, or where the document is not well-formed, the answer is None: parse it whole.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from xml.parsers import expat

from feeds.documents import Failed, FailureKind

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
_MARKUP_TYPES = frozenset({"xhtml", "application/xhtml+xml"})
_CONTAINERS = frozenset({"http://search.yahoo.com/mrss/ content", "http://search.yahoo.com/mrss content"})
# feedparser reads these as UTF-8 or windows-1252 that was decoded wrongly, and repairs them.
_MISREAD = re.compile("[\x80-\x9f]|[\xc2-\xf4][\xa0-\xbf]")
_LINK = re.compile(rb"<(?:[^\s<>/]*:)?(?:link|guid|id|href)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<(?:[^\s<>/]*:)?title\b", re.IGNORECASE)
_DATE = re.compile(rb"<(?:[^\s<>/]*:)?(?:pubdate|published|issued|created)\b", re.IGNORECASE)
_PLAIN_LINK = re.compile(
    rb"<link>\s*(https?://[\w-][\w.-]*/(?:[\w%~+=-][\w.%~+=-]*/)*(?:[\w%~+=-][\w.%~+=-]*)?)\s*</link>", re.ASCII
)
_PLAIN_TITLE = re.compile(rb"<title>\s*([!-%'-;=-~](?:[ -%'-;=-~]{0,500}[!-%'-;=-~])?)\s*</title>")
_PLAIN_DATE = re.compile(rb"<pubDate>\s*([\w:+,-][\w:+, -]{0,80})\s*</pubDate>", re.ASCII)
_TAG = re.compile(rb"<[^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*>")  # attributes may hold ">"
# feedparser's own names of namespaces; a document that gives such a name to another one confuses it from there on.
_PREFIXES = {
    "content": "purl.org/rss/1.0/modules/content",
    "dc": "purl.org/dc/",
    "dcterms": "purl.org/dc/",
    "itunes": "itunes.com/dtds/",
    "media": "search.yahoo.com/mrss",
    "rdf": "22-rdf-syntax-ns",
    "xhtml": "1999/xhtml",
}
_REFERENCE = re.compile(r"[&%][A-Za-z_:]")
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One entry: where it stands, and its identity as given."""

    start: int
    end: int
    digest: bytes  # 16 bytes: of its bytes, and of everything around it that gives them meaning
    guid: str  # as written; "" = none, several, or one that feedparser repairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A document and its entries, in their order."""

    body: bytes = field(repr=False)
    entries: tuple[Slice, ...]
    surplus: tuple[tuple[int, int], ...] = ()  # where the feed's own categories stand; some feeds list a thousand

    @property
    def digests(self) -> tuple[bytes, ...]:
        return tuple(entry.digest for entry in self.entries)

    def without(self, unwanted: Collection[bytes], most: int) -> "Rest":
        """Return the document without the entries of these digests, without those after so many, without surplus.

        An entry whose name is unsure, or shared, stays: who it is depends on its siblings.
        """
        names = [entry.guid or _other_name(self.body[entry.start : entry.end]) for entry in self.entries]
        usage = Counter(names)
        kept, cut = [], list(self.surplus)
        for number, (entry, name) in enumerate(zip(self.entries, names, strict=True)):
            if number >= most or (entry.digest in unwanted and name and usage[name] == 1):
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


def split(body: bytes, salt: bytes = b"") -> Split | Failed | None:
    """Find the entries of a document; None = it cannot be split, Failed (HOSTILE) = it is built to do harm.

    `salt` goes into every digest: whatever outside of the document gives an entry its meaning.
    """
    walk = _Walk(body)
    try:
        end = walk.run()
    except _Hostile as error:
        return Failed(kind=FailureKind.HOSTILE, text=str(error))
    if end is None or not walk.splittable:
        return None
    return Split(body=body[:end], entries=walk.slices(salt), surplus=tuple(walk.surplus))


def _other_name(entry: bytes) -> str:
    """Return what tells an RSS item without a guid from its siblings: its link, else its title and date; "" = unsure.

    Sure is only what stands there once, in plain characters, so that no way of reading can make two of them equal.
    """
    if not entry.startswith(b"<item>") or b"<!" in entry:
        return ""
    links, titles, dates = (pattern.findall(entry) for pattern in (_LINK, _TITLE, _DATE))
    if len(links) == 1 and (link := _PLAIN_LINK.search(entry)):
        return f"link {link[1].decode()}"
    title, date = _PLAIN_TITLE.search(entry), _PLAIN_DATE.search(entry)
    if title and date and (len(links), len(titles), len(dates)) == (0, 1, 1):
        return f"title {' '.join(title[1].decode().split())} {date[1].decode()}"
    return ""


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
        elif local == "category":
            self[name] = _CATEGORY
        else:
            self[name] = _ID if name in _IDS else 0
        return self[name]


_STRUCTURAL, _CONSTRUCT, _ID, _CATEGORY = 1, 2, 3, 4


class _Walk:
    """One pass over a document. `_open` and `_close` are called for every element: half of the time is theirs."""

    def __init__(self, body: bytes) -> None:
        self.splittable = True
        self._body = body
        self._depth = 0
        self._elements = 0
        self._kinds = _Kinds()
        self._structure: list[str] = []  # the open elements of that kind
        self._construct = 0  # depth of the open text construct; 0 = none is open
        self._markup = False  # may the open construct hold elements?
        self._start = -1  # of the open entry; -1 = none is open
        self._category = -1  # start of the open category of the feed; -1 = none is open
        self.surplus: list[tuple[int, int]] = []
        self._guids: list[str] = []  # of the open entry
        self._text: list[str] = []  # of the open guid
        self._found: list[tuple[int, int, str]] = []
        self._context: list[str] = []  # what gives the entries their meaning: ancestors, namespaces
        self._namespaces: dict[tuple[str | None, str | None], None] = {}
        self._entities = 0
        self._parser = self._make_parser()

    def run(self) -> int | None:
        """Return where the document ends, None if it is not well-formed; raise _Hostile."""
        try:
            self._parser.Parse(self._body, True)
        except expat.ExpatError as error:
            # What servers append to a complete document, such as a script, is no part of it.
            return self._parser.ErrorByteIndex if error.code == _JUNK else None
        return len(self._body)

    def slices(self, salt: bytes) -> tuple[Slice, ...]:
        key = blake2b(salt + repr(self._context).encode(), digest_size=32).digest()
        return tuple(
            Slice(start=start, end=end, guid=guid, digest=self._digest(start, end, key))
            for start, end, guid in self._found
        )

    def _digest(self, start: int, end: int, key: bytes) -> bytes:
        return blake2b(self._body[start:end], key=key, digest_size=16).digest()

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
        elif kind == _CATEGORY and self._start < 0 <= self._depth - 1 == len(self._structure):
            self._category = self._parser.CurrentByteIndex
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
        elif kind == _CATEGORY and self._category >= 0:
            self.surplus.append((self._category, self._end(self._category)))
            self._category = -1

    def _open_structure(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an entry, or note what surrounds them; a document that has either elsewhere is not split."""
        self._structure.append(name)
        if self._start >= 0 or self._depth != len(self._structure):
            self.splittable = False
        elif tuple(self._structure) in _PATHS:
            self._start = self._parser.CurrentByteIndex
            self._guids = [attributes[_ABOUT]] if _ABOUT in attributes else []
        else:
            self.splittable &= not self._found
            self._context.append(repr((name, sorted(attributes.items()), list(self._namespaces))))

    def _close_structure(self) -> None:
        if self._start >= 0 and tuple(self._structure) in _PATHS:
            self._close_entry()
        self._structure.pop()

    def _close_entry(self) -> None:
        guid = self._guids[0] if len(self._guids) == 1 and not _MISREAD.search(self._guids[0]) else ""
        self._found.append((self._start, self._end(self._start), guid))
        self._start = -1

    def _end(self, start: int) -> int:
        """Return where the element ends that is being closed: expat stands at its end tag, or behind <item/>."""
        index = self._parser.CurrentByteIndex
        tag = _TAG.match(self._body, start)
        is_empty = tag is not None and tag.end() == index and tag[0].endswith(b"/>")
        return index if is_empty else self._body.index(b">", index) + 1

    # Declarations

    def _declare_namespace(self, prefix: str | None, uri: str | None) -> None:
        if (prefix, uri) in self._namespaces:
            return
        if prefix and any(prefix == other for other, _ in self._namespaces):
            self.splittable = False
        if _PREFIXES.get((prefix or "").lower(), "") not in (uri or "").lower():
            self.splittable = False
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
