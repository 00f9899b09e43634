"""Which entry is which: parsed entries matched with stored ones. Pure.

An entry has several names, from the usual one to one that tells it from everything else:

    with a guid       guid; guid and link; these with title and date; these with the content
    else with a link  link; title and date; these with the content
    else              title and date; these with the content

In Atom an id is the entry, whatever else there is (RFC 4287 §4.2.6), and the newest of two wins.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from urllib.parse import urlsplit, urlunsplit

from feeds.parsing import ParsedEntry, ParsedFeed
from feeds.planning.values import EntryLookup, FeedState, NamedEntry, PlannedEntry, StoredEntry

SEPARATOR = b"\x1f"
NEARLY_ALL = 0.9  # of a document's entries: so many unknown at once, and the site may have moved
SAME_TIME = 60.0  # seconds: some programs leave out the seconds
# Parameters of a URL that say who came, when or from where, and never to what.
_VOLATILE = re.compile(
    r"utm_\w+|\w*token|(?:php|asp|j)?sess(?:ion)?(?:_?id)?|s?sid|fbclid|gclid|mc_[ce]id|nonce", re.IGNORECASE
)


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
    )


def steady_url(url: str) -> str:
    """Return an absolute URL without the parameters that change with each request."""
    if "?" not in url:
        return url
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if not _VOLATILE.fullmatch(part.partition("=")[0])]
    return urlunsplit(parts._replace(query="&".join(kept)))


def match_entries(feed: FeedState, parsed: ParsedFeed, stored: EntryLookup) -> tuple[PlannedEntry, ...]:
    """Return the entries of a document, each under the identity that it is or will be stored by."""
    named = name_entries(parsed)
    rows = stored.by_identity(name for one in named for name in one.names)
    entries = identify(named, rows, _left_out(feed, parsed))
    if seems_moved(feed, parsed, entries):
        return recognise(entries, stored.newest(2 * len(entries)))
    return entries


# Names


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
    """Return digests of the names of an entry; each begins with the kind of the name."""
    link, date = steady_url(entry.url), _date(entry)
    if entry.guid:
        guid = ("guid", entry.guid)
        longer = (link, entry.title, date)
        return digest(*guid), digest(*guid, link), digest(*guid, *longer), digest(*guid, content.hex())
    names = [digest("link", link)] if link else []
    names += [_dated_name(entry)] if entry.title and date else []
    return (*names, digest("content", content.hex()))


def _dated_name(entry: ParsedEntry) -> bytes:
    """Return the name by title and date: another one for an entry with a link, so that it takes no row without."""
    return digest("title and link" if entry.url else "title", entry.title, _date(entry))


def _date(entry: ParsedEntry) -> str:
    return entry.published_at.isoformat() if entry.published_at else entry.published_text


def _left_out(feed: FeedState, parsed: ParsedFeed) -> set[bytes]:
    """Return the identities of the entries that a document lists, and that were seen before and not parsed again."""
    left_out = set(parsed.digests).difference(entry.digest for entry in parsed.entries)
    return {guid_digest for digest, guid_digest in feed.document.listed if digest in left_out}


# What is stored under the names


def identify(
    named: Sequence[NamedEntry], stored: Mapping[bytes, StoredEntry], others: Collection[bytes] = ()
) -> tuple[PlannedEntry, ...]:
    """Give each entry its identity: that of its row, or a free one.

    Rows that were told apart once keep their entries, whatever the document repeats now; and the row that a guid had
    while it was unique stays with the entry it belonged to. `others` are the identities of entries that the document
    lists, too, and that were not parsed.
    """
    rows = {name: row for name, row in stored.items() if name not in others}
    matches = _match_disambiguated(named, rows)
    matches |= _usual(named, rows, matches)
    usage = Counter(name for one in named for name in one.names)
    taken = {*stored, *others}
    links_change = any(_has_new_link(named[place], rows[name]) for place, name in matches.items())
    return tuple(
        _planned(one, stored, matches.get(place) or _first_unused(one, usage, taken, links_change=links_change))
        for place, one in enumerate(named)
    )


def _match_disambiguated(named: Sequence[NamedEntry], stored: Mapping[bytes, StoredEntry]) -> dict[int, bytes]:
    """Return the places of the entries that are stored under one of their longer names, the longest first."""
    found: dict[bytes, int] = {}
    for level in range(max((len(one.names) for one in named), default=0) - 1, 0, -1):
        matched = set(found.values())
        for place, one in enumerate(named):
            if place not in matched and len(one.names) > level and one.names[level] in stored:
                found.setdefault(one.names[level], place)
    return {place: name for name, place in found.items()}


def _usual(
    named: Sequence[NamedEntry], stored: Mapping[bytes, StoredEntry], matches: Mapping[int, bytes]
) -> dict[int, bytes]:
    """Return the places of the entries that are stored under their usual name."""
    taken = set(matches.values())
    groups: dict[bytes, list[int]] = {}
    for place, one in enumerate(named):
        if place not in matches and one.names[0] in stored and one.names[0] not in taken:
            groups.setdefault(one.names[0], []).append(place)
    owners = {name: _owner(places, named, stored[name]) for name, places in groups.items()}
    return {place: name for name, place in owners.items() if place is not None}


def _owner(places: Sequence[int], named: Sequence[NamedEntry], row: StoredEntry) -> int | None:
    """Return which of the entries that share a name the row belongs to."""
    if len(places) > 1:
        closest = max(places, key=lambda place: _similarity(named[place], row))
        return closest if _similarity(named[closest], row) else None
    return None if _is_reused_guid(named[places[0]], row) else places[0]


def _similarity(one: NamedEntry, row: StoredEntry) -> int:
    entry = one.entry
    same_content = one.content_digest == row.content_digest
    same_link = entry.url != "" and steady_url(entry.url) == steady_url(row.url)
    same_title = entry.title != "" and entry.title == row.title
    return 4 * same_content + 2 * same_link + same_title


def _is_reused_guid(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether the only entry of a name is not the one that was stored under it: nothing else is the same."""
    entry = one.entry
    if row.is_tombstone or len(one.names) == 1 or entry.published_at is None or row.published_at is None:
        return False
    link_differs = steady_url(entry.url) != steady_url(row.url) if entry.guid else True
    return link_differs and entry.title != row.title and entry.published_at != row.published_at


def _has_link(one: NamedEntry) -> bool:
    return bool(one.entry.url and not one.entry.guid)


def _has_new_link(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether an entry that its link should name was found without it."""
    return _has_link(one) and not row.is_tombstone and steady_url(one.entry.url) != steady_url(row.url)


def _first_unused(
    one: NamedEntry, usage: Mapping[bytes, int], taken: Collection[bytes], *, links_change: bool
) -> bytes:
    """Return the first name that no other entry has. Where links change, as with a token, they are no names."""
    names = one.names[1:] if links_change and _has_link(one) else one.names
    return next((name for name in names if usage[name] == 1 and name not in taken), one.names[-1])


def _planned(one: NamedEntry, stored: Mapping[bytes, StoredEntry], name: bytes) -> PlannedEntry:
    return PlannedEntry(guid_digest=name, content_digest=one.content_digest, entry=one.entry, stored=stored.get(name))


# What is stored under other names


def seems_moved(feed: FeedState, parsed: ParsedFeed, entries: Sequence[PlannedEntry]) -> bool:
    """Say whether all or nearly all entries are unknown, though the feed was imported before."""
    unknown = sum(one.stored is None for one in entries)
    listed = max(len(entries), len(parsed.digests))
    return feed.history.imported_at is not None and unknown > 0 and unknown >= NEARLY_ALL * listed


def recognise(entries: Sequence[PlannedEntry], rows: Iterable[StoredEntry]) -> tuple[PlannedEntry, ...]:
    """Find the rows of unknown entries by what they say: a site that moved gives all its entries new guids or links.

    Links that did not even keep their path are no names any more; entries without a guid go by title and date then.
    """
    found = _recognised(entries, rows)
    links_change = any(
        not one.entry.guid and _place(one.entry.url) != _place(found[one.guid_digest].url)
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
    by_trait = _unique((trait, row) for row in rows if row.guid_digest not in taken for trait in _traits_of_row(row))
    usage = Counter(trait for one in unmatched for trait in _traits(one))
    found: dict[bytes, StoredEntry] = {}
    for one in unmatched:
        rows_like_it = [by_trait[trait] for trait in _traits(one) if usage[trait] == 1 and trait in by_trait]
        row = next((row for row in rows_like_it if _may_be(one, row, len(entries))), None)
        if row and row.guid_digest not in taken:
            taken.add(row.guid_digest)
            found[one.guid_digest] = row
    return found


def _dated_names(entries: Sequence[PlannedEntry]) -> dict[bytes, bytes]:
    """Return the names by title and date of unknown entries that have a link and no guid, where they are free."""
    names = {
        one.guid_digest: _dated_name(one.entry)
        for one in entries
        if one.stored is None and not one.entry.guid and one.entry.title and _date(one.entry)
    }
    usage = Counter([*names.values(), *(one.guid_digest for one in entries)])
    return {old: name for old, name in names.items() if usage[name] == 1}


def _traits(one: PlannedEntry) -> Iterator[tuple[str, ...]]:
    entry = one.entry
    return _all_traits(one.content_digest, entry.url, entry.title, _instant(entry))


def _traits_of_row(row: StoredEntry) -> Iterator[tuple[str, ...]]:
    return _all_traits(row.content_digest, row.url, row.title, _instant(row))


def _all_traits(content: bytes, url: str, title: str, date: str) -> Iterator[tuple[str, ...]]:
    """Yield what an entry can be recognised by, the surest first."""
    place, title = _place(url), " ".join(title.split()).casefold()
    yield "content", content.hex()
    if title and place:
        yield "link", place, title
    if title and date:
        yield "date", date, title


def _place(url: str) -> str:
    """Return what is left of a URL when its site moves to another host; "" = it names the site only."""
    parts = urlsplit(steady_url(url))
    return f"{parts.path.strip('/')}?{parts.query}".strip("?")


def _instant(one: ParsedEntry | StoredEntry) -> str:
    return one.published_at.isoformat(timespec="minutes") if one.published_at else ""


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
