"""Cookies of one fetch and its hops: some servers redirect until they get the one that they set. None outlives it."""

import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import SimpleNamespace
from typing import Any
from urllib.request import Request

from urllib3 import HTTPHeaderDict

from feeds.canonical_urls import SplitURL

MAX_COOKIES = 50  # of one answer (RFC 6265 §6.1 asks for that many from a domain)
MAX_COOKIE_LENGTH = 4_096  # characters, with its attributes (RFC 6265 §6.1)
MAX_COOKIE_HEADER = 8_192  # characters; servers refuse a request with more

# What is no such attribute is ignored, as in browsers (RFC 6265 §5.2). http.cookiejar would ignore the cookie.
_ATTRIBUTE = re.compile(
    r"\s*(?:domain\s*=\s*\S+|path\s*=\s*/.*|expires\s*=.*|max-age\s*=\s*-?[0-9]{1,15}|secure(?:\s*=.*)?)\s*",
    re.IGNORECASE,
)


class Cookies:
    """The cookies of one fetch; the standard library decides to which URLs they are sent back."""

    def __init__(self) -> None:
        self._jar = CookieJar(
            # What names no domain is for its own host only, as in browsers (RFC 6265 §5.3).
            DefaultCookiePolicy(strict_domain=True, strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)
        )

    def take(self, url: SplitURL, headers: HTTPHeaderDict) -> None:
        """Keep what an answer sets."""
        given = [_usable(value) for value in headers.getlist("set-cookie") if len(value) <= MAX_COOKIE_LENGTH]
        usable = HTTPHeaderDict([("Set-Cookie", cookie) for cookie in given[:MAX_COOKIES]])
        answer: Any = SimpleNamespace(info=lambda: usable)  # as much of one as CookieJar asks for
        self._jar.extract_cookies(answer, _request(url))

    def header(self, url: SplitURL) -> str:
        """Return what is sent to a URL; "" = nothing."""
        if not self._jar:
            return ""
        request = _request(url)
        self._jar.add_cookie_header(request)
        header = request.get_header("Cookie", "")
        return header if len(header) <= MAX_COOKIE_HEADER else ""


def _usable(cookie: str) -> str:
    """Return a cookie with those of its attributes that can be read."""
    pair, *attributes = cookie.split(";")
    return ";".join([pair, *filter(_ATTRIBUTE.fullmatch, attributes)])


def _request(url: SplitURL) -> Request:
    return Request(url.public)  # noqa: S310  # http or https; nothing is opened here
