"""A URL of others made absolute, if a browser may go there."""

import re

from feeds.canonical_urls import MAX_URL_LENGTH, browser_url

# What means the same to every browser as it stands; it keeps its spelling, by which entries are known.
_ABSOLUTE = re.compile(
    r"https?://(?![\w.-]{0,250}xn--|[\w.-]{254})(?:[0-9A-Za-z_-]{1,63}\.){1,9}[A-Za-z][0-9A-Za-z-]{0,62}"
    r"(?:[/?#][^\[\]\\\s\"<>^`{|}\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*+)?"
)
_STRIPPED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def safe_url(value: str, base: str = "", *, mail: bool = False) -> str:
    """Return the URL, absolute and not too long, if it is http or https (or mailto, if `mail`); else an empty text."""
    if is_plain(value):
        return value
    if len(value) > MAX_URL_LENGTH:
        return ""
    text = _STRIPPED.sub("", value).strip().replace(" ", "%20")
    if not text or is_plain(text):
        return text
    url = browser_url(text, base)
    return url if url.startswith(("http://", "https://")) or (mail and url.startswith("mailto:")) else ""


def is_plain(url: str) -> bool:
    """Tell whether a URL is an absolute one of http(s) that needs no second look."""
    return len(url) <= MAX_URL_LENGTH and _ABSOLUTE.fullmatch(url) is not None
