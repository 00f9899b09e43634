"""Foreign HTML becomes safe HTML with absolute URLs, by one pass of nh3 over what is cheap to parse.

Most values are parsed as they are. One that is large or has what nh3 would lose or parse slowly is written anew first,
by `html.rewriting`; nh3 decides about it all the same, and nothing is done to what it returns.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from itertools import product

import nh3

from feeds.parsing.encodings import without_forbidden
from feeds.parsing.html.edits import NOT_EMPTY, edited, is_to_be_edited
from feeds.parsing.html.elements import ATTRIBUTES, MATHML, MATHML_ATTRIBUTES, ROWS, TABLE_PARTS, TAGS, VOID
from feeds.parsing.html.frames import SANDBOX
from feeds.parsing.html.links import URLS, Links
from feeds.parsing.html.plain_text import HTML_LIMIT, Cleaned
from feeds.parsing.html.rewriting import MAX_DEPTH, rewritten
from feeds.parsing.html.tokens import TAGS_AND_COMMENTS, without_cdata

_SCHEMES = {"http", "https", "mailto", "data"}  # which of them where, the filter decides
# Texts that no sanitized value may hold as markup. Of these elements nh3 would leave the text.
_WITHOUT_TEXT = frozenset(
    """
    iframe math noembed noframes noscript plaintext script style svg template textarea title xmp
    """.split()  # noqa: SIM905
)

# What is parsed as it is: a small value of these elements, or a large one in which each has its own end.
_SMALL, _SMALL_TAGS = 20_000, 300  # characters, tags
_MOST_REFERENCES = 20_000
_MOST_OF_A_TAG = 5_000  # characters
_PLAIN = TAGS | set("body button font form head html iframe input label link meta nobr o:p".split())  # noqa: SIM905
_IN_TABLES = TABLE_PARTS | {"table"}
_NAMES = re.compile(r"<([a-zA-Z][^\s/>]*+)")
# URLs whose host may be long and not ASCII: nh3 maps such hosts in quadratic time. They are known by what else can
# begin like http:, ftp:, file: or ws: to a browser.
_ODD_URL = re.compile(
    r"=(?<=[fFcCrR \t\n\f\r]=)[ \t\n\f\r]*+[\"']?+"
    r"(?!https?://[0-9A-Za-z._~-]{1,253}(?::\d{1,5})?[/?#\"'> \t\n\f\r]|&(?:amp|gt|lt|nbsp|quot);)"
    r"(?=[\x00-\x20&]|(?:h(?:t(?:tp?)?)?|https|f(?:tp?|i(?:le?)?)?|ws?s?)[:&\t\n\r])",
    re.IGNORECASE,
)
_PLAYED = frozenset({"audio", "video"})

_links: ContextVar[Links] = ContextVar("links")  # of the value that is being cleaned


def clean_html(value: str, base: str, page: str = "") -> Cleaned:
    """Return safe HTML: allowed elements only, URLs absolute by `base` and http, https or mailto.

    `page` is where the entry can be read: what leads to a place in the text leads there. What is over a limit is cut.
    """
    kept = without_cdata(value[:HTML_LIMIT])
    if "<" not in kept and "&" not in kept and ">" not in kept:
        return Cleaned(without_forbidden(kept), len(value) > HTML_LIMIT)
    links = Links(base, page)
    names = _names(kept)
    if is_to_be_edited(kept, names):
        kept = edited(kept, links)
        names = _names(kept)
    safe = _cleaned(kept, names, links) if _is_plain(kept, names) else ""
    capped, limit = links.capped, HTML_LIMIT
    if not safe or "<img>" in safe or len(safe) > min(4 * len(kept) + 10_000, HTML_LIMIT):
        while True:
            links = Links(base, page)
            short, cut = rewritten(kept, links, limit)
            safe, capped = _cleaned(short, _names(short), links), cut or links.capped
            if len(safe) <= HTML_LIMIT:
                break
            limit //= 2
    if "&#" in kept:
        safe = without_forbidden(safe)
    return Cleaned(safe.strip(), capped or len(value) > HTML_LIMIT)


def require_escaping(clean: Callable[[str], str]) -> None:
    """Refuse to start with an nh3 that leaves "<" bare in attributes, as those before 0.3.8 do.

    What it returns runs as a script where something later cuts through the quotes.
    """
    if "<img" in clean('<p title="</p><img src=x onerror=alert(1)>">'):
        raise ImportError("this nh3 does not escape attributes; install the version that feeds-project asks for")


def _cleaned(value: str, names: frozenset[str], links: Links) -> str:
    token = _links.set(links)
    try:
        return _CLEANERS["iframe" in names, "math" in names, not names.isdisjoint(_PLAYED)].clean(value)
    finally:
        _links.reset(token)


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    return _links.get().attribute(tag, attribute, value) if attribute in URLS else value


def _cleaner(frames: bool, formulas: bool, played: bool) -> nh3.Cleaner:
    tags = TAGS | ({"iframe"} if frames else set()) | (MATHML if formulas else set())
    attributes = {tag: names for tag, names in ATTRIBUTES.items() if tag in tags or tag == "*"}
    if formulas:
        attributes |= {tag: set(MATHML_ATTRIBUTES) for tag in MATHML}
    values = {"audio": {"controls": ""}, "video": {"controls": ""}} if played else {}  # an eighth of nh3's time
    if frames:
        values["iframe"] = {"sandbox": SANDBOX}
    return nh3.Cleaner(
        tags=set(tags),
        clean_content_tags=_WITHOUT_TEXT - tags,
        attributes=attributes,
        attribute_filter=_filtered,
        set_tag_attribute_values=values or None,
        url_schemes=_SCHEMES,
        url_relative="pass_through",
        link_rel="noopener noreferrer",
    )


_CLEANERS = {flags: _cleaner(*flags) for flags in product((False, True), repeat=3)}
require_escaping(lambda value: _cleaned(value, frozenset(), Links()))


# What is cheap


def _names(value: str) -> frozenset[str]:
    """Return the names of elements that begin, and of what looks like one, in lower case."""
    return frozenset(map(str.lower, set(_NAMES.findall(value))))


def _is_plain(value: str, names: frozenset[str]) -> bool:
    """Tell whether nh3 parses a value in linear time, and loses nothing that is worth keeping."""
    if not names <= _PLAIN or value.count("&") > _MOST_REFERENCES or _ODD_URL.search(value):
        return False
    if "iframe" in names and NOT_EMPTY.search(value):
        return False
    return (len(value) <= _SMALL and value.count("<") <= _SMALL_TAGS) or _is_well_nested(value, "table" in names)


def _is_well_nested(value: str, has_tables: bool) -> bool:
    """Tell whether each element has its own end, none is deep, and nothing stands between the cells of a table."""
    if value.rfind("<!--") > value.rfind("-->"):
        return False
    stack = [""]
    for closing, name, attributes, _ in TAGS_AND_COMMENTS.findall(value):
        if closing:
            if stack[-1] == name:
                stack.pop()
            elif name not in VOID:
                return False
        elif name:
            if len(attributes) > _MOST_OF_A_TAG or (has_tables and stack[-1] in ROWS and name not in _IN_TABLES):
                return False
            if name not in VOID:
                stack.append(name)
                if len(stack) > MAX_DEPTH:
                    return False
    return True
