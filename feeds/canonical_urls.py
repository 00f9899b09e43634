"""The one spelling of each URL, and URLs made fit for logs."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import unquote
from uuid import UUID

import ada_url

from feeds.exceptions import InvalidURL

MAX_URL_LENGTH = 8_000  # characters; RFC 9110 §4.1 asks everybody to support this many
MAX_HOST_LENGTH = 253  # characters, as written and as looked up (RFC 1035 §2.3.4)
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitURL:
    """The canonical URL in its parts."""

    scheme: str
    userinfo: str  # percent-encoded, without the at sign
    host: str  # lower case, punycode; an IPv6 address without brackets
    port: int
    target: str  # path and query

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def credentials(self) -> tuple[str, str]:
        """Return user name and password, decoded."""
        username, _, password = self.userinfo.partition(":")
        return unquote(username), unquote(password)

    @property
    def public(self) -> str:
        """Return the URL without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    def __str__(self) -> str:
        if not self.userinfo:
            return self.public
        return self.public.replace("://", f"://{self.userinfo}@", 1)


_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
# feed://host/ and feed:https://host/ are what subscribe buttons use; both mean http(s).
_FEED_SCHEME = re.compile(r"\Afeed:(?://)?(?=.)([a-z][a-z0-9+.-]*://)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def split_url(text: str) -> SplitURL:
    """Return the parts of the canonical form of `text`; raise InvalidURL where it is no http(s) URL."""
    text = text.strip().strip("\ufeff")
    if len(text) > MAX_URL_LENGTH:
        raise InvalidURL(f"the URL is longer than {MAX_URL_LENGTH:,} characters")
    if _CONTROL.search(text):
        raise InvalidURL("the URL has a control character or a line break in it; take that out")
    match = _URL.fullmatch(_FEED_SCHEME.sub(lambda feed: feed[1] or "http://", text))
    if not match:
        raise InvalidURL("this is no URL; write it in full, beginning with http:// or https://")
    scheme, authority, path, query = match[1].lower(), match[2], match[3], match[4] or ""
    if scheme not in DEFAULT_PORTS:
        raise InvalidURL(f"{scheme}: URLs are not fetched; it must begin with http:// or https://")
    if "\\" in authority:  # a slash to browsers, a character to others: so the host would depend on the reader
        raise InvalidURL("the URL has a backslash before its path; write slashes")
    userinfo, _, location = authority.rpartition("@")
    host, port = _host_and_port(location)
    split = SplitURL(
        scheme=scheme,
        userinfo=_NOT_IN_USERINFO.sub(_escaped, userinfo),
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        target=_without_dots(_NOT_IN_PATH.sub(_escaped, path)) + _NOT_IN_QUERY.sub(_escaped, query),
    )
    if len(str(split)) > MAX_URL_LENGTH:
        raise InvalidURL(f"the URL, percent-encoded, is longer than {MAX_URL_LENGTH:,} characters")
    return split


def canonical_url(text: str) -> str:
    """Return `text` as the one spelling of its URL (RFC 3986 §6.2.2, §6.2.3); raise InvalidURL where it is none.

    Query order, trailing slashes and credentials stay: servers may tell those apart. A canonical URL maps to itself.
    """
    return str(split_url(text))


def feed_url(text: str) -> str:
    """Return the canonical URL; where it is none, the stripped text, fit to be stored and shown, and still none."""
    try:
        return canonical_url(text)
    except InvalidURL:
        shown, controls = _CONTROL.subn("\N{REPLACEMENT CHARACTER}", text.strip())
        return f"no URL: {shown}" if controls else shown


def url_md5(url: str) -> UUID:
    """Return the digest that stands for the URL in keys: as a UUID, which databases keep and compare as 16 bytes."""
    return UUID(bytes=hashlib.md5(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest())


def host_key(url: str) -> str:
    """Return the host under which requests are counted and spaced; "" where the text is no URL."""
    try:
        return split_url(url).host
    except InvalidURL:
        return ""


def redacted(url: str) -> str:
    """Return the URL without credentials, fit for logs and people."""
    if "@" not in url:
        return url
    try:
        return split_url(url).public
    except InvalidURL:
        # Nobody knows where in such a text a password ends; what follows the last at sign cannot be part of it.
        return "…@" + url.rpartition("@")[2]


# What browsers send as it stands; all else is percent-encoded. A lone percent sign is encoded, too: left alone it
# could make a new escape with what follows, and the canonical form would not be stable.
_UNRESERVED = r"A-Za-z0-9\-._~"
_NOT_IN_USERINFO = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_UNRESERVED}!$&'()*+,;=:]")
_NOT_IN_PATH = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_UNRESERVED}!$&'()*+,;=:@/\[\]|]")
_NOT_IN_QUERY = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_UNRESERVED}!$&'()*+,;=:@/\[\]|?\\^`{{}}]")
_IS_UNRESERVED = re.compile(rf"[{_UNRESERVED}]")


def _escaped(match: re.Match[str]) -> str:
    """Return what stands for a character, or for an escape that is there."""
    piece = match[0]
    if len(piece) == 1:
        return "".join(f"%{byte:02X}" for byte in piece.encode())
    character = chr(int(piece[1:], 16))
    return character if _IS_UNRESERVED.fullmatch(character) else piece.upper()


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986 §5.2.4)."""
    return ada_url.URL(f"http://host{path}").pathname if "/." in path else path or "/"


_LOCATION = re.compile(r"(\[.*\]|[^:]*)(?::([0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_HOST = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#:]*)")  # of what ada-url wrote; an IPv6 address is cut short


def _host_and_port(location: str) -> tuple[str, int]:
    """Return the host, and the port that is named, or 0."""
    found = _LOCATION.fullmatch(location)
    if found is None or not 0 < int(found[2] or 1) < 65_536:
        raise InvalidURL("after the host's colon there must be a port from 1 to 65535")
    host, port = found.groups()
    if len(host) > MAX_HOST_LENGTH:
        raise InvalidURL("the host name is too long")
    return _ipv6_host(host) if host.startswith("[") else _named_host(host), int(port or 0)


def _ipv6_host(text: str) -> str:
    try:
        address = IPv6Address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise InvalidURL("what stands in brackets is no IPv6 address") from None
    if address.scope_id:
        raise InvalidURL("an IPv6 address in a URL must have no zone")
    # Python 3.13 writes mapped addresses otherwise than 3.12; as IPv4 they look alike everywhere.
    return str(address.ipv4_mapped or address)


def _named_host(text: str) -> str:
    """Return a host name in the letters to look it up with, or an IPv4 address, however it is spelled (WHATWG URL)."""
    if not text.rstrip("."):
        raise InvalidURL("the URL has no host; write it like https://example.org/feed")
    if not text.isascii() and any(unicodedata.category(letter)[0] in "CZ" for letter in text if letter not in _JOINERS):
        raise InvalidURL("the host name has an invisible character in it; take that out")
    # Browsers decode escapes, and read the digit that is missing after 0x as 0; servers write neither.
    found = None if _ODD_HOST.search(text) else _HOST.match(browser_url(f"http://{text.removesuffix('.')}/"))
    if not found:
        raise InvalidURL("the host name is empty in places, too long, or has characters that host names cannot have")
    return found[1]


_ODD_HOST = re.compile(r"%|(?:^|\.)0x\.?$", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # letters of some scripts


# As browsers do


def browser_url(text: str, base: str = "") -> str:
    """Return the absolute URL that a browser would go to, written anew from its parts (WHATWG URL).

    It is "" where there is none, and where it or its host is longer than a URL or a host may be: before anything is
    done that costs more than its length, and after host names were mapped, which makes some of them longer.
    """
    if len(text) > MAX_URL_LENGTH:
        return ""
    try:
        url = ada_url.join_url(base, text) if 0 < len(base) <= MAX_URL_LENGTH else ada_url.normalize_url(text)
    except ValueError:
        return browser_url(text) if base else ""
    host = _HOST.match(url)
    return url if len(url) <= MAX_URL_LENGTH and (host is None or _is_host(host[1])) else ""


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return True
    return len(host) <= MAX_HOST_LENGTH and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))
