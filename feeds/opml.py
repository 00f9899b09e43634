"""OPML bytes in, outlines out; feeds in, OPML text out. In both directions as a stream, so memory stays flat."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from feeds import canonical_urls
from feeds.exceptions import OPMLError
from feeds.parsing import without_forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A feed as it stands in an OPML document."""

    url: str  # as written
    folder: str = ""  # nested folders joined by slashes
    title: str = ""
    site_url: str = ""
    line: int = 0


MAX_BYTES = 256 * 1024 * 1024  # a million outlines take about 150 MB
MAX_DEPTH = 100  # nested outlines; each level makes the folder's name longer

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\x00": "utf-16-le",  # not marked, but XML begins with this sign (XML 1.0, appendix F)
    b"\x00<": "utf-16-be",
}
DECLARATION = re.compile(r"(\s*)<\?xml\b[^>]*\?>")
DECLARED_ENCODING = re.compile(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")

# Reading


def outlines(chunks: Iterable[bytes]) -> Iterator[Outline]:
    """Yield the feeds of an OPML document; raise OPMLError, which names the line, where it stops being one."""
    reader = _Reader()
    for text in _without_declaration(decoded(_bounded(chunks))):
        yield from reader.feed(text)
    yield from reader.feed("", final=True)


def decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of a document in any encoding that it marks or declares; UTF-8 where it does neither.

    Bytes that do not fit become U+FFFD: better a wrong letter in a title than a lost list of feeds.
    """
    rest = iter(chunks)
    head = next(rest, b"")
    decoder = codecs.getincrementaldecoder(encoding_of(head))("replace")
    yield decoder.decode(head)
    for chunk in rest:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def encoding_of(head: bytes) -> str:
    """Return the name of the encoding of the document that begins with these bytes."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    declared = DECLARED_ENCODING.match(head)
    return _known_encoding(declared[1].decode("ascii")) if declared else "utf-8"


def _known_encoding(name: str) -> str:
    """Return the encoding's name if text can be in it, else UTF-8."""
    try:
        # A declaration that was readable as ASCII is wrong when it says UTF-16 or UTF-32.
        readable = "<?xml".encode(name) == b"<?xml"
    except (LookupError, UnicodeError):
        return "utf-8"
    return name if readable else "utf-8"


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise OPMLError(f"more than {MAX_BYTES:,} bytes")
        yield chunk


def _without_declaration(texts: Iterator[str]) -> Iterator[str]:
    """Leave out the XML declaration: the encoding is dealt with, and before it expat allows no blank line."""
    yield DECLARATION.sub(r"\1", next(texts, ""), count=1)
    yield from texts


class _Reader:
    """The state between two chunks: the parser and the folders it is in."""

    def __init__(self) -> None:
        self.root = ""
        self.folders: list[str] = []  # of the open outlines; "" for those that are no folder
        self.found: list[Outline] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._refuse_entity

    def feed(self, text: str, *, final: bool = False) -> Iterator[Outline]:
        """Yield the outlines that this text completes, also those before the line that is no OPML."""
        self.found = []
        failure: OPMLError | None = None
        try:
            self.parser.Parse(without_forbidden(text), final)
        except expat.ExpatError as error:
            failure = OPMLError(f"line {error.lineno}: {expat.ErrorString(error.code)}")
        except OPMLError as error:
            failure = error
        yield from self.found
        if failure:
            raise failure

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.root:
            self._open_root(name)
        elif name.lower() == "outline":
            # OPML 1.0 and 2.0 write xmlUrl; xmlurl, xmlURL and XMLURL occur.
            self._open_outline({key.lower(): " ".join(value.split()) for key, value in attributes.items()})

    def _open_root(self, name: str) -> None:
        self.root = name
        if name.lower() != "opml":
            raise self._error(f"the document is <{name[:40]}>, not <opml>")

    def _open_outline(self, attributes: dict[str, str]) -> None:
        # `text` is required and what people see (OPML 2.0); exporters that leave it out write `title`.
        title = attributes.get("text") or attributes.get("title") or ""
        url = attributes.get("xmlurl", "")
        if url:
            self.found.append(self._outline(url, title, attributes.get("htmlurl", "")))
        if len(self.folders) == MAX_DEPTH:
            raise self._error(f"outlines nested more than {MAX_DEPTH} deep")
        self.folders.append("" if url else title)

    def _outline(self, url: str, title: str, site_url: str) -> Outline:
        folder = "/".join(part for name in self.folders for part in folder_parts(name))
        return Outline(url=url, folder=folder, title=title, site_url=site_url, line=self.parser.CurrentLineNumber)

    def _end(self, name: str) -> None:
        if name.lower() == "outline" and self.folders:
            self.folders.pop()

    def _refuse_entity(self, *_: object) -> None:
        raise self._error("entity declarations are refused")  # they serve bombs, and no exporter writes them

    def _error(self, why: str) -> OPMLError:
        return OPMLError(f"line {self.parser.CurrentLineNumber}: {why}")


def folder_parts(folder: str) -> tuple[str, ...]:
    """Return the names in a folder's path, from the outermost in."""
    return tuple(part for name in folder.split("/") if (part := name.strip()))


# Writing


def document(feeds: Iterable[Outline], *, title: str) -> Iterator[str]:
    """Yield the lines of an OPML 2.0 document. Feeds of one folder must come together; no credentials leave."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n'
    yield f"  <head>\n    <title>{escape(without_forbidden(title))}</title>\n  </head>\n  <body>\n"
    open_folders: tuple[str, ...] = ()
    for feed in feeds:
        folders = folder_parts(feed.folder)
        yield from _change_folder(open_folders, folders)
        yield f"{_indent(len(folders))}<outline{_attributes(feed)}/>\n"
        open_folders = folders
    yield from _change_folder(open_folders, ())
    yield "  </body>\n</opml>\n"


def _change_folder(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Yield the end tags of the folders that are left and the start tags of those that are entered."""
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    for depth in range(len(old) - 1, shared - 1, -1):
        yield f"{_indent(depth)}</outline>\n"
    for depth in range(shared, len(new)):
        yield f"{_indent(depth)}<outline text={quoteattr(without_forbidden(new[depth]))}>\n"


def _attributes(feed: Outline) -> str:
    url = canonical_urls.redacted(feed.url)
    given = {
        "type": "rss",  # what readers ask for, whatever the format (OPML 2.0)
        "text": feed.title or url,
        "title": feed.title,
        "xmlUrl": url,
        "htmlUrl": canonical_urls.redacted(feed.site_url),
    }
    return "".join(f" {name}={quoteattr(without_forbidden(value))}" for name, value in given.items() if value)


def _indent(depth: int) -> str:
    return "  " * (depth + 2)
