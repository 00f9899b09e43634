"""Seconds as people write them: "90 min", "1 d 12 h"."""

import re

UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
BY_LETTER = {unit[0]: size for unit, size in UNITS.items()}
PART = re.compile(r"(\d{1,9})\s*(days?|d|hours?|h|minutes?|min|m|seconds?|sec|s)?\b")


def in_words(seconds: float) -> str:
    """Return a duration by its two largest units."""
    parts = []
    rest = round(seconds)
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def parsed(text: str) -> int:
    """Return the seconds that a text names; a bare number is of seconds. Raise ValueError if it is no duration."""
    parts = PART.findall(text.lower())
    if not parts or PART.sub("", text.lower()).strip(" ,"):
        raise ValueError(f"{text!r} is no duration such as 90 min or 1 d 12 h")
    return sum(int(number) * BY_LETTER[unit[:1] or "s"] for number, unit in parts)
