"""OPML as exporters write it, broken or not, into outlines; and feeds into OPML.

OPML 2.0: https://opml.org/spec2.opml. Reading takes one pass for tags named `outline`, and looks at nothing else. So a
bare ampersand, an entity of HTML, a stray "<" or a quotation mark too few cost one outline at most.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from xml.sax.saxutils import escape, quoteattr

from feeds import canonical_urls
from feeds.exceptions import OPMLError
from feeds.parsing import to_utf8, without_forbidden

MAX_BYTES = 32 * 1024 * 1024  # 150,000 feeds
MAX_NAME = 500  # characters of a title, and of a folder with all that it is in
PRINTED = (b"br", b"b")  # elements of the warnings that PHP prints in front of what it exports
MAX_DEPTH = 100  # folders in folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A feed as it stands in an OPML document."""

    url: str  # as written
    folder: str = ""  # nested folders joined by slashes; what is too deep or too long counts to the one around it
    title: str = ""
    site_url: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BadOutline:
    """What cannot be read of an OPML document."""

    line: int
    why: str


# Reading

_FIRST = re.compile(rb"<(?:(!--)|([A-Za-z_][\w:.-]{0,39}))")
_TAG = re.compile(rb"<(?:(!--)|(/?)outline(?=[\s/>]))", re.IGNORECASE)
_OUTLINE = re.compile(rb"</?outline(?=[\s/>])", re.IGNORECASE)
# As browsers read it. A quotation mark that is not closed before the next outline ends a value at white space.
_ATTRIBUTE = re.compile(rb"[\s/]*([^\s/>=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?")
_EMPTY = re.compile(rb"\s*/\s*>")
_END = re.compile(rb"</opml\s*>", re.IGNORECASE)
# With their semicolon only: in a URL "&copy=1" is a parameter.
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});", re.ASCII)

_WANTED = frozenset({"xmlurl", "htmlurl", "text", "title"})


def outlines(body: bytes) -> Iterator[Outline | BadOutline]:
    """Yield the feeds of a document, and what cannot be read of it; raise OPMLError where it is no OPML at all."""
    if len(body) > MAX_BYTES:
        raise OPMLError(f"more than {MAX_BYTES // 1024**2} MB")
    reader = _Reader(to_utf8(body))
    reader.find_root()
    return reader.outlines()


class _Reader:
    """A pass over the text, and the folders it is in."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._last_comment = text.rfind(b"-->")
        self._line = 1
        self._counted = 0  # where the line was counted up to
        self._folders = [""]  # of the open outlines; what is in a feed is in its folder

    def find_root(self) -> None:
        """Go to the root element; raise OPMLError where it is not <opml>."""
        while first := _FIRST.search(self._text, self._at):
            comment, name = first.groups()
            if comment:
                self._skip_comment(first.end())
            elif name.lower() == b"opml":
                return
            elif name.lower() in PRINTED:
                self._at = first.end()
            else:
                self._count(first.start())
                raise OPMLError(f"line {self._line}: the document is <{name.decode()}>, not <opml>")
        raise OPMLError("there is no element in it")

    def outlines(self) -> Iterator[Outline | BadOutline]:
        while tag := _TAG.search(self._text, self._at):
            comment, closing = tag.groups()
            if comment:
                self._skip_comment(tag.end())
            elif closing:
                self._at = tag.end()
                del self._folders[max(len(self._folders) - 1, 1) :]
            else:
                yield from self._open(tag)
        if not _END.search(self._text, self._at):
            self._count(len(self._text))
            yield BadOutline(line=self._line, why="the document ends before </opml>")

    def _open(self, tag: re.Match[bytes]) -> Iterator[Outline | BadOutline]:
        self._count(tag.start())
        values, is_empty = self._attributes(tag.end())
        title = (values.get("text") or values.get("title") or "")[:MAX_NAME]  # `text` is what people see (OPML 2.0)
        folder = self._folders[-1]
        if self._at == len(self._text):  # it ends inside of the tag, perhaps of a URL
            return
        if url := values.get("xmlurl"):
            yield Outline(url=url, folder=folder, title=title, site_url=values.get("htmlurl", ""), line=self._line)
        elif "xmlurl" not in values and b"xmlurl" in self._text[tag.start() : self._at].lower():
            yield BadOutline(line=self._line, why="its xmlUrl cannot be read; a quotation mark may be missing")
        if not is_empty:
            self._folders.append(folder if url else _inner(folder, title))

    def _attributes(self, at: int) -> tuple[dict[str, str], bool]:
        """Return the attributes from here on, by their names in lower case, and whether the element ends with its tag.

        OPML writes xmlUrl; xmlurl, xmlURL and XMLURL occur.
        """
        following = _OUTLINE.search(self._text, at)
        limit = following.start() if following else len(self._text)
        values: dict[str, str] = {}
        is_empty = False
        while found := _ATTRIBUTE.match(self._text, at, limit):
            at = found.end()
            written = found[2] or found[3] or (found[4] or b"").strip(b"\"'")
            if is_empty := bool(found[4]) and written.endswith(b"/") and self._text.startswith(b">", at):
                written = written[:-1]
            name = found[1][:20].lower().decode("ascii", "replace")
            if name in _WANTED:
                values.setdefault(name, _value(written))
        self._at = at
        return values, is_empty or _EMPTY.match(self._text, at, limit) is not None

    def _skip_comment(self, at: int) -> None:
        """Go to the end of the comment that begins here; behind the last end of one it is none."""
        self._at = self._text.index(b"-->", at) + 3 if at <= self._last_comment else at

    def _count(self, until: int) -> None:
        self._line += self._text.count(b"\n", self._counted, until)
        self._counted = until


def _value(written: bytes) -> str:
    text = _REFERENCE.sub(_unescaped, written.decode("utf-8", "replace"))
    return " ".join(without_forbidden(text).split())


def _unescaped(reference: re.Match[str]) -> str:
    text = reference[0]
    return unescape(text) if text[1] == "#" else html5.get(text[1:], text)


def _inner(folder: str, name: str) -> str:
    """Return the folder of this name in another one."""
    path = "/".join(part for part in (folder, *folder_parts(name)) if part)
    return path if len(path) <= MAX_NAME and path.count("/") < MAX_DEPTH else folder


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
