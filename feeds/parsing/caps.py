"""What one document may make us store: its values, lists, entries and all of it have limits, and what fits is kept.

Ten bytes can become thousands: a relative URL is stored with all of its base. What is cut or left out marks the entry,
and a document of which entries are left out is not complete. `docs/limits.md` says how far honest feeds are from them.
"""

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from hashlib import blake2b
from typing import Any, TypeVar

from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person

MAX_ENTRIES = 10_000  # of one document
MAX_DOCUMENT_BYTES = 12_000_000  # of all entries of one document: one that is as large as may be, and a little more
MAX_ENTRY_BYTES = 6_000_000  # a text that is within its limit fits, in any script
MAX_GUID = 4_000  # characters
MAX_PEOPLE = 100  # of an entry or a feed
MAX_CATEGORIES = 1_000
MAX_ENCLOSURES = 1_000
MAX_HUBS = 10

_LISTS = {"authors": MAX_PEOPLE, "categories": MAX_CATEGORIES, "enclosures": MAX_ENCLOSURES, "hubs": MAX_HUBS}
_OTHERS = frozenset({"digest", "digests", "entries", "capped"})
_SIZED = {
    kind: tuple(each.name for each in fields(kind) if each.name not in _OTHERS)
    for kind in (ParsedEntry, ParsedFeed, Person, Category, Enclosure)
}
# As storage writes lists: JSON, in ASCII.
_JSON = json.JSONEncoder(default=lambda one: {name: getattr(one, name) for name in _SIZED[type(one)]})

Values = TypeVar("Values", ParsedEntry, ParsedFeed)


class Enough(Exception):
    """A document has more than is read of one: what came before is kept."""


def entries_that_fit(entries: Iterable[ParsedEntry]) -> tuple[ParsedEntry, ...]:
    """Return the entries within their limits, up to the limit of the document; none behind that is asked for."""
    kept: list[ParsedEntry] = []
    size = 0
    for entry, its_size in map(_light, map(fitted, entries)):
        size += its_size
        if size > MAX_DOCUMENT_BYTES or len(kept) == MAX_ENTRIES:
            break
        kept.append(entry)
    return tuple(kept)


def fitted(values: Values) -> Values:
    """Return an entry, or a feed, with lists within their limits; a marked one where that is less."""
    lists = ((name, getattr(values, name, ()), most) for name, most in _LISTS.items())
    changed: dict[str, Any] = {name: found[:most] for name, found, most in lists if len(found) > most}
    if isinstance(values, ParsedEntry):
        if len(values.guid) > MAX_GUID:
            changed["guid"] = _short(values.guid)
        if changed:
            changed["capped"] = True
    return replace(values, **changed) if changed else values


def _short(guid: str) -> str:
    """Return a shorter guid that is still no other entry's."""
    return f"{guid[:MAX_GUID]}…{blake2b(guid.encode(), digest_size=16).hexdigest()}"


def _light(entry: ParsedEntry) -> tuple[ParsedEntry, int]:
    """Return an entry that is not too large in all, without its largest values, and its bytes."""
    while (size := bytes_of(entry)) > MAX_ENTRY_BYTES:
        sizes = {
            name: _size(getattr(entry, name)) for name in ("content", "summary", "itunes", *_LISTS) if name != "hubs"
        }
        largest = max(sizes, key=lambda name: sizes[name])
        value = getattr(entry, largest)
        less: Any = value[: len(value) // 2] if isinstance(value, tuple) else ""
        entry = replace(entry, capped=True, **{largest: less})
    return entry, size


def bytes_of(values: ParsedEntry | ParsedFeed) -> int:
    """Return about how many bytes are stored of an entry, or of what a feed says of itself."""
    return sum(_size(value) for name in _SIZED[type(values)] if (value := getattr(values, name)))


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "ignore"))
    return len(_JSON.encode(value)) if isinstance(value, tuple) else 8
