"""The media of an entry, and what a podcast says of an episode, from what feedparser says."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from feeds.parsing.dates import parse_duration
from feeds.parsing.rss_atom.roles import Detail
from feeds.parsing.rss_atom.values import Said, Values, relation
from feeds.parsing.values import Enclosure

MAX_FILES = 100  # transcripts, or chapters, of an entry
MAX_NAME = 200  # characters of a type, a language or a title of these files
MAX_OTHERS = 30  # other texts of an entry

_ITUNES = ("duration", "episode", "episodetype", "explicit", "season", "title")
_NOT_PLAYED = ("image", "text/", "application/pdf", "application/epub")


def enclosures(values: Values) -> tuple[Enclosure, ...]:
    """Return enclosures and media:content, each URL once, each with what is said of it."""
    links = [link for link in values.all("links") if relation(link) == "enclosure"]
    others = values.all("media_content")
    found: dict[str, Enclosure] = {}
    for one in (_enclosure(values, attributes) for attributes in (*links, *others)):
        if one.url:
            found[one.url] = _joined(found[one.url], one) if one.url in found else one
    if not found:
        return ()
    return _with_common(values, list(found.values()), len(links) or 1)


def _enclosure(values: Values, attributes: Said) -> Enclosure:
    return Enclosure(
        url=values.absolute(dict.get(attributes, "href") or dict.get(attributes, "url")),
        type=values.short(dict.get(attributes, "type") or dict.get(attributes, "medium") or ""),
        length=_length(dict.get(attributes, "length") or dict.get(attributes, "filesize") or ""),
        title=values.short(dict.get(attributes, "title")) or _said_of(values, attributes, "media_title"),
        duration=parse_duration(dict.get(attributes, "duration") or ""),
        description=_said_of(values, attributes, "media_description"),
    )


def _said_of(values: Values, medium: Said | None, origin: str) -> str:
    """Return a text of a medium; None = of all media."""
    texts: list[Detail] = [*values.all("feeds_titles"), *values.roles.others]
    of_it = (one for one in texts if dict.get(one, "origin") == origin and dict.get(one, "medium") is medium)
    return next((values.line(one) for one in of_it), "")


def _joined(first: Enclosure, second: Enclosure) -> Enclosure:
    """Return what both say of a medium; what the first says counts."""
    return replace(second, **{name: value for name, value in asdict(first).items() if value})


def _with_common(values: Values, found: list[Enclosure], links: int) -> tuple[Enclosure, ...]:
    """Return the media with what is said of the episode, that is of its enclosures, and of all: the first has that."""
    duration = parse_duration(values.raw("itunes_duration"))
    for index, one in enumerate(found[:links] if duration else ()):
        if not one.type.startswith(_NOT_PLAYED):
            found[index] = _joined(one, Enclosure(url="", duration=duration))
    title, description = _said_of(values, None, "media_title"), _said_of(values, None, "media_description")
    return (_joined(found[0], Enclosure(url="", title=title, description=description)), *found[1:])


def _length(text: str) -> int | None:
    """Return bytes; 0 means that the feed does not know."""
    text = text.strip()
    return int(text) or None if text.isdecimal() and len(text) < 16 else None


def itunes(values: Values, shown: str) -> tuple[tuple[str, Any], ...]:
    """Return what a podcast says of an episode, and what has no other place, by name; `shown` is said elsewhere."""
    said: dict[str, Any] = {name: values.short(values.raw(f"itunes_{name}")) for name in _ITUNES}
    for key in ("transcripts", "chapters"):
        said[key] = list(islice(_files(values, key), MAX_FILES))
    marks = values.all("feeds_marks")[:MAX_FILES]
    said["psc:chapters"] = [
        named for mark in marks if (named := _named(values, mark, ("start", "title")) | _url(values, mark, "href"))
    ]
    for name, text in values.others():
        if text and text not in shown and len(said) < MAX_OTHERS:
            said[name] = f"{said[name]}\n{text}" if said.get(name) else text
    return tuple((name, value) for name, value in said.items() if value)


def _files(values: Values, key: str) -> Iterator[dict[str, str]]:
    for attributes in values.all(f"feeds_{key}"):
        if url := _url(values, attributes, "url"):
            yield url | _named(values, attributes, ("type", "language", "rel"))


def _url(values: Values, attributes: Said, name: str) -> dict[str, str]:
    url = values.absolute(dict.get(attributes, name))
    return {name: url} if url else {}


def _named(values: Values, attributes: Said, names: tuple[str, ...]) -> dict[str, str]:
    named = ((name, values.short(dict.get(attributes, name))[:MAX_NAME]) for name in names)
    return {name: value for name, value in named if value}
