"""Foreign HTML, text and URLs in; safe HTML with absolute URLs, plain text, and http(s) URLs out."""

import html
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import nh3

from feeds.canonical_urls import MAX_URL_LENGTH, browser_url
from feeds.parsing.encodings import without_forbidden

HTML_LIMIT = (
    500_000  # characters of one value; nh3 is quadratic in "&" and in attributes: 900,000 of the first take 6 s
)
TEXT_LIMIT = 10_000  # characters of a title, a name, a category
DEPTH_LIMIT = 1_000  # nh3 is quadratic in it: 10,000 nested elements take 0.14 s, 100,000 more than 15 s
SCHEMES = frozenset({"http", "https", "mailto"})
IFRAME_HOSTS = frozenset(
    {
        "www.youtube.com",
        "www.youtube-nocookie.com",
        "player.vimeo.com",
        "w.soundcloud.com",
        "open.spotify.com",
        "bandcamp.com",
        "embed.podcasts.apple.com",
        "www.dailymotion.com",
        "player.twitch.tv",
        "archive.org",
    }
)

_TAGS = frozenset(
    """
    a abbr acronym address article aside audio b bdi bdo big blockquote br caption center cite code col colgroup
    data dd del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins
    kbd li main mark nav ol p picture pre q rp rt ruby s samp section small source span strike strong sub
    summary sup table tbody td tfoot th thead time tr track tt u ul var video wbr
    """.split()  # noqa: SIM905
)
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "audio": {"controls", "loop", "preload", "src"},
    "bdo": {"dir"},
    "col": {"span"},
    "colgroup": {"span"},
    "data": {"value"},
    "del": {"datetime"},
    "details": {"open"},
    "iframe": {"allowfullscreen", "height", "src", "width"},
    "img": {"alt", "height", "sizes", "src", "srcset", "width"},
    "ins": {"datetime"},
    "li": {"value"},
    "ol": {"reversed", "start", "type"},
    "source": {"media", "sizes", "src", "srcset", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"abbr", "colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "track": {"kind", "label", "src", "srclang"},
    "video": {"controls", "height", "loop", "poster", "preload", "src", "width"},
}
_UNFILTERED_ATTRIBUTES = {tag: names - {"srcset"} for tag, names in _ATTRIBUTES.items() if tag != "iframe"}
_NO_CONTENT = {"script", "style", "noscript", "template", "title", "object", "applet", "svg", "math"}
# Elements that hold nothing, or end where the next begins: they cannot nest.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()  # noqa: SIM905
)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
# What means the same to every browser as it stands; it keeps its spelling, by which entries are known.
_ABSOLUTE = re.compile(
    r"https?://(?!\S{0,250}xn--)(?:[0-9A-Za-z_-]{1,63}\.){1,9}[A-Za-z][0-9A-Za-z-]{0,62}(?:[/?#][^\[\]\\\s\"<>^`{|}]*+)?"
)
# What stands inside a frame is shown by no browser, and nh3 lets it pass as it is: a script, for another HTML parser.
_FRAMED = re.compile(r"(<iframe(?: [a-z]+=\"[^\"]*\")*>).*?</iframe>", re.DOTALL)
_EMPTY_IFRAME = re.compile(r"<iframe(?: (?:allowfullscreen|height|width)=\"[^\"]*\")*></iframe>")
_WHITESPACE = re.compile(r"\s+")
_STRIPPED_FROM_URLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Cleaned(NamedTuple):
    """A safe value, and whether it was longer or deeper than is kept."""

    text: str
    capped: bool = False


def clean_html(value: str, base: str) -> Cleaned:
    """Return safe HTML: allowed elements only, URLs absolute by `base` and http, https or mailto."""
    if "<" not in value and "&" not in value:
        kept = value[:HTML_LIMIT]
        return Cleaned(without_forbidden(_escaped(kept)), len(kept) < len(value))
    kept = _shallow(value[:HTML_LIMIT])
    filtered = "srcset" in kept or "<iframe" in kept  # in other letter cases they are dropped
    safe = _cleaner(base, filtered).clean(kept)
    if filtered:
        safe = _EMPTY_IFRAME.sub("", _FRAMED.sub(r"\1</iframe>", safe))
    if "&#" in kept:
        safe = without_forbidden(safe)
    return Cleaned(safe.strip(), len(kept) < len(value))


def escape_text(value: str) -> Cleaned:
    """Return plain text as HTML."""
    kept = value[:HTML_LIMIT]
    return Cleaned(without_forbidden(_escaped(kept)).strip(), len(kept) < len(value))


def plain_text(value: str) -> Cleaned:
    """Return text as one trimmed line."""
    kept = value[:TEXT_LIMIT]
    return Cleaned(_WHITESPACE.sub(" ", without_forbidden(kept)).strip(), len(kept) < len(value))


def text_of_html(value: str) -> Cleaned:
    """Return what a reader sees of some inline HTML, as one trimmed line of text."""
    if "<" not in value and "&" not in value:
        return plain_text(value)
    kept = _shallow(value[:TEXT_LIMIT])
    text = plain_text(html.unescape(_text_cleaner().clean(kept)))
    return Cleaned(text.text, text.capped or len(kept) < len(value))


def safe_url(value: str, base: str = "", *, mail: bool = False) -> str:
    """Return the URL, absolute, if it is http or https (or mailto, if `mail`); else an empty text."""
    if len(value) > MAX_URL_LENGTH:
        return ""
    text = _STRIPPED_FROM_URLS.sub("", value).strip().replace(" ", "%20")
    if not text or _ABSOLUTE.fullmatch(text):
        return text
    url = browser_url(text, base)
    return url if url.startswith(("http://", "https://")) or (mail and url.startswith("mailto:")) else ""


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _shallow(value: str) -> str:
    """Return the value up to where its elements nest too deeply."""
    if value.count("<") <= DEPTH_LIMIT:
        return value
    depth = 0
    for match in _TAG.finditer(value):
        closing, name = match.groups()
        if name.lower() in _FLAT:
            continue
        depth = max(depth - 1, 0) if closing else depth + 1
        if depth > DEPTH_LIMIT:
            return value[: match.start()]
    return value


@lru_cache(maxsize=64)
def _cleaner(base: str, filtered: bool) -> nh3.Cleaner:
    try:
        return _new_cleaner(base, filtered)
    except ValueError:  # nh3 has its own idea of what a host is
        return _new_cleaner("", filtered)


def _new_cleaner(base: str, filtered: bool) -> nh3.Cleaner:
    """Return a cleaner that makes URLs absolute by `base`, or drops relative ones where it is no http(s) URL."""
    return nh3.Cleaner(
        tags=_TAGS | {"iframe"} if filtered else _TAGS,
        clean_content_tags=_NO_CONTENT,
        attributes=_ATTRIBUTES if filtered else _UNFILTERED_ATTRIBUTES,
        attribute_filter=_Filter(base) if filtered else None,
        url_schemes=SCHEMES,
        url_relative=("rewrite_with_base", base) if safe_url(base) else "deny",
        link_rel="noopener noreferrer",
    )


@lru_cache(maxsize=1)
def _text_cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(tags=set(), clean_content_tags=_NO_CONTENT - {"title"})


class _Filter:
    """What nh3 cannot say with lists: which frames may be embedded, and URLs inside srcset."""

    def __init__(self, base: str) -> None:
        self._base = base

    def __call__(self, tag: str, attribute: str, value: str) -> str | None:
        if tag == "iframe" and attribute == "src":
            return value if _may_embed(safe_url(value, self._base)) else None
        if attribute == "srcset":
            return _safe_srcset(value, self._base)
        return value


def _may_embed(url: str) -> bool:
    return bool(url) and urlsplit(url).hostname in IFRAME_HOSTS


def _safe_srcset(value: str, base: str) -> str | None:
    """Return the candidates whose URL is safe; a URL may hold commas, but not end with one (HTML §4.8.4.2.1)."""
    safe = []
    for candidate in re.split(r",\s+|(?<=[\dwxh]),", value):
        url, _, descriptor = candidate.strip().rstrip(",").partition(" ")
        if absolute := safe_url(url, base):
            safe.append(f"{absolute} {descriptor.strip()}".strip())
    return ", ".join(safe) or None
