"""Elements exchanged in HTML before it is parsed: frames, pictures that a script loads, scripts, drawings without text.

Nothing here makes HTML safe: that is the sanitizer's, which sees the result. So it does no harm that such an element
is exchanged in a comment, too.
"""

import re
from html import escape

from feeds.parsing.html.elements import ATTRIBUTES
from feeds.parsing.html.links import Links
from feeds.parsing.html.pictures import load
from feeds.parsing.html.tokens import ATTRIBUTES_PATTERN, attributes_of

_SCRIPT = re.compile(r"<(script|style)(?:[ \t\n\f\r][^<>]*+)?>[^<]*+</\1>", re.IGNORECASE)
# A tag that does not end takes the rest, so that no two of them are looked at twice.
_FRAME = re.compile(rf"<iframe(?=[\s/>])({ATTRIBUTES_PATTERN})(?:>|\Z)([^<]*+</iframe>)?+", re.IGNORECASE)
NOT_EMPTY = re.compile(rf"<iframe(?=[\s/>]){ATTRIBUTES_PATTERN}(?:>|\Z)(?!</iframe>)", re.IGNORECASE)  # of frames
# Icons. Those with text in them, or others, are left to be taken apart.
_DRAWING = re.compile(
    r"<svg(?=[\s>])[^<>]*+>\s*+(?:<(?!/?svg|title|text|style|script)[^<>]*+>\s*+)*+</svg>", re.IGNORECASE
)
_LAZY = re.compile(r"data-(?:lazy-)?(?:src(?:set)?|original)[ \t\n\f\r]*+=")
_LAZY_TAG = re.compile(rf"<(audio|img|source|video)(?=[\s/>])({ATTRIBUTES_PATTERN})(?:>|\Z)", re.IGNORECASE)
_BREAK = re.compile(r"(<br(?:[ /][^<>]*+)?>)</br *>", re.IGNORECASE)
_ELEMENTS = frozenset({"iframe", "script", "style", "svg"})


def is_to_be_edited(value: str, names: frozenset[str]) -> bool:
    """Tell whether there is anything to exchange in a value with elements of these names."""
    is_lazy = "data-" in value and _LAZY.search(value) is not None
    return is_lazy or "</br" in value or "</BR" in value or not names.isdisjoint(_ELEMENTS)


def edited(value: str, links: Links) -> str:
    """Return the value with frames that may stay or links to them, and with pictures whose URL is where it belongs."""
    value = _BREAK.sub(r"\1", _DRAWING.sub("", _SCRIPT.sub("", value)))
    value = _FRAME.sub(lambda frame: _frame(attributes_of(frame[1]), links) if frame[2] else frame[0], value)
    return _LAZY_TAG.sub(_loaded, value) if "data-" in value and _LAZY.search(value) else value


def _frame(attributes: dict[str, str], links: Links) -> str:
    load(attributes)
    frame, link = links.frame(attributes.get("src", ""))
    if frame:
        return f"{tag('iframe', {**attributes, 'src': frame})}</iframe>"
    if not link:
        return "<!---->"  # a frame around it is not to be empty: an empty one stays, as a box
    text = attributes.get("title", "").strip() or link
    return f'<a href="{escape(link)}">{escape(text, quote=False)}</a>'


def _loaded(found: re.Match[str]) -> str:
    name, attributes = found[1].lower(), attributes_of(found[2])
    return tag(name, attributes) if load(attributes) else found[0]


def tag(name: str, attributes: dict[str, str]) -> str:
    """Return a start tag with those of the attributes that an element of this name may have."""
    kept = {key: value for key, value in attributes.items() if key in ATTRIBUTES["*"] or key in ATTRIBUTES[name]}
    return "".join((f"<{name}", *(f' {key}="{escape(value)}"' for key, value in kept.items()), ">"))
