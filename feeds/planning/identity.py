"""Which entry is which: parsed entries matched with stored ones. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from feeds.parsing import ParsedFeed
from feeds.planning import recognition
from feeds.planning.entry_names import link_names, name_entries, steady_url, whole_url
from feeds.planning.values import EntryLookup, FeedState, NamedEntry, PlannedEntry, StoredEntry


def match_entries(feed: FeedState, parsed: ParsedFeed, stored: EntryLookup) -> tuple[PlannedEntry, ...]:
    """Return the entries of a document, each under the identity that it is or will be stored by."""
    named = name_entries(parsed)
    rows = stored.by_identity(name for one in named for name in one.names)
    left_out = _left_out(feed, parsed)
    entries = identify(named, rows, left_out)
    is_read_anew = not left_out and recognition.is_read_anew(feed, entries)
    if is_read_anew or recognition.seems_moved(feed, parsed, entries):
        return recognition.recognise(entries, stored.newest(2 * len(entries)))
    return entries


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
    matches = _matches(named, rows, is_alone=len(named) == 1 and not others)
    usage = Counter(name for one in named for name in one.names)
    taken = {*stored, *others}
    links_change = any(_has_new_link(named[index], rows[name]) for index, name in matches.items())
    names = (
        matches.get(index) or _first_unused(one, usage, taken, links_change=links_change)
        for index, one in enumerate(named)
    )
    return tuple(
        PlannedEntry(guid_digest=name, content_digest=one.content_digest, entry=one.entry, stored=stored.get(name))
        for one, name in zip(named, names, strict=True)
    )


def _matches(named: Sequence[NamedEntry], stored: Mapping[bytes, StoredEntry], *, is_alone: bool) -> dict[int, bytes]:
    """Return the names under which entries are stored, by the entries' indexes: of each the longest that is."""
    found: dict[bytes, int] = {}
    for level in reversed(range(max((len(one.names) for one in named), default=0))):
        matched, groups = set(found.values()), dict[bytes, list[int]]()
        for index, one in enumerate(named):
            name = one.names[level] if level < len(one.names) else b""
            if index not in matched and name in stored and name not in found:
                groups.setdefault(name, []).append(index)
        for name, indexes in groups.items():
            row = stored[name]
            owner = _closest(indexes, named, row) if level else _owner(indexes, named, row, is_alone=is_alone)
            if owner is not None:
                found[name] = owner
    return {index: name for name, index in found.items()}


def _owner(indexes: Sequence[int], named: Sequence[NamedEntry], row: StoredEntry, *, is_alone: bool) -> int | None:
    """Return which of the entries that share a usual name the row belongs to; None = to none of them."""
    if len(indexes) > 1:
        closest = _closest(indexes, named, row)
        return closest if _similarity(named[closest], row) else None
    one = named[indexes[0]]
    is_other = _is_reused_guid(one, row) or _is_other_session(one, row) or (is_alone and _is_replaced(one, row))
    return None if is_other and not row.is_tombstone else indexes[0]  # of a tombstone nothing is known


def _closest(indexes: Sequence[int], named: Sequence[NamedEntry], row: StoredEntry) -> int:
    """Return which of some entries is most like a row, whatever the order in which the document has them."""
    return max(indexes, key=lambda index: (_similarity(named[index], row), named[index].names[-1]))


def _similarity(one: NamedEntry, row: StoredEntry) -> int:
    entry = one.entry
    same_content = one.content_digest == row.content_digest
    same_link = entry.url != "" and whole_url(entry.url) == whole_url(row.url)
    same_title = entry.title != "" and entry.title == row.title
    return 4 * same_content + 2 * same_link + same_title


def _is_reused_guid(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether the only entry of a name is not the one that was stored under it: nothing else is the same."""
    entry = one.entry
    if len(one.names) == 1 or entry.published_at is None or row.published_at is None:
        return False
    link_differs = steady_url(entry.url) != steady_url(row.url) if entry.guid else True
    return link_differs and entry.title != row.title and entry.published_at != row.published_at


def _is_other_session(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether what looks like a session in a link is an entry: it is another one, and so is what they say."""
    entry = one.entry
    if not _has_link(one) or whole_url(entry.url) == whole_url(row.url):
        return False
    same_date = entry.published_at is not None and entry.published_at == row.published_at
    return one.content_digest != row.content_digest and not (same_date and entry.title == row.title)


def _is_replaced(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether the one entry of a document, without guid and date, says something else than the row did.

    Nothing tells it from the one before then but what it says: the weather, the saying of the day.
    """
    has_either = one.entry.guid or one.entry.published_at or row.published_at
    return not has_either and one.content_digest != row.content_digest


def _has_link(one: NamedEntry) -> bool:
    return bool(one.entry.url and not one.entry.guid)


def _has_new_link(one: NamedEntry, row: StoredEntry) -> bool:
    """Say whether an entry that its link should name was found without it."""
    return _has_link(one) and not row.is_tombstone and steady_url(one.entry.url) != steady_url(row.url)


def _first_unused(
    one: NamedEntry, usage: Mapping[bytes, int], taken: Collection[bytes], *, links_change: bool
) -> bytes:
    """Return the first name that no other entry has. Where links change, as with a token, they are no names."""
    names = one.names[len(link_names(one.entry)) :] if links_change else one.names
    return next((name for name in names if usage[name] == 1 and name not in taken), one.names[-1])
