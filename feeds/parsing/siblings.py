"""An entry's bytes in, a name that tells it from its siblings out.

Two entries that may be read as one have the same name. Sure is only what no way of reading can change; the name of all
others is "".
"""

import re
from collections.abc import Sequence
from html import unescape

from feeds.parsing.dates import parse_date

# feedparser reads these as UTF-8 or windows-1252 that was decoded wrongly, and repairs them.
_MISREAD = re.compile("[\x80-\x9f]|[\xc2-\xf4][\xa0-\xbf]")
_CDATA = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)  # without an end, in a comment, it is looked for once
_LINK = re.compile(rb"<(?:[^\s<>/]*:)?(?:link|href|(?:guid|id)(?![^<>]*></))\b", re.IGNORECASE)  # an empty id is none
_TITLE = re.compile(rb"<(?:[^\s<>/]*:)?title\b", re.IGNORECASE)
_DATE = re.compile(rb"<(?:[^\s<>/]*:)?(?:pubdate|published|issued|created)\b", re.IGNORECASE)
_PLAIN_LINK = re.compile(
    rb"<link>\s*(https?://[\w-][\w.-]*/(?:[\w%~+=-][\w.%~+=-]*/)*(?:[\w%~+=-][\w.%~+=-]*)?)\s*</link>", re.ASCII
)
_PLAIN_TITLE = re.compile(rb"<title>([^<]{1,500})</title>")
_PLAIN_DATE = re.compile(rb"<pubDate>\s*([\w:+,-][\w:+, -]{0,80})\s*</pubDate>", re.ASCII)
_CHANGEABLE = re.compile("[^0-9A-Za-z]+")


def name(entry: bytes, guids: Sequence[str]) -> str:
    """Return the name of an entry with these guids as written: the guid; in RSS else the link, or title and date."""
    if not any(guids):
        return _name_of_item(_CDATA.sub(b"<>", entry))
    return f"guid {guids[0]}" if len(guids) == 1 and not _MISREAD.search(guids[0]) else ""


def _name_of_item(item: bytes) -> str:
    if not item.startswith(b"<item>") or b"<!" in item:
        return ""
    links, titles, dates = (pattern.findall(item) for pattern in (_LINK, _TITLE, _DATE))
    if len(links) == 1 and (link := _PLAIN_LINK.search(item)):
        return f"link {link[1].decode()}"
    title, date = _PLAIN_TITLE.search(item), _PLAIN_DATE.search(item)
    if title and date and (len(links), len(titles), len(dates)) == (0, 1, 1):
        return _dated(title[1].decode(), date[1].decode())
    return ""


def _dated(title: str, date: str) -> str:
    """Return what is left of a title when its references are resolved, in XML and in HTML, and the moment."""
    text, moment = unescape(unescape(title)), parse_date(date)
    is_sure = moment is not None and "<" not in text and unescape(text) == text
    return f"title {_CHANGEABLE.sub('', text)} {moment}" if is_sure else ""
