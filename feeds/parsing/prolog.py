"""What stands before the root of a document: cut off, since feedparser's searches in it are quadratic.

It may name another encoding, too, and blank lines, comments or warnings of a script before a declaration make a
document not well-formed. Entities that it declares are kept; those that multiply, or lie elsewhere, make it hostile.
"""

import re
from xml.parsers import expat

from feeds.outcomes import FailureKind
from feeds.parsing.values import Unreadable

MAX_PROLOG = 100_000  # bytes; where the root comes later, no entities are looked for
MAX_ENTITIES = 1_000  # declarations; HTML has 253
MAX_ENTITY_LENGTH = 1_000  # characters

_HEAD = 5_000  # bytes in which a declaration or a root is looked for behind what is no XML
_ROOT = re.compile(rb"<\w")
_FEED = re.compile(rb"<(?:\w+:)?(?:rss|rdf|feed)\b", re.IGNORECASE)
_START = re.compile(rb"<\?xml|" + _FEED.pattern, re.IGNORECASE)
_PAGE = re.compile(rb"<(?:html|head|body)\b", re.IGNORECASE)
# A reference in a value; its name may have letters of any script. expat would follow each to the next (CVE-2024-8176).
_REFERENCE = re.compile(r"[&%](?:[A-Za-z_:]|[^\x00-\x7f])")


def without_prolog(body: bytes) -> bytes | Unreadable:
    """Return the document from its root on, behind a DOCTYPE of ours if it needs one; Unreadable = it is hostile.

    Nothing is left of what has no root, or is a page.
    """
    found = _START.search(body, 0, _HEAD)
    prolog = _Prolog()
    try:
        root = prolog.end(body, found.start() if found and found[0].lower() == b"<?xml" else 0)
    except _Hostile as error:
        return Unreadable(kind=FailureKind.HOSTILE, text=str(error))
    return b"" if root is None or _PAGE.match(body, root) else prolog.doctype() + body[root:]


class _Root(Exception):
    """The root begins."""


class _Hostile(Exception):
    """An entity exceeds a limit that no honest feed comes near."""


class _Prolog:
    """One prolog, as far as it is well-formed."""

    def __init__(self) -> None:
        self._entities: dict[str, str] = {}
        self._declared = self._root = 0
        self._is_netscape = False  # RSS 0.91
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._begin
        self._parser.StartDoctypeDeclHandler = self._note_doctype
        self._parser.EntityDeclHandler = self._declare_entity

    def end(self, body: bytes, start: int) -> int | None:
        """Return where the root begins; raise _Hostile."""
        try:
            self._parser.Parse(body[start : start + MAX_PROLOG], False)
        except _Root:
            return start + self._root
        except expat.ExpatError:
            pass
        first = _ROOT.search(body, start)
        if first is None or _PAGE.match(body, first.start()):
            return first.start() if first else None
        feed = _FEED.search(body, first.start(), first.start() + _HEAD)
        return feed.start() if feed else first.start()

    def doctype(self) -> bytes:
        """Return a DOCTYPE as feedparser reads it: each declaration in a line, in double quotes."""
        if not self._entities and not self._is_netscape:
            return b""
        lines = (f'<!ENTITY {name} "{value}">\n' for name, value in self._entities.items())
        return f"<!DOCTYPE {'netscape' if self._is_netscape else 'feed'} [\n{''.join(lines)}]>\n".encode()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._root = self._parser.CurrentByteIndex
        raise _Root

    def _note_doctype(self, name: str, system: str | None, public: str | None, has_subset: bool) -> None:
        self._is_netscape = "netscape" in f"{system} {public}".lower()

    def _declare_entity(self, name: str, is_parameter: bool, value: str | None, *ids: str | None) -> None:
        """Keep an entity; refuse one that refers to others, is long, or lies outside of the document."""
        self._declared += 1
        if self._declared > MAX_ENTITIES:
            raise _Hostile("too many entities")
        if value is not None and (len(value) > MAX_ENTITY_LENGTH or _REFERENCE.search(value)):
            raise _Hostile("entities that multiply")
        if value is None and not is_parameter:  # HTML's sets of entities are parameters, and never fetched
            raise _Hostile("an external entity")
        if value is not None and not is_parameter:
            self._entities.setdefault(name, _quoted(value))


def _quoted(value: str) -> str:
    """Return a value as it is written in a declaration: what has a meaning there, as reference to a character."""
    return "".join(f"&#{ord(sign)};" if sign in '"%&<>' else sign for sign in value)
