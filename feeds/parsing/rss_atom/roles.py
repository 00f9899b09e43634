"""Which of the texts of an entry is its summary, which its content, and which belongs to a medium."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Detail = dict[str, Any]  # a text of feedparser's: value, type, base; and of ours: origin, depth, medium

# Whose word counts first: the entry's own, the podcast's, the medium's.
_RANKS = {
    **{"description": 0, "summary": 0, "subtitle": 1, "dc_description": 1, "itunes_summary": 2},
    **{"itunes_subtitle": 3, "media_description": 4},
}
_SECOND = 2  # the last rank that may be a content
_MEDIUM = 4


class Roles(NamedTuple):
    """The texts of an entry, each in one place."""

    summary: Detail | None
    content: Detail | None
    others: tuple[Detail, ...]


def divided(texts: Iterable[Detail], contents: Sequence[Detail], words: Callable[[Detail], str]) -> Roles:
    """Give each text its place; `words` returns what a reader sees of one. What others say, too, is left out."""
    ranked = sorted(texts, key=_rank)
    content = max(contents, key=_worth, default=None)
    others = [one for one in contents if one is not content]
    summary = ranked.pop(0) if ranked and not (content and _rank(ranked[0])[0] == _MEDIUM) else None
    if summary and content is None:
        content = next((one for one in ranked if _rank(one)[0] <= _SECOND and _adds(one, [summary], words)), None)
    kept = [one for one in (summary, content) if one]
    others = [one for one in (*others, *ranked) if one is not content]
    return Roles(summary, content, tuple(one for one in others if _adds(one, kept, words)))


def by_rank(texts: Iterable[Detail]) -> list[Detail]:
    """Return the texts of a feed, the one that counts first."""
    return sorted(texts, key=_rank)


def _rank(text: Detail) -> tuple[int, int]:
    """Return the rank of a text, and how deep it stands; what has no rank is a content."""
    return _RANKS.get(dict.get(text, "origin", ""), 0), dict.get(text, "depth", 0)


def _worth(content: Detail) -> tuple[bool, int]:
    """Return what a content is worth to a reader: markup before text, then the longest."""
    return dict.get(content, "type") in ("text/html", "application/xhtml+xml"), len(dict.get(content, "value") or "")


def _adds(one: Detail, others: Iterable[Detail], words: Callable[[Detail], str]) -> bool:
    """Tell whether a text says what the others do not say."""
    said = words(one)
    return all(dict.get(one, "value") != dict.get(other, "value") and said not in words(other) for other in others)
