"""Turn feedparser's dictionaries into values that are safe to store."""

from collections.abc import Iterable
from itertools import chain, repeat

from feeds.parsing.caps import entries_that_fit
from feeds.parsing.dates import MAX_DATE
from feeds.parsing.people import common
from feeds.parsing.rss_atom import media
from feeds.parsing.rss_atom.values import Said, Values
from feeds.parsing.values import Document, ParsedEntry, ParsedFeed, Person

_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_feed(feed: Said, entries: list[Said], format: str, document: Document) -> ParsedFeed:
    """Turn what feedparser says of a document into values that are safe to store."""
    url = document.url
    is_atom = format.startswith("atom")
    site_url = Values(feed, url, is_atom=is_atom).page
    base = url if is_atom else site_url or url
    values = Values(feed, base, is_atom=is_atom)
    authors = values.people()
    default = common(authors) if is_atom else ()  # in RSS the editor of a feed is not the author of what stands there
    kept = entries_that_fit(
        _entry(Values(entry, dict.get(entry, "feeds_base") or base, is_atom=is_atom), default, digest)
        for entry, digest in zip(entries, chain(document.digests, repeat(b"")), strict=False)
    )
    return ParsedFeed(
        format=format,
        title=values.title(),
        site_url=site_url,
        description=values.description(),
        language=values.text("language"),
        rights=values.text("rights"),
        authors=authors,
        image_url=values.image(),
        icon_url=values.url("icon"),
        hubs=tuple(dict.fromkeys(values.hubs())),
        ttl=_minutes(values.raw("ttl")),
        update_period=_update_period(values.raw("sy_updateperiod"), values.raw("sy_updatefrequency")),
        skip_hours=_mask((_hour(text) for text in values.all("skip_hours")), 24),
        skip_days=_mask((_day(text) for text in values.all("skip_days")), 7),
        complete=len(kept) == len(entries),
        entries=kept,
    )


def _minutes(text: str) -> int | None:
    """Return seconds."""
    return int(text) * 60 if text.isdecimal() and 0 < len(text) < 8 and int(text) else None


def _update_period(period: str, frequency: str) -> int | None:
    """Return the seconds of a period of the RSS 1.0 syndication module."""
    seconds = _PERIODS.get(period.lower(), 0) if period or not frequency else _PERIODS["daily"]
    times = int(frequency) if frequency.isdecimal() and len(frequency) < 8 else 1
    return max(seconds // max(times, 1), 1) if seconds else None


def _hour(text: str) -> int | None:
    """Return 0 to 23; RSS 0.91 counts to 24."""
    return int(text) % 24 if text.isdecimal() and len(text) < 3 and int(text) <= 24 else None


def _day(text: str) -> int | None:
    return _DAYS.index(text.lower()) if text.lower() in _DAYS else None


def _mask(numbers: Iterable[int | None], count: int) -> int:
    """Return the bits of the numbers; a feed that skips everything is taken to skip nothing."""
    mask = 0
    for number in numbers:
        mask |= 0 if number is None else 1 << number
    return 0 if mask == (1 << count) - 1 else mask


# The entries


def _entry(values: Values, authors: tuple[Person, ...], digest: bytes) -> ParsedEntry:
    """Return an entry; `authors` are those of an entry that names none."""
    published, updated = values.raw("published") or values.raw("created"), values.raw("updated")
    source, roles, title, enclosures = values.source(), values.roles, values.title(), media.enclosures(values)
    shown = "\n".join([title, *(f"{one.title}\n{one.description}" for one in enclosures)])
    return ParsedEntry(
        guid=values.raw("id"),
        url=values.page,
        title=title,
        summary=values.html(roles.summary),
        content=values.html(roles.content),
        authors=values.people() or (source.people() if source else ()) or authors,
        categories=values.categories(),
        enclosures=enclosures,
        published_at=values.moment("published") or values.moment("created"),
        updated_at=values.moment("updated"),
        published_text=published[:MAX_DATE],
        updated_text=updated[:MAX_DATE],
        language=values.text("language"),
        rights=values.text("rights"),
        comments_url=values.url("comments"),
        source_title=source.title() if source else "",
        source_url=(source.url("href") or source.page) if source else "",
        image_url=values.image(),
        itunes=media.itunes(values, shown),
        capped=values.capped,  # by what was read above
        digest=digest,
    )
