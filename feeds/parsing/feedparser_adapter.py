"""Turn feedparser's dictionaries into values that are safe to store."""

from calendar import timegm
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from feeds.canonical_urls import MAX_URL_LENGTH
from feeds.parsing.caps import MAX_ENCLOSURES, affordable, entries_that_fit, fitted
from feeds.parsing.dates import looks_like_date, parse_date, parse_duration
from feeds.parsing.encodings import without_forbidden
from feeds.parsing.sanitizer import Cleaned, clean_html, escape_text, plain_text, safe_url, text_of_html
from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person

_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ITUNES = ("duration", "episode", "episodetype", "explicit", "season", "subtitle", "title")
_PODCAST = ("chapters", "transcript")
_MARKUP = ("text/html", "application/xhtml+xml")

Values = dict[str, Any]  # a dictionary of feedparser's


# The feed


def read_feed(feed: Values, entries: list[Values], format: str, base: str) -> ParsedFeed:
    """Turn what feedparser says of a document into values that are safe to store."""
    values = _Reader(feed, base)
    kept = entries_that_fit(_entry(entry, base) for entry in entries)
    said = ParsedFeed(
        format=format,
        title=values.text("title"),
        site_url=values.url("link"),
        description=values.text("subtitle") or values.text("summary"),
        language=values.text("language"),
        rights=values.text("rights"),
        authors=values.people(),
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
    return fitted(said)


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


def _entry(entry: Values, document_base: str) -> ParsedEntry:
    values = _Reader(entry, _short_base(dict.get(entry, "feeds_base")) or document_base)
    published, updated = values.raw("published") or values.raw("created"), values.raw("updated")
    return ParsedEntry(
        guid=values.guid(),
        url=values.url("link"),
        title=values.text("title"),
        summary=values.html("summary"),
        content=values.content(),
        authors=values.people(),
        categories=values.categories(),
        enclosures=values.enclosures(),
        published_at=values.moment("published") or values.moment("created"),
        updated_at=values.moment("updated"),
        published_text=published[:100],
        updated_text=updated[:100],
        language=values.text("language"),
        rights=values.text("rights"),
        comments_url=values.url("comments"),
        source_title=values.source("title"),
        source_url=values.source("href") or values.source("link"),
        image_url=values.image(),
        itunes=values.itunes(),
        capped=values.capped,
    )


class _Reader:
    """feedparser's dictionary of one feed or entry, read as safe values.

    `dict.get` throughout: its own falls back to other keys, and warns.
    """

    def __init__(self, values: Values, base: str) -> None:
        self._values = values
        self._base = base
        self.capped = False

    def raw(self, key: str) -> str:
        """Return a text as feedparser gives it, trimmed."""
        value = dict.get(self._values, key)
        return without_forbidden(value).strip() if isinstance(value, str) else ""

    def all(self, key: str) -> list[Any]:
        value = dict.get(self._values, key)
        found = value if isinstance(value, list) else []
        self.capped |= len(found) > MAX_ENCLOSURES
        return found[:MAX_ENCLOSURES]  # no list may have more

    def guid(self) -> str:
        return self.raw("id")

    def url(self, key: str) -> str:
        return safe_url(self.raw(key), self._base)

    def text(self, key: str) -> str:
        """Return a title or the like as text, whatever its type is."""
        detail = dict.get(self._values, f"{key}_detail")
        is_text = isinstance(detail, dict) and dict.get(detail, "type") == "text/plain"
        return self._keep(plain_text(self.raw(key)) if is_text else text_of_html(self.raw(key)))

    def html(self, key: str) -> str:
        """Return a text construct as safe HTML; without its detail it is a copy of another one."""
        detail = dict.get(self._values, f"{key}_detail")
        return self._html(detail) if isinstance(detail, dict) else ""

    def content(self) -> str:
        """Return the content that is worth most to a reader: markup before text, then the longest."""
        details = [detail for detail in self.all("content") if dict.get(detail, "value")]
        return self._html(max(details, key=_worth)) if details else ""

    def people(self) -> tuple[Person, ...]:
        people = [self._person(author) for author in self.all("authors")]
        named = tuple(dict.fromkeys(person for person in people if person != Person()))
        if not named and (author := self._short(self.raw("author"))):
            return (Person(name=author),)
        return named

    def categories(self) -> tuple[Category, ...]:
        found = (self._category(tag) for tag in self.all("tags"))
        return tuple(dict.fromkeys(category for category in found if category.term))

    def hubs(self) -> Iterator[str]:
        for link in self.all("links"):
            if dict.get(link, "rel") == "hub" and (url := safe_url(dict.get(link, "href") or "", self._base)):
                yield url

    def enclosures(self) -> tuple[Enclosure, ...]:
        """Return enclosures and media:content, each URL once."""
        links = [link for link in self.all("links") if dict.get(link, "rel") == "enclosure"]
        found: dict[str, Enclosure] = {}
        for attributes in (*links, *self.all("media_content")):
            enclosure = self._enclosure(attributes)
            if enclosure.url:
                found.setdefault(enclosure.url, enclosure)
        return tuple(found.values())

    def image(self) -> str:
        """Return the picture: its own, a thumbnail, or a media:content that is an image."""
        image = dict.get(self._values, "image")
        candidates = [dict.get(image, "href") if isinstance(image, dict) else None, self.raw("logo")]
        candidates += [dict.get(thumbnail, "url") for thumbnail in self.all("media_thumbnail")]
        candidates += [dict.get(media, "url") for media in self.all("media_content") if _is_image(media)]
        urls = (safe_url(candidate, self._base) for candidate in candidates if isinstance(candidate, str))
        return next((url for url in urls if url), "")

    def moment(self, key: str) -> datetime | None:
        text = self.raw(key)
        if not text or (found := parse_date(text)) or looks_like_date(text):
            return found if text else None
        return _moment(dict.get(self._values, f"{key}_parsed"))

    def source(self, key: str) -> str:
        source = dict.get(self._values, "source")
        if not isinstance(source, dict):
            return ""
        values = _Reader(source, self._base)
        return values.text(key) if key == "title" else values.url(key)

    def itunes(self) -> tuple[tuple[str, str], ...]:
        """Return what a podcast says of an episode, by name."""
        texts = {name: self._short(self.raw(f"itunes_{name}")) for name in _ITUNES}
        urls = {name: self._podcast_url(name) for name in _PODCAST}
        return tuple((name, value) for name, value in (texts | urls).items() if value)

    def _podcast_url(self, name: str) -> str:
        attributes = dict.get(self._values, f"podcast_{name}")
        url = dict.get(attributes, "url") if isinstance(attributes, dict) else None
        return safe_url(url, self._base) if isinstance(url, str) else ""

    def _keep(self, cleaned: Cleaned) -> str:
        self.capped |= cleaned.capped
        return cleaned.text

    def _short(self, value: Any) -> str:
        return self._keep(text_of_html(value)) if isinstance(value, str) else ""

    def _html(self, detail: Values) -> str:
        value, kind = dict.get(detail, "value") or "", dict.get(detail, "type") or "text/html"
        if kind in _MARKUP:
            base = _short_base(dict.get(detail, "base")) or self._base
            kept = affordable(value, base)
            self.capped |= len(kept) < len(value)
            return self._keep(clean_html(kept, base))
        return self._keep(escape_text(value)) if kind.startswith("text/") else ""

    def _person(self, author: Values) -> Person:
        return Person(
            name=self._short(dict.get(author, "name")),
            email=self._short(dict.get(author, "email")),
            url=safe_url(dict.get(author, "href") or "", self._base),
        )

    def _category(self, tag: Values) -> Category:
        label = self._short(dict.get(tag, "label"))
        return Category(
            term=self._short(dict.get(tag, "term")) or label, scheme=self._short(dict.get(tag, "scheme")), label=label
        )

    def _enclosure(self, attributes: Values) -> Enclosure:
        length = dict.get(attributes, "length") or dict.get(attributes, "filesize") or ""
        return Enclosure(
            url=safe_url(dict.get(attributes, "href") or dict.get(attributes, "url") or "", self._base),
            type=self._short(dict.get(attributes, "type") or dict.get(attributes, "medium") or ""),
            length=_length(length),
            title=self._short(dict.get(attributes, "title")),
            duration=parse_duration(dict.get(attributes, "duration") or self.raw("itunes_duration")),
        )


def _short_base(base: str | None) -> str:
    return base if base and len(base) <= MAX_URL_LENGTH else ""


def _worth(detail: Values) -> tuple[bool, int]:
    return dict.get(detail, "type") in _MARKUP, len(dict.get(detail, "value") or "")


def _is_image(media: Values) -> bool:
    return dict.get(media, "medium") == "image" or str(dict.get(media, "type", "")).startswith("image/")


def _length(text: str) -> int | None:
    """Return bytes; 0 means that the feed does not know."""
    text = text.strip()
    return int(text) or None if text.isdecimal() and len(text) < 16 else None


def _moment(parts: Any) -> datetime | None:
    """Return feedparser's own reading, for the formats that only it knows."""
    try:
        return datetime.fromtimestamp(timegm(parts), UTC)
    except (TypeError, ValueError, OverflowError):
        return None
