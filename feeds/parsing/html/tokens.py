"""The tokens of HTML, as browsers cut it (HTML §13.2.5), in time that grows with its length and no more."""

import html
import re
from collections.abc import Iterator
from html.entities import html5

_SPACE = " \t\n\f\r"
# Repetitions keep what they took, and a tag that does not end takes the rest: so no two of them read the same twice.
ATTRIBUTES_PATTERN = (
    rf"(?:[{_SPACE}/]++|[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"(?:[{_SPACE}]*+=[{_SPACE}]*+(?:\"[^\"]*+\"|'[^']*+'|[^{_SPACE}>\"'][^{_SPACE}>]*+))?+)*+"
)
_TAG = rf"<(/?)([a-zA-Z][^{_SPACE}/>]*+)({ATTRIBUTES_PATTERN})(>|\Z)"
TAG = re.compile(_TAG)
# Comments and tags; a comment that does not end makes this quadratic in the number of comments.
TAGS_AND_COMMENTS = re.compile(rf"<!--(?:-?>|.*?--!?>)|{_TAG}|<[!?/][^>]*+", re.DOTALL)
_ATTRIBUTE = re.compile(
    rf"([^{_SPACE}/>][^{_SPACE}/>=]*+)"
    rf"(?:[{_SPACE}]*+=[{_SPACE}]*+(?:\"([^\"]*+)\"|'([^']*+)'|([^{_SPACE}>\"'][^{_SPACE}>]*+)))?+"
)
_MARKUP = re.compile(r"<[a-zA-Z/!?]")  # any other "<" is text
_COMMENT_END = re.compile(r"--!?>")
# What is in them is no markup, whatever it looks like.
_RAW = {
    name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE) for name in ("iframe", "script", "style", "noembed")
}
_REFERENCE = re.compile(r"&(?:#(?:[0-9]{1,8}|[xX][0-9a-fA-F]{1,6});?|[a-zA-Z][0-9a-zA-Z]{1,31}+;?)(=?)")
_CDATA = "<![CDATA["
MAX_ATTRIBUTES = 100  # of a tag


# A text as it was written; or a tag: its name in lower case, its attributes as they were written, whether it ends one.
Token = tuple[str, str, str, bool]


def tokens(value: str) -> Iterator[Token]:
    """Yield the texts and tags. What stands in scripts, styles, frames and comments is left out."""
    position = 0
    search, match = _MARKUP.search, TAG.match
    while found := search(value, position):
        start = found.start()
        if start > position:
            yield value[position:start], "", "", False
        if (tag := match(value, start)) is None:
            position = _after_declaration(value, start)
            continue
        closing, name, attributes, end = tag.groups()
        if not end:  # browsers drop a tag that does not end
            return
        name, position = name.lower(), tag.end()
        yield "", name, attributes, bool(closing)
        if name in _RAW and not closing:
            ended = _RAW[name].search(value, position)
            position = ended.start() if ended else len(value)
    if position < len(value):
        yield value[position:], "", "", False


def _after_declaration(value: str, start: int) -> int:
    """Return where a comment, or what is taken for one, ends."""
    if value.startswith("<!--", start):
        if value.startswith((">", "->"), start + 4):
            return value.index(">", start) + 1
        end = _COMMENT_END.search(value, start + 4)
        return end.end() if end else len(value)
    return value.find(">", start) + 1 or len(value)


def attributes_of(text: str) -> dict[str, str]:
    """Return the attributes of a tag, decoded, by their names in lower case. Of two with one name the first counts."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        name, *values = match.groups()
        found.setdefault(name.lower(), decoded(next(filter(None, values), "")))
        if len(found) == MAX_ATTRIBUTES:
            break
    return found


def unescaped(text: str) -> str:
    """Return a text without its references; as it is where one has more digits than Python converts."""
    try:
        return html.unescape(text)
    except ValueError:
        return text


def decoded(value: str) -> str:
    """Return the value of an attribute without its references; "&copy=" is none there (HTML §13.2.5.73)."""
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(reference: re.Match[str]) -> str:
    text = reference[0].removesuffix("=")
    if text[1] == "#":
        return html.unescape(text) + reference[1]
    character = html5.get(text[1:])
    return reference[0] if character is None or (reference[1] and text[-1] != ";") else character + reference[1]


def without_cdata(value: str) -> str:
    """Return what stands in CDATA sections that were escaped: no HTML has them (feedparser #440)."""
    if _CDATA not in value:
        return value
    first, *rest = value.split(_CDATA)
    return first + "".join(piece.replace("]]>", "", 1) for piece in rest)
