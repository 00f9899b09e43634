"""The date as a feed writes it in, an aware datetime in UTC out, or None for what is no date."""

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(
    r"(\d{4})-(\d\d?)(?:-(\d\d?))?"
    r"(?:[T\s]\s*(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?\s*(Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?",
    re.IGNORECASE,
)
_RFC822 = re.compile(
    r"(?:[a-z]+\.?,?\s+)?(?:(\d\d?)[\s-]+([a-z]{3})[a-z]*|([a-z]{3})[a-z]*\s+(\d\d?))[,.]?[\s-]+(\d{4}|\d\d)"
    r"(?:,?\s+(\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*([a-z/]*\s*(?:[+-]\d\d?:?\d\d)?)(?:\s*\(.*\))?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)?")
_MONTHS = {
    **{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6},
    **{"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12},
}
_ZONES = {  # hours; RFC 822 §5.1 and those that are met in feeds
    **{"": 0, "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "cet": 1, "met": 1, "west": 1},
    **{"cest": 2, "mest": 2, "eet": 2, "eest": 3, "msk": 3, "ist": 5.5, "jst": 9, "kst": 9, "aest": 10, "aedt": 11},
    **{"adt": -3, "ast": -4, "edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8},
    **{"et": -5, "ct": -6, "mt": -7, "pt": -8, "akdt": -8, "akst": -9, "hst": -10},
}
_DURATION = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7})(?:\.\d+)?")
_EPOCH = re.compile(r"\d{9,10}|\d{12,13}")  # seconds or milliseconds, 1973 to 2286


def parse_date(text: str) -> datetime | None:
    """Return the moment that a date of RFC 822, RFC 3339 or Unix time names; None for any other text.

    Impossible days are no dates. Unknown zones, and dates without one, count as UTC.
    """
    found = _date(text.strip()[:100])
    return found if found is not None and found.year >= 1 else None


def parse_duration(text: str) -> int | None:
    """Return the seconds of "HH:MM:SS", "MM:SS" or a number of seconds; None for any other text, and for nothing."""
    match = _DURATION.fullmatch(text.strip()[:30])
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds or None


def looks_like_date(text: str) -> bool:
    """Tell whether `parse_date` knows the shape of this text, so that its None means an impossible date."""
    text = text.strip()[:100]
    return any(pattern.fullmatch(text) for pattern in (_ISO, _RFC822)) or text.isdigit()


def _date(text: str) -> datetime | None:
    try:
        if match := _ISO.fullmatch(text):
            return _iso(match)
        if match := _RFC822.fullmatch(text):
            return _rfc822(match)
        if _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(int(text) / (1000 if len(text) > 10 else 1), UTC)
    except (ValueError, OverflowError, KeyError):
        pass
    return None


def _iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, zone = match.groups()
    return _moment(int(year), int(month), int(day or 1), hour, minute, second, zone or "")


def _rfc822(match: re.Match[str]) -> datetime:
    day, month, other_month, other_day, year, hour, minute, second, zone = match.groups()
    number = _MONTHS[(month or other_month).lower()]
    return _moment(_year(year), number, int(day or other_day), hour, minute, second, zone)


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= 70 else 2000)


def _moment(
    year: int, month: int, day: int, hour: str | None, minute: str | None, second: str | None, zone: str
) -> datetime:
    midnight = datetime(year, month, day, tzinfo=UTC)
    hours, minutes, seconds = int(hour or 0), int(minute or 0), min(int(second or 0), 59)  # 60: a leap second
    if hours > 24 or minutes > 59:
        raise ValueError("no such time")
    return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds) - _offset(zone)


def _offset(zone: str) -> timedelta:
    if match := _OFFSET.search(zone):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return -offset if sign == "-" else offset
    return timedelta(hours=_ZONES.get(zone.strip().lower(), 0))
