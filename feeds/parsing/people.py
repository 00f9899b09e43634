"""People: one written as a text, such as "ada@example.org (Ada)", taken apart; and those of a feed for its entries."""

import re

from feeds.parsing.html.tokens import unescaped
from feeds.parsing.values import Person

MAX_AUTHOR = 1_000  # characters of an author that are taken apart
MAX_COMMON = 1_000  # characters of a feed's authors that are stored with each of its entries
_SEPARATORS = re.compile(r"[\s<>()\[\],;\"]+")
_ADDRESS = re.compile(
    r"(?:mailto:)?([^\s@?]{1,64}@"
    r"(?:(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:xn--[\w-]{2,59}|[^\W\d_]{2,63})|\d{1,3}(?:\.\d{1,3}){3}))"
)
_BRACKETS = re.compile(r"\(\s*\)|<\s*>|\[\s*\]|\"\s*\"")
_EDGES = " \t\r\n,;:-"


def parted(text: str) -> tuple[str, str]:
    """Return the name and the address of a person, whatever the top-level domain; the text where it has no address."""
    if "@" not in text or len(text) > MAX_AUTHOR:
        return text, ""
    text = unescaped(text)
    for word in _SEPARATORS.split(text):
        if "@" in word and (found := _ADDRESS.match(word.strip(".:'"))):
            return _name(text.replace(word, "", 1)), found[1]
    return text, ""


def _name(rest: str) -> str:
    """Return what is left beside an address, without what it stood in."""
    name = _BRACKETS.sub("", rest).strip(_EDGES)
    for opening, closing in ("()", '""', "''", "[]"):
        if name.startswith(opening) and name.endswith(closing):
            name = name[1:-1].strip(_EDGES)
    return name


def common(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """Return a feed's people for entries without any (RFC 4287 §4.2.1, JSON Feed 1.1), none where these are long."""
    length = sum(len(one.name) + len(one.email) + len(one.url) for one in people)
    return people if length <= MAX_COMMON else ()
