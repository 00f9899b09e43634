"""Pictures: the candidates of a srcset, those that a script would load, and those that stand in the text itself."""

import re
from collections.abc import Callable, Iterator

MAX_CANDIDATES = 100  # of a srcset
MAX_DATA = 32 * 1024  # bytes of a picture that stands in a data: URL

_SPACE = " \t\n\f\r"
# A URL; and its descriptors, unless it ends with a comma. A comma in parentheses ends none.
_CANDIDATE = re.compile(rf"[{_SPACE},]*+([^{_SPACE}]++)((?<=,)|(?:[^,(]++|\([^)]*+\)?+)*+)")
_DATA = re.compile(r"data:image/(?:png|gif|jpeg|jpg|webp|avif);base64,[A-Za-z0-9+/]*+={0,2}", re.IGNORECASE)
_BLANK = re.compile(r"\s+")
_DESCRIPTOR = re.compile(r"\d{1,9}w(?:\s+\d{1,9}h)?|\d{1,9}(?:\.\d{1,9})?x")

# Where scripts that load pictures look for them, the likeliest first.
LAZY_SOURCES = ("data-src", "data-lazy-src", "data-original")
LAZY_SETS = ("data-srcset", "data-lazy-srcset")
_A_URL = re.compile(r"[^\s{}<>\"]+|(?:https?:)?/[^\t\n{}<>\"]+")


def candidates(srcset: str) -> Iterator[tuple[str, str]]:
    """Yield the URLs of a srcset with their descriptors (HTML §4.8.4.2.1: URLs end at white space)."""
    for candidate in _CANDIDATE.finditer(srcset.strip(f"{_SPACE},")):
        yield candidate[1].rstrip(","), candidate[2].strip(_SPACE)


def safe_srcset(srcset: str, safe: Callable[[str], str]) -> str:
    """Return the candidates whose URL is `safe`, which also makes it absolute; "" if none is."""
    kept = []
    for number, (url, descriptor) in enumerate(candidates(srcset)):
        if number == MAX_CANDIDATES:
            break
        absolute = safe(url)
        if absolute and (not descriptor or _DESCRIPTOR.fullmatch(descriptor)):
            kept.append(f"{absolute} {descriptor}".strip())
    return ", ".join(kept)


def data_picture(value: str) -> str:
    """Return a data: URL if it is a picture of a kind that cannot hold scripts, and small; else an empty text."""
    if len(value) > 2 * MAX_DATA:
        return ""
    url = _BLANK.sub("", value)
    return url if _DATA.fullmatch(url) and (len(url) - url.index(",")) * 3 // 4 <= MAX_DATA else ""


def load(attributes: dict[str, str]) -> bool:
    """Put the real URLs of a picture, film or frame where a script would put them; say whether there were any."""
    source = next((url for name in LAZY_SOURCES if _is_url(url := attributes.get(name, "").strip())), "")
    srcset = next((found for name in LAZY_SETS if (found := attributes.get(name, "").strip())), "")
    if srcset:
        attributes["srcset"] = srcset
        if not source and is_placeholder(attributes.get("src", "")):
            source = next(candidates(srcset), ("", ""))[0]
    if source:
        attributes["src"] = source
    return bool(source or srcset)


def _is_url(text: str) -> bool:
    return _A_URL.fullmatch(text) is not None and ("/" in text or "." in text)


def is_placeholder(source: str) -> bool:
    """Tell whether a picture shows nothing without a script."""
    return not source.strip() or source.lstrip().lower().startswith(("data:", "about:"))
