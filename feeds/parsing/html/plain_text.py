"""Plain text: of HTML, as one line, and as HTML."""

import html
import re
from typing import NamedTuple

from feeds.parsing.encodings import without_forbidden
from feeds.parsing.html.elements import BLOCKS, WITHOUT_TEXT
from feeds.parsing.html.tokens import tokens, unescaped, without_cdata
from feeds.parsing.html.urls import safe_url

TEXT_LIMIT = 10_000  # characters of a title, a name, a category
HTML_LIMIT = 2_000_000  # characters of one value, as it comes and cleaned

_BARE_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER_URLS = ".,;:!?'…”’»*_"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


class Cleaned(NamedTuple):
    """A safe value, and whether it was longer or deeper than is kept."""

    text: str
    capped: bool = False


def plain_text(value: str) -> Cleaned:
    """Return text as one trimmed line."""
    kept = value[:TEXT_LIMIT]
    return Cleaned(" ".join(without_forbidden(kept).split()), len(kept) < len(value))


def text_of_html(value: str) -> Cleaned:
    """Return what a reader sees of some inline HTML, as one trimmed line of text."""
    if "<" not in value and "&" not in value:
        return plain_text(value)
    kept = value[:TEXT_LIMIT]
    pieces, silent = [], ""
    for text, name, _, is_end in tokens(without_cdata(kept)):
        if silent:
            silent = "" if is_end and name == silent else silent
        elif not name:
            pieces.append(text)
        elif name in BLOCKS:
            pieces.append(" ")
        elif name in WITHOUT_TEXT and name != "title" and not is_end:
            silent = name
    line = plain_text(unescaped("".join(pieces)))
    return Cleaned(line.text, line.capped or len(kept) < len(value))


def text_as_html(value: str) -> Cleaned:
    """Return plain text as HTML: empty lines part paragraphs, other line ends are kept, URLs become links."""
    kept = value[:HTML_LIMIT]
    while len(written := _as_html(without_forbidden(kept))) > HTML_LIMIT:
        kept = kept[: len(kept) // 2]
    return Cleaned(written, len(kept) < len(value))


def _as_html(text: str) -> str:
    paragraphs: list[list[str]] = [[]]
    for line in text.strip().splitlines():
        if line.strip():
            paragraphs[-1].append(_line_as_html(line.strip()))
        elif paragraphs[-1]:
            paragraphs.append([])
    written = ["<br>".join(lines) for lines in paragraphs]
    return written[0] if len(written) == 1 else "".join(f"<p>{paragraph}</p>" for paragraph in written)


def _line_as_html(line: str) -> str:
    if "://" not in line:
        return html.escape(line, quote=False)
    pieces, position = [], 0
    for match in _BARE_URL.finditer(line):
        written = _without_punctuation(match[0])
        if url := safe_url(written):
            pieces.append(html.escape(line[position : match.start()], quote=False))
            text = html.escape(written, quote=False)
            pieces.append(f'<a href="{html.escape(url)}" rel="noopener noreferrer">{text}</a>')
            position = match.start() + len(written)
    return "".join((*pieces, html.escape(line[position:], quote=False)))


def _without_punctuation(url: str) -> str:
    """Return a URL without what ends the sentence that it stands in; a bracket ends it where none was opened."""
    end = len(url)
    surplus = {close: url.count(close) - url.count(start) for close, start in _BRACKETS.items()}
    while end and (url[end - 1] in _AFTER_URLS or surplus.get(url[end - 1], 0) > 0):
        if url[end - 1] in surplus:
            surplus[url[end - 1]] -= 1
        end -= 1
    return url[:end]
