"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/) as it is written: wrong types are put up with.

Items beyond the limits of a document are left to the next fetch.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from feeds.outcomes import FailureKind
from feeds.parsing.caps import MAX_CATEGORIES, MAX_ENCLOSURES, MAX_ENTRIES, MAX_HUBS, MAX_PEOPLE, entries_that_fit
from feeds.parsing.dates import MAX_DATE, parse_date
from feeds.parsing.encodings import without_forbidden
from feeds.parsing.html.plain_text import Cleaned, plain_text, text_as_html
from feeds.parsing.html.tokens import unescaped
from feeds.parsing.html.urls import safe_url
from feeds.parsing.people import common
from feeds.parsing.sanitizer import clean_html
from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable

MAX_OBJECTS = 500_000  # and lists, of one document: 250 bytes each
_VERSION = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/1(?:\.(\d))?/?")

Item = dict[str, Any]


def parse(
    body: bytes, base: str, seen: frozenset[bytes] = frozenset(), *, salt: bytes = b""
) -> ParsedFeed | Unreadable:
    """Read a JSON Feed; items whose digest is in `seen` are left out of `entries`, never out of `digests`."""
    if body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        return Unreadable(kind=FailureKind.HOSTILE, text="too many objects and lists")
    try:
        # Not strict: line feeds and tabs stand in strings as they are (manton/JSONFeed #9).
        document = json.loads(body, strict=False, parse_int=_number, parse_constant=lambda name: None)
        return _feed(document, base, seen, salt) if _is_feed(document) else _failed("the JSON is no JSON Feed")
    except RecursionError:
        return Unreadable(kind=FailureKind.HOSTILE, text="the JSON is nested too deeply")
    except ValueError:
        return _failed("the document is neither XML nor JSON")


def _failed(text: str) -> Unreadable:
    return Unreadable(kind=FailureKind.NOT_A_FEED, text=text)


def _number(text: str) -> int | str:
    """Return an integer; one of very many digits stays text, since to convert it is quadratic."""
    return int(text) if len(text) < 300 else text


def _is_feed(document: Any) -> bool:
    return isinstance(document, dict) and (
        _VERSION.match(_text(document.get("version"))) is not None or isinstance(document.get("items"), list)
    )


def _feed(document: Item, base: str, seen: frozenset[bytes], salt: bytes) -> ParsedFeed:
    version = _VERSION.match(_text(document.get("version")))
    items = _dicts(document.get("items"))
    digests = tuple(_digest(item, salt + base.encode()) for item in items[:MAX_ENTRIES])
    authors = _people(document, base)
    entries, read = _entries(items, digests, seen, base, common(authors))
    return ParsedFeed(
        format=f"json1{version[1] or 0}" if version else "json",
        title=_line(document.get("title")),
        site_url=_url(document.get("home_page_url"), base),
        description=_line(document.get("description")),
        language=_line(document.get("language")),
        authors=authors,
        image_url=_url(document.get("icon"), base),
        icon_url=_url(document.get("favicon"), base),
        hubs=tuple(_hubs(document.get("hubs"), base)),
        expired=document.get("expired") is True,
        complete=len(items) == read,
        entries=entries,
        digests=digests[:read],
    )


def _digest(item: Item, salt: bytes) -> bytes:
    text = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return blake2b(salt + text.encode(), digest_size=16).digest()


def _hubs(hubs: Any, base: str) -> Iterator[str]:
    for hub in _dicts(hubs)[: 10 * MAX_HUBS]:  # of any type
        if _text(hub.get("type")).lower() == "websub" and (url := _url(hub.get("url"), base)):
            yield url


# The items


def _entries(
    items: list[Item], digests: tuple[bytes, ...], seen: frozenset[bytes], base: str, authors: tuple[Person, ...]
) -> tuple[tuple[ParsedEntry, ...], int]:
    """Return the items that have an id and were not seen, and how many items were read until the limits.

    Items that share an id are never left out as seen.
    """
    guids = [_guid(item) for item in items[: len(digests)]]
    usage = Counter(guids)
    unread = [number for number, guid in enumerate(guids) if guid and (digests[number] not in seen or usage[guid] > 1)]
    entries = entries_that_fit(
        _entry(items[number], guids[number], digests[number], base, authors) for number in unread
    )
    return entries, unread[len(entries)] if len(entries) < len(unread) else len(digests)


def _guid(item: Item) -> str:
    """Return the id as text; the format asks for it, and drops an item that has none."""
    return _text(item.get("id")).strip()


def _entry(item: Item, guid: str, digest: bytes, base: str, authors: tuple[Person, ...]) -> ParsedEntry:
    values = _Values(item, base)
    return ParsedEntry(
        guid=guid,
        url=values.url("url") or values.url("external_url"),
        title=values.text("title"),
        summary=values.as_html("summary"),
        content=values.content(),
        authors=_people(item, base) or authors,
        categories=tuple(
            dict.fromkeys(Category(term=term) for tag in values.list("tags", MAX_CATEGORIES) if (term := _line(tag)))
        ),
        enclosures=tuple(_enclosures(values.list("attachments", MAX_ENCLOSURES), base)),
        published_at=parse_date(_text(item.get("date_published"))),
        updated_at=parse_date(_text(item.get("date_modified"))),
        published_text=values.text("date_published")[:MAX_DATE],
        updated_text=values.text("date_modified")[:MAX_DATE],
        language=values.text("language"),
        source_url=values.url("external_url"),
        image_url=values.url("image") or values.url("banner_image"),
        capped=values.capped,
        digest=digest,
    )


class _Values:
    """One item, read as safe values."""

    def __init__(self, item: Item, base: str) -> None:
        self._item = item
        self._base = base
        self.capped = False

    def url(self, key: str) -> str:
        return _url(self._item.get(key), self._base)

    def list(self, key: str, most: int) -> "list[Any]":
        values = _list(self._item.get(key))
        self.capped |= len(values) > most
        return values[:most]

    def text(self, key: str) -> str:
        return self._keep(_cleaned(self._item.get(key)))

    def as_html(self, key: str) -> str:
        return self._keep(text_as_html(_text(self._item.get(key))))

    def content(self) -> str:
        markup = _text(self._item.get("content_html"))
        page = self.url("url")
        base = page or self._base  # relative URLs are meant by the page of the item, if it has one
        found = self._keep(clean_html(markup, base, page)) if markup else ""
        return found or self.as_html("content_text")

    def _keep(self, cleaned: Cleaned) -> str:
        self.capped |= cleaned.capped
        return cleaned.text


def _people(values: Item, base: str) -> tuple[Person, ...]:
    """Return `authors` (1.1), else `author` (1.0); names alone are people, too."""
    people = (_list(values.get("authors")) or _list(values.get("author")))[:MAX_PEOPLE]
    read = (
        Person(name=_line(person.get("name")), url=_url(person.get("url"), base, mail=True))
        for person in _dicts([{"name": one} if isinstance(one, str) else one for one in people])
    )
    return tuple(dict.fromkeys(person for person in read if person != Person()))


def _enclosures(attachments: Any, base: str) -> Iterator[Enclosure]:
    for attachment in _dicts(attachments):
        if url := _url(attachment.get("url"), base):
            yield Enclosure(
                url=url,
                type=_line(attachment.get("mime_type")),
                length=_positive(attachment.get("size_in_bytes")),
                title=_line(attachment.get("title")),
                duration=_positive(attachment.get("duration_in_seconds")),
            )


# Values of any type


def _text(value: Any) -> str:
    """Return a text, or a number as text; nothing for anything else."""
    if isinstance(value, str):
        return without_forbidden(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _url(value: Any, base: str, *, mail: bool = False) -> str:
    return safe_url(_text(value), base, mail=mail)


def _line(value: Any) -> str:
    return _cleaned(value).text


def _cleaned(value: Any) -> Cleaned:
    """Return a line of text without the references that programs write into it (NetNewsWire #346)."""
    return plain_text(unescaped(_text(value)))


def _list(value: Any) -> list[Any]:
    """Return a list, or what stands where one belongs as the only one of it."""
    return value if isinstance(value, list) else [value] if isinstance(value, str | dict) else []


def _dicts(value: Any) -> list[Item]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _positive(value: Any) -> int | None:
    text = _text(value).partition(".")[0]
    return int(text) or None if text.isdecimal() and len(text) < 16 else None
