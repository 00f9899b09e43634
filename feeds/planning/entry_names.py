"""The names that an entry may be stored under, from the usual one to one that tells it from everything else. Pure.

    with a guid       guid; guid and link; these with title and date; these and the content
    else with a link  link; link with its session; title and date; these and the content
    else              title and date; these and the content

In Atom an id is the entry, whatever else there is (RFC 4287 §4.2.6), and the newest of two wins.
"""

import re
from hashlib import blake2b
from urllib.parse import urlsplit, urlunsplit

from feeds.parsing import ParsedEntry, ParsedFeed
from feeds.planning.values import NamedEntry

SEPARATOR = b"\x1f"
# Parameters that follow visitors around, and never select what is shown.
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id", re.IGNORECASE)
# These, and those that hold a session, or in some programs the number of a story (jfroelich/rss-reader #215).
_VOLATILE = re.compile(rf"{_TRACKING.pattern}|\w*token|(?:php|asp|j)?sess(?:ion)?(?:_?id)?|s?sid|nonce", re.IGNORECASE)


def digest(*parts: str) -> bytes:
    """Return 16 bytes over texts; the parts cannot run into each other, since texts are stored without controls."""
    return blake2b(SEPARATOR.join(part.encode() for part in parts), digest_size=16).digest()


def content_digest(entry: ParsedEntry) -> bytes:
    """Return a digest of what a reader sees of an entry."""
    return digest(
        steady_url(entry.url),
        entry.title,
        entry.summary,
        entry.content,
        entry.published_text,
        entry.updated_text,
        entry.image_url,
        repr(entry.authors),
        repr(entry.categories),
        repr(entry.enclosures),
        # Behind the others, so that digests of entries without any stay what they were.
        *(one.description for one in entry.enclosures if one.description),
        *([repr(entry.itunes)] if entry.itunes else []),
    )


def steady_url(url: str) -> str:
    """Return an absolute URL without the parameters that may change with each request."""
    return _without(_VOLATILE, url)


def whole_url(url: str) -> str:
    """Return an absolute URL without the parameters that never say to what it leads."""
    return _without(_TRACKING, url)


def _without(unwanted: re.Pattern[str], url: str) -> str:
    if "?" not in url:
        return url
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if not unwanted.fullmatch(part.partition("=")[0])]
    return urlunsplit(parts._replace(query="&".join(kept)))


def name_entries(parsed: ParsedFeed) -> tuple[NamedEntry, ...]:
    """Name the entries of a document, each only once."""
    atom = parsed.format.startswith("atom")
    entries = sorted(parsed.entries, key=_newest_first) if atom else parsed.entries
    named: dict[bytes, NamedEntry] = {}
    for entry in entries:
        content = content_digest(entry)
        names = _names(entry, content)[:1] if atom and entry.guid else _names(entry, content)
        named.setdefault(names[-1], NamedEntry(entry=entry, names=names, content_digest=content))
    return tuple(named.values())


def _newest_first(entry: ParsedEntry) -> float:
    return -entry.updated_at.timestamp() if entry.updated_at else float("inf")


def _names(entry: ParsedEntry, content: bytes) -> tuple[bytes, ...]:
    """Return digests of the names of an entry; each begins with the kind of the name.

    The last one tells apart whatever another one does: entries that share it are one.
    """
    link, date = steady_url(entry.url), date_text(entry)
    if entry.guid:
        guid = ("guid", entry.guid)
        longer = (link, entry.title, date)
        return digest(*guid), digest(*guid, link), digest(*guid, *longer), digest(*guid, content.hex(), date)
    dated = [dated_name(entry)] if entry.title and date else []
    return (*link_names(entry), *dated, digest("content", content.hex(), date))


def link_names(entry: ParsedEntry) -> list[bytes]:
    """Return the names by link of an entry without a guid."""
    steady, whole = steady_url(entry.url), whole_url(entry.url)
    names = [digest("link", steady)] if steady and not entry.guid else []
    return [*names, digest("link with session", whole)] if names and whole != steady else names


def dated_name(entry: ParsedEntry) -> bytes:
    """Return the name by title and date: another one for an entry with a link, so that it takes no row without."""
    return digest("title and link" if entry.url else "title", entry.title, date_text(entry))


def date_text(entry: ParsedEntry) -> str:
    return entry.published_at.isoformat() if entry.published_at else entry.published_text
