"""Entries recognised by what they say, where a site that moved has given all of them new guids or links. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from feeds.parsing import READING, ParsedEntry, ParsedFeed
from feeds.planning.entry_names import date_text, dated_name, steady_url
from feeds.planning.values import FeedState, PlannedEntry, StoredEntry

READER = (b"read by " + READING).ljust(16, b"\0"), bytes(16)  # listed with the entries: which version read them
NEARLY_ALL = 0.9  # of a document's entries: so many unknown at once, and the site may have moved
SAME_TIME = 60.0  # seconds: some programs leave out the seconds


def seems_moved(feed: FeedState, parsed: ParsedFeed, entries: Sequence[PlannedEntry]) -> bool:
    """Say whether all or nearly all entries are unknown, though the feed was imported before."""
    unknown = sum(one.stored is None for one in entries)
    listed = max(len(entries), len(parsed.digests))
    return feed.history.imported_at is not None and unknown > 0 and unknown >= NEARLY_ALL * listed


def is_read_anew(feed: FeedState, entries: Sequence[PlannedEntry]) -> bool:
    """Say whether entries are unknown to which this version of the package may give other links or guids."""
    listed = feed.document.listed
    return bool(listed) and READER not in listed and any(one.stored is None for one in entries)


def recognise(entries: Sequence[PlannedEntry], rows: Iterable[StoredEntry]) -> tuple[PlannedEntry, ...]:
    """Find the rows of unknown entries by what they say: a site that moved gives all its entries new guids or links.

    Links that did not even keep their path are no names any more; entries without a guid go by title and date then.
    """
    found = _recognised(entries, rows)
    links_change = any(
        not one.entry.guid and _path_of(one.entry.url) != _path_of(found[one.guid_digest].url)
        for one in entries
        if one.guid_digest in found
    )
    names = _dated_names(entries) if links_change else {}
    return tuple(
        replace(
            one,
            guid_digest=names.get(one.guid_digest, one.guid_digest),
            stored=one.stored or found.get(one.guid_digest),
        )
        for one in entries
    )


def _recognised(entries: Sequence[PlannedEntry], rows: Iterable[StoredEntry]) -> dict[bytes, StoredEntry]:
    """Return the rows of the unknown entries, by the identities that these would have had."""
    taken = {one.stored.guid_digest for one in entries if one.stored}
    unmatched = [one for one in entries if one.stored is None]
    unclaimed = (row for row in rows if row.guid_digest not in taken)
    by_trait = _unique((trait, row) for row in unclaimed for trait in _traits(row.content_digest, row))
    usage = Counter(trait for one in unmatched for trait in _traits(one.content_digest, one.entry))
    found: dict[bytes, StoredEntry] = {}
    for one in unmatched:
        traits = _traits(one.content_digest, one.entry)
        rows_like_it = [by_trait[trait] for trait in traits if usage[trait] == 1 and trait in by_trait]
        row = next((row for row in rows_like_it if _may_be(one, row, len(entries))), None)
        if row and row.guid_digest not in taken:
            taken.add(row.guid_digest)
            found[one.guid_digest] = row
    return found


def _dated_names(entries: Sequence[PlannedEntry]) -> dict[bytes, bytes]:
    """Return the names by title and date of unknown entries that have a link and no guid, where they are free."""
    names = {
        one.guid_digest: dated_name(one.entry)
        for one in entries
        if one.stored is None and not one.entry.guid and one.entry.title and date_text(one.entry)
    }
    usage = Counter([*names.values(), *(one.guid_digest for one in entries)])
    return {old: name for old, name in names.items() if usage[name] == 1}


def _traits(content: bytes, one: ParsedEntry | StoredEntry) -> Iterator[tuple[str, ...]]:
    """Yield what an entry can be recognised by, the surest first. `content` is its digest."""
    path, title = _path_of(one.url), " ".join(one.title.split()).casefold()
    yield "content", content.hex()
    if title and path:
        yield "link", path, title
    if title and one.published_at:
        yield "date", one.published_at.isoformat(timespec="minutes"), title
    if title and (tail := path.rpartition("/")[2]):
        yield "tail", tail, title


def _path_of(url: str) -> str:
    """Return what is left of a URL when its site moves to another host; "" = it names the site only."""
    parts = urlsplit(steady_url(url))
    return f"{parts.path.strip('/')}?{parts.query}".strip("?")


def _unique(pairs: Iterable[tuple[tuple[str, ...], StoredEntry]]) -> dict[tuple[str, ...], StoredEntry]:
    rows: dict[tuple[str, ...], list[StoredEntry]] = {}
    for trait, row in pairs:
        rows.setdefault(trait, []).append(row)
    return {trait: found[0] for trait, found in rows.items() if len(found) == 1}


def _may_be(one: PlannedEntry, row: StoredEntry, listed: int) -> bool:
    """Say whether the dates allow it. A feed of one undated entry may say the same of another thing each time."""
    said, stored = one.entry.published_at, row.published_at
    if said is None or stored is None:
        return listed > 1
    return abs((said - stored).total_seconds()) < SAME_TIME
