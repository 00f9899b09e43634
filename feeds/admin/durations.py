"""Seconds as people write them: "90 min", "1 d 12 h"."""

import re

UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
WORDS = {"day": "d", "days": "d", "hour": "h", "hours": "h", "m": "min", "minute": "min", "minutes": "min"}
WORDS |= {"second": "s", "seconds": "s", "sec": "s"}
PART = re.compile(r"(\d{1,9})\s*([a-z]*)")
SECONDS = re.compile(r"\b(\d{2,9}) s\b")


def in_words(seconds: int) -> str:
    """Return a duration by its two largest units."""
    parts = []
    rest = seconds
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def humanized(text: str) -> str:
    """Return a text of ours with the seconds in it as durations."""
    return SECONDS.sub(lambda found: in_words(int(found[1])), text)


def parsed(text: str) -> int:
    """Return the seconds that a text names; a bare number is of seconds. Raise ValueError if it is no duration."""
    parts = PART.findall(text.lower())
    if not parts or PART.sub("", text.lower()).strip(" ,"):
        raise ValueError(f"{text!r} is no duration such as 90 min or 1 d 12 h")
    return sum(int(number) * _size(unit) for number, unit in parts)


def _size(unit: str) -> int:
    if (size := UNITS.get(WORDS.get(unit, unit) or "s")) is None:
        raise ValueError(f"{unit} is no unit of time: d, h, min or s")
    return size
