"""The dates and durations that feeds write, as aware datetimes in UTC and as seconds.

RFC 822 with all that RFC 5322 §4.3 calls obsolete, RFC 3339 and the rest of ISO 8601 that names a month and a day, Unix
time, and what programs and people write instead. One table of shapes of a day, and one shape of a time for all of them.
python-dateutil knows no names of zones, fills what is missing from today ("May 2024", "8:18 PM"), guesses the order of
3/4/2024, and takes seven times as long.
"""

import contextlib
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MAX_DATE = 100  # characters of a date that are looked at, and kept as they are written
MAX_DURATION = 30  # characters of a duration that are looked at
FIRST_YEAR = 1970  # what lies before it, or after next year, is a default of some program and no date

# In any language, in up to three words; it may be wrong, and says nothing that the date does not.
_WEEKDAY = r"(?:[^\W\d_]+[.,\s]+){0,3}"
_MONTH = r"(?P<month>[^\W\d_]{3,12})"
_YEAR = r"(?P<year>\d{2,4})(?![\d:])"
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        # ISO 8601 and the like: 2024-05-24, 2024/5/24, 2024. 5. 24., and with a zero too many 2003-012-31
        rf"{_WEEKDAY}(?P<year>\d{{4}}|\d\d(?=-\d\d-\d\dT))([-/.])\s?0?(?P<month>\d\d?)\2\s?(?P<day>\d\d?)(?!\d)\.?",
        r"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)(?=\d{4}(?:\d\d)?(?!\d)|\D|$)",
        rf"(?P<year>\d{{4}})[.\s,-]+{_MONTH}[.\s-]+(?P<day>\d\d?)(?!\d)\.?",
        rf"{_WEEKDAY}(?P<day>\d\d?)\s(?:tháng|thg)\s(?P<month>\d\d?)[,\s]+(?:năm\s)?{_YEAR}",  # Vietnamese
        # RFC 822 and the like: Fri, 24 May 2024; 24-May-24; 24. Mai 2024; 24 de mayo de 2024
        rf"{_WEEKDAY}(?P<day>\d\d?)(?:st|nd|rd|th|\.)?[\s-]*(?:de\s|of\s|ב)?{_MONTH}[.,\s-]*(?:de\s)?{_YEAR}",
        # May 24, 2024; Fri May 24th 2024
        rf"{_WEEKDAY}{_MONTH}[.\s-]*(?P<day>\d\d?)(?:st|nd|rd|th)?[,\s-]+{_YEAR}",
        rf"{_WEEKDAY}(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?(?P<year>\d{{4}})(?!\d)",
        # With slashes the day comes first in most countries, the month in one, and there AM and PM are written.
        rf"{_WEEKDAY}(?P<month>0?[1-9]|1[0-2])/(?P<day>\d\d?)/(?P<year>\d{{4}}|\d\d)(?!\d)(?=.*\d\s?[ap]\.?m)",
        rf"{_WEEKDAY}(?P<month>\d\d?)([/-])(?P<day>1[3-9]|[23]\d)\2(?P<year>\d{{4}})(?!\d)",
        rf"{_WEEKDAY}(?P<day>1[3-9]|[23]\d)([/-])(?P<month>\d\d?)\2(?P<year>\d{{4}})(?!\d)",
    )
)
_TIME = re.compile(
    r"(?:[T,\s]*(?:(?:at|um|à|às|alle|-)\s)?(?:(?P<half>[ap])m\s)?"
    r"(?:(?P<hour>\d\d?)(?:\s?:\s?|[.h])(?P<minute>\d\d?)(?:(?:\s?:\s?|\.)0?(?P<second>\d\d?)(?:[.,]\d+)?)?"
    r"|(?P<hour2>\d\d)(?P<minute2>\d\d)(?P<second2>\d\d)?(?:[.,]\d+)?"
    r"|(?P<hour3>\d\d?)(?=\s?[ap]\.?\s?m|z$))"
    r"(?:\s?(?P<half2>[ap])\.?\s?m\.?(?![a-z]))?)?"
    r"\s*(?P<name>[a-z/_]*)\s?(?:(?P<sign>[+-])(?:(?P<short>0\d)0|(?P<hours>\d\d?)(?::?(?P<minutes>\d\d))?)(?:z|\s[a-z/_]+)?)?",
    re.IGNORECASE,
)
# asctime, Unix's date(1), Java and Ruby put the year last: Fri May 24 22:05:03 CEST 2024.
_YEAR_LAST = re.compile(
    rf"\A({_WEEKDAY}[a-z]+\s\d\d?)\s(\d\d?:\d\d(?::\d\d)?)((?:\s(?:[a-z]+|[+-]\d{{4}}))?)\s(\d{{4}})", re.IGNORECASE
)
_NAME_IN_BRACKETS = re.compile(r"(?<=[\dm])\s*[(\[]([a-z/_]+)[)\]]\s*\Z", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")  # RFC 822 §3.4.3; the zone that Java writes behind its offset
_MONTHS = {
    name: number
    for number, names in enumerate(
        (  # English, and without accents German, French, Spanish, Italian, Portuguese, Dutch, Nordic, Finnish,
            # Romanian, Hungarian, Polish, Czech, Turkish, Indonesian, Greek, Russian, Ukrainian, Bulgarian, Hebrew and
            # Arabic: three letters, or more where those could be two months, as with Croatian's, some of which are here
            "jan ene gen ian sty led oca tam ιαν янв січ яну ינו ينا جان",
            "feb fev lut uno sub hel φεβ фев лют פבר فبر فيف شبا",
            "mar maa bre μαρ μαω мар бер מרץ מרס مار اذا",
            "apr avr abr kwi dub nis huh απρ апр кві אפר ابر افر نيس",
            "may mai mei maj mag kve tou μαι μαϊ маи мая тра מאי ماي ايا",
            "jun juin giu iun cze cervn cerven lipnj lipan haz kes ιουν ιον июн юни чер יונ يون جوا حزي",
            "jul juil lug iul lip cervene cervenc srpnj srpan tem hei ιουλ ιολ июл юли лип יול يول جوي تمو",
            "aug aou ago agu sie srpna srpen elo αυγ авг сер אוג اغس اوت غشت",
            "sep set sze wrz zar eyl syy σεπ сен сеп вер ספט سبت شتن ايل",
            "oct okt ott out paz rij eki lok οκτ окт жов אוק اكت",
            "nov noi lis kas marr νοε ноя ное лис נוב نوف نون",
            "dec dez dic des gru pro ara jou δεκ дек гру דצמ ديس دجن",
        ),
        start=1,
    )
    for name in names.split()
}
_ZONES = {  # hours; RFC 822 §5.1 without its military letters (RFC 5322 §4.3), and those that are met in feeds
    **{"z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "cet": 1, "met": 1, "mez": 1, "west": 1, "wat": 1},
    **{"cest": 2, "mest": 2, "mesz": 2, "eet": 2, "sast": 2, "cat": 2, "eest": 3, "msk": 3, "eat": 3, "idt": 3},
    **{"trt": 3, "gst": 4, "pkt": 5, "ist": 5.5, "npt": 5.75, "wib": 7, "ict": 7, "hkt": 8, "sgt": 8, "awst": 8},
    **{"myt": 8, "pht": 8, "jst": 9, "kst": 9, "acst": 9.5, "aest": 10, "acdt": 10.5, "aedt": 11, "nzst": 12},
    **{"nzdt": 13, "ndt": -2.5, "adt": -3, "brt": -3, "art": -3, "nst": -3.5, "ast": -4, "at": -4, "edt": -4},
    **{"est": -5, "et": -5, "cdt": -5, "cst": -6, "ct": -6, "mdt": -6, "mst": -7, "mt": -7, "pdt": -7, "pst": -8},
    **{"pt": -8, "akdt": -8, "akst": -9, "hdt": -9, "hst": -10, "sst": -11},
}
# Zones that say no more than where: their hours differ between summer and winter.
_REGIONS = {"et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles"}
# How Chinese, Japanese and Korean write year, month, day, AM and PM, hour, minute and second; marks that show nothing.
_SIGNS = {
    **{ord(sign): "-" for sign in "年月년월"},
    **{ord(sign): " " for sign in "日일午오"},
    **{ord(sign): " am " for sign in "上前전"},
    **{ord(sign): " pm " for sign in "下後후"},
    **{ord(sign): ":" for sign in "時时시分분"},
    **{ord(sign): "" for sign in "秒초\u200b\u200e\u200f\ufeff"},
    **{ord(sign): "-" for sign in "‐‑‒–−"},
    ord("،"): ",",
}
_HANGUL = re.compile("[가-힣]")
_DURATION = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7})(?:\.\d+)?")
_IN_WORDS = re.compile(  # and in ISO 8601
    r"(?:pt)?(?:(\d{1,4})\s?h[a-z]*\.?)?[\s,]*(?:(\d{1,4})\s?m[a-z]*\.?)?[\s,]*(?:(\d{1,7})(?:\.\d+)?\s?s[a-z]*\.?)?",
    re.IGNORECASE,
)
_UNIX = re.compile(r"\d{8,10}(?:\.\d+)?|\d{12,13}")  # seconds or milliseconds


def parse_date(text: str) -> datetime | None:
    """Return the moment that a text names; None for what is no date.

    No date is what lacks its day, month or year, a day or a time that does not exist, and a year before 1970 or after
    next year. Unknown zones, and dates without one, count as UTC.
    """
    try:
        found = _moment(_tidy(text[:MAX_DATE]))
    except (ValueError, OverflowError, KeyError):
        return None
    return found if found and FIRST_YEAR <= found.year <= datetime.now(UTC).year + 1 else None


def parse_duration(text: str) -> int | None:
    """Return the seconds of "HH:MM:SS", "MM:SS", "1h 2m" or a number of seconds; None for others, and for nothing."""
    text = text.strip()[:MAX_DURATION]
    match = _DURATION.fullmatch(text) or _IN_WORDS.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds or None


def _tidy(text: str) -> str:
    """Return the text in single spaces, without comments, with the year in its place and in signs that we know."""
    if not text.isascii():
        korean = " kst" if _HANGUL.search(text) else ""
        text = text.translate(_SIGNS).rstrip(": ") + korean
    if "(" in text or "[" in text:
        text = _COMMENT.sub(" ", _NAME_IN_BRACKETS.sub(r" \1", text))
    text = " ".join(text.split())
    return _YEAR_LAST.sub(r"\1 \4 \2\3", text) if text[-4:].isdecimal() else text


def _moment(text: str) -> datetime | None:
    for shape in _SHAPES:
        if (day := shape.match(text)) and (time := _TIME.fullmatch(text, day.end())):
            midnight = datetime(_year(day["year"]), _month(day["month"]), int(day["day"]), tzinfo=UTC)
            moment = midnight + _time(time)
            return moment - _offset(time, moment)
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(float(text) / (1000 if len(text.partition(".")[0]) > 10 else 1), UTC)
    return None


def _year(text: str) -> int:
    """Return the year; RFC 5322 §4.3 on those of two digits, and of three, which are a bug of the year 2000."""
    year = int(text)
    if len(text) == 4:
        return year
    return year + (1900 if year >= 70 else 2000)


def _month(text: str) -> int:
    if text.isdecimal():
        return int(text)
    name = text[:7].lower()
    if not name.isascii():
        name = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return _MONTHS.get(name) or _MONTHS.get(name[:5]) or _MONTHS.get(name[:4]) or _MONTHS[name[:3]]


def _time(time: re.Match[str]) -> timedelta:
    hours = int(time["hour"] or time["hour2"] or time["hour3"] or 0)
    minutes, seconds = int(time["minute"] or time["minute2"] or 0), int(time["second"] or time["second2"] or 0)
    if half := (time["half"] or time["half2"] or "").lower():
        hours = hours % 12 + (12 if half == "p" else 0) if hours <= 12 else hours
    if hours > 24 or minutes > 59 or seconds > 60:
        raise ValueError("no such time")
    return timedelta(hours=hours, minutes=minutes, seconds=min(seconds, 59))  # 60: a leap second


def _offset(time: re.Match[str], moment: datetime) -> timedelta:
    """Return what the zone adds to UTC at a moment there: its number of hours, else what its name means."""
    if time["sign"]:
        offset = timedelta(hours=int(time["short"] or time["hours"]), minutes=int(time["minutes"] or 0))
        return -offset if time["sign"] == "-" else offset
    name = time["name"].lower()
    region = _REGIONS.get(name, time["name"])
    if "/" in region:
        with contextlib.suppress(KeyError, ValueError, OSError):  # none that the system knows
            return ZoneInfo(region).utcoffset(moment.replace(tzinfo=None)) or timedelta()
    return timedelta(hours=_ZONES.get(name, 0))
