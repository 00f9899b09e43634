"""FeedRequest in, FetchOutcome out: one conditional GET, redirects followed, whatever the server does a value.

`Fetcher` does; the functions below it decide, and take and return values only.
"""

import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urljoin

from urllib3 import HTTPHeaderDict

from feeds.addresses import AddressPolicy
from feeds.canonical_urls import SplitURL, split_url
from feeds.conf import FeedsSettings
from feeds.deadlines import Deadline, Patience
from feeds.documents import Failed, FeedRequest, Fetched, FetchOutcome, Gone, NotModified, Redirect, TooMany
from feeds.exceptions import InvalidURL
from feeds.names import GetAddressInfo
from feeds.outcomes import FailureKind
from feeds.transport import ACCEPT_ENCODING, Answer, Call, Limits, Transport, TransportError

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
PUBLIC = AddressPolicy()
LONGEST_RETRY_AFTER = 7 * 24 * 3600.0  # seconds
LONGEST_FRESHNESS = 366 * 24 * 3600.0  # seconds
MAX_VALIDATOR_LENGTH = 8_192  # characters
FOLLOWED = frozenset({301, 302, 303, 307, 308})
TOO_MANY = frozenset({429, 503})
WHOLE = frozenset({200, 203})  # 203: by a proxy that changed it; still the document
DELTA = 226

# What a feed's own headers cannot change: the framing of the message, the host whose address was checked, and what this
# module must know to understand the answer.
OWN_HEADERS = frozenset(
    {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Range"}
    | {"Accept-Encoding", "If-None-Match", "If-Modified-Since", "A-Im", "Proxy-Authorization"}
)


class Fetcher:
    """Fetches feeds. Safe to share between threads; keeps connections open for a moment for the next feed of a host."""

    def __init__(
        self,
        settings: FeedsSettings,
        *,
        clock: Callable[[], float] = time.time,
        getaddrinfo: GetAddressInfo | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock  # seconds since the epoch; dates in headers are measured by it
        self._user_agent = settings.user_agent or default_user_agent(settings.contact_url)
        limits = Limits(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_body_bytes=settings.max_body_bytes,
        )
        self._transport = Transport(limits, AddressPolicy(settings.allowed_networks), getaddrinfo)

    def fetch(self, request: FeedRequest, patience: Patience | None = None) -> FetchOutcome:
        """Fetch, and return what came of it before the deadline. Nothing that a server does is raised.

        `patience` may end the fetch before its deadline, in the same way.
        """
        try:
            plan = plan_calls(request, self._user_agent)
        except InvalidURL as error:
            return Failed(kind=FailureKind.INVALID_URL, text=str(error))
        hops: list[Redirect] = []
        seconds = self._settings.fetch_deadline if request.deadline is None else request.deadline
        try:
            with self._transport.deadline(seconds, patience) as deadline:
                return self._follow(request, plan, hops, deadline)
        except TransportError as error:
            return Failed(kind=error.kind, text=error.text, redirects=tuple(hops))

    def close(self) -> None:
        """Close the connections that wait for another request."""
        self._transport.close()

    def _follow(self, request: FeedRequest, plan: "CallPlan", hops: list[Redirect], deadline: Deadline) -> FetchOutcome:
        url = plan.start
        wait: float | None = None
        passed: list[str] = []  # addresses
        while True:
            answer = self._transport.get(plan.call(url), deadline)
            passed.append(answer.address)
            now = self._clock()
            if answer.status not in FOLLOWED:
                asked = plan.request_to(url)
                return outcome(asked, str(url), answer, tuple(hops), now=now, wait=wait, private=into_private(passed))
            # A redirect that asks for patience is followed now; what it asks for counts for the next check.
            wait = longer(wait, retry_after(answer.headers, now))
            target = next_hop(url, answer, [str(plan.start), *(hop.url for hop in hops)], self._settings.max_redirects)
            if isinstance(target, str):
                return Failed(
                    kind=FailureKind.REDIRECT,
                    text=target,
                    status=answer.status,
                    retry_after=wait,
                    redirects=tuple(hops),
                )
            hops.append(Redirect(status=answer.status, url=str(target)))
            url = target


# Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What the calls of one fetch have in common. URLs hold no credentials: those stand in `secret`."""

    request: FeedRequest
    start: SplitURL
    headers: dict[str, str | bytes]
    secret: dict[str, str | bytes]  # credentials and the feed's own headers, for the first origin only
    proxy: SplitURL | None
    verify_tls: bool

    def call(self, url: SplitURL) -> Call:
        """Return the call for one hop (RFC 9110 §15.4: Authorization must not follow to another origin)."""
        headers = self.headers | _conditions(self.request_to(url))
        if url.origin == self.start.origin:
            headers |= self.secret
        return Call(url=url, headers=headers, proxy=self.proxy, verify_tls=self.verify_tls)

    def request_to(self, url: SplitURL) -> FeedRequest:
        """Return the request with its validators, if they are this URL's (RFC 9110 §8.8.1), else without."""
        if str(url) == (self.request.validators_url or str(self.start)):
            return self.request
        return replace(self.request, etag="", last_modified="")


def plan_calls(request: FeedRequest, user_agent: str) -> CallPlan:
    """Return what to send; raise InvalidURL where a URL or a header of the feed cannot be used."""
    url = split_url(request.url)
    username, password = (request.username, request.password) if request.username else url.credentials
    headers: dict[str, str | bytes] = {
        "User-Agent": _encoded("User-Agent", request.user_agent or user_agent),
        "Accept": ACCEPT,
        "Accept-Encoding": ACCEPT_ENCODING,
    }
    secret: dict[str, str | bytes] = {}
    if username or password:
        secret["Authorization"] = "Basic " + b64encode(f"{username}:{password}".encode()).decode()
    for name, value in request.headers:
        if name.title() not in OWN_HEADERS:
            secret[name.title()] = _encoded(name, value)
    return CallPlan(
        request=request,
        start=replace(url, userinfo=""),
        headers=headers,
        secret=secret,
        proxy=_proxy(request.proxy),
        verify_tls=request.verify_tls,
    )


def _conditions(request: FeedRequest) -> dict[str, str | bytes]:
    conditions: dict[str, str | bytes] = {}
    if request.etag:
        # A delta is relative to the instance that If-None-Match names (RFC 3229 §10.5.3).
        conditions = {"If-None-Match": request.etag, "A-Im": "feed"}
    if request.last_modified:
        conditions["If-Modified-Since"] = request.last_modified
    return conditions


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _encoded(name: str, value: str) -> str | bytes:
    if not _HEADER_NAME.fullmatch(name):
        raise InvalidURL(f"the feed's own header {name[:40]!r} has a name that cannot be sent")
    if _NOT_IN_HEADER.search(value):
        raise InvalidURL(f"the feed's own header {name} has a line break or control character in its value")
    return value if value.isascii() else value.encode()


def _proxy(text: str) -> SplitURL | None:
    if not text:
        return None
    try:
        proxy = split_url(text)
    except InvalidURL as error:
        raise InvalidURL(f"the feed's proxy: {error}") from None
    if proxy.scheme != "http":
        raise InvalidURL("the feed's proxy must be an http:// URL; https feeds go through it in a tunnel")
    return proxy


@cache
def default_user_agent(contact_url: str) -> str:
    """Return who asks, and where its operator can be reached."""
    try:
        number = version("feeds-project")
    except PackageNotFoundError:
        number = "unreleased"  # run from a checkout that is not installed
    return f"feeds/{number} (+{contact_url})" if contact_url else f"feeds/{number} (no contact given)"


# Redirects


def next_hop(url: SplitURL, answer: Answer, visited: Sequence[str], max_redirects: int) -> SplitURL | str:
    """Return where a redirect leads, without credentials; or why it is not followed."""
    location = _first(answer.headers, "location")
    if not location:
        return f"the server answered {answer.status} without saying where to go"
    try:
        target = replace(split_url(urljoin(str(url), _utf8(location.strip()))), userinfo="")
    except ValueError:
        return "a redirect leads to something that is no URL"
    except InvalidURL as error:
        return f"a redirect leads nowhere: {error}"
    if str(target) in visited:
        return "redirects go in a circle"
    if len(visited) > max_redirects:
        return f"more than {max_redirects} redirects"
    return target


def into_private(addresses: Sequence[str]) -> bool:
    """Tell whether redirects have led from a public address to another; "" is one behind a proxy."""
    is_private = [bool(address) and not PUBLIC.allows(address) for address in addresses]
    return is_private[-1] and not all(is_private)


def _utf8(text: str) -> str:
    # Headers are read as Latin-1; a Location beyond ASCII is UTF-8 in practice.
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


# Answers

_FAILURE_KINDS = {
    401: FailureKind.UNAUTHORIZED,
    403: FailureKind.FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    407: FailureKind.UNAUTHORIZED,
    451: FailureKind.LEGAL,
}


def outcome(
    request: FeedRequest,
    url: str,
    answer: Answer,
    hops: tuple[Redirect, ...],
    *,
    now: float,
    wait: float | None = None,
    private: bool = False,
) -> FetchOutcome:
    """Return what the last answer means. `wait` is how many seconds the redirects before it asked for."""
    status = answer.status
    if status == HTTPStatus.NOT_MODIFIED:
        result = _not_modified(request, url, answer, hops, now, wait)
        return replace(result, into_private=private) if isinstance(result, NotModified) else result
    if status in WHOLE or _is_delta(request, answer):
        return replace(_document(request, url, answer, hops, now, wait), into_private=private)
    if status == HTTPStatus.GONE:
        return Gone(url=url, redirects=hops)
    later = longer(wait, retry_after(answer.headers, now))
    if status in TOO_MANY:
        return TooMany(url=url, status=status, retry_after=later, redirects=hops)
    return Failed(kind=_kind(status), text=_status_text(status), status=status, retry_after=later, redirects=hops)


def _not_modified(
    request: FeedRequest, url: str, answer: Answer, hops: tuple[Redirect, ...], now: float, wait: float | None
) -> FetchOutcome:
    if not (request.etag or request.last_modified):
        text = "the server answered 304 (not modified) to a request without conditions"
        return Failed(kind=FailureKind.PROTOCOL, text=text, status=answer.status, redirects=hops)
    return NotModified(
        url=url,
        redirects=hops,
        etag=_validator(answer.headers, "etag") or request.etag,
        last_modified=_validator(answer.headers, "last-modified") or request.last_modified,
        max_age=longer(freshness(answer.headers, now), wait),
    )


def _document(
    request: FeedRequest, url: str, answer: Answer, hops: tuple[Redirect, ...], now: float, wait: float | None
) -> Fetched | NotModified:
    headers = answer.headers
    etag, last_modified = _validator(headers, "etag"), _validator(headers, "last-modified")
    max_age = longer(freshness(headers, now), wait)
    digest = hashlib.blake2b(answer.body, digest_size=16).digest()
    if digest == request.body_digest:
        return NotModified(
            url=url, status=answer.status, redirects=hops, etag=etag, last_modified=last_modified, max_age=max_age
        )
    return Fetched(
        url=url,
        body=answer.body,
        body_digest=digest,
        status=answer.status,
        redirects=hops,
        content_type=_text(headers.get("content-type", "")),
        content_location=_text(headers.get("content-location", "")),
        content_language=_text(headers.get("content-language", "")),
        etag=etag,
        last_modified=last_modified,
        max_age=max_age,
        links=tuple(_text(link) for link in headers.getlist("link")),
    )


def _is_delta(request: FeedRequest, answer: Answer) -> bool:
    manipulations = {name.partition(";")[0].strip().lower() for name in answer.headers.get("im", "").split(",")}
    return answer.status == DELTA and bool(request.etag) and manipulations == {"feed"}


def _kind(status: int) -> FailureKind:
    if 400 <= status < 500:
        return _FAILURE_KINDS.get(status, FailureKind.CLIENT_ERROR)
    if 500 <= status < 600:
        return FailureKind.SERVER_ERROR
    return FailureKind.REDIRECT if 300 <= status < 400 else FailureKind.PROTOCOL


def _status_text(status: int) -> str:
    # Not the server's own reason phrase: that may be any text.
    try:
        return f"the server answered {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"the server answered {status}"


# Headers


def _first(headers: HTTPHeaderDict, name: str) -> str:
    values = headers.getlist(name)
    return values[0] if values else ""


def _text(value: str) -> str:
    return _NOT_IN_HEADER.sub("", value)


def _validator(headers: HTTPHeaderDict, name: str) -> str:
    """Return the header as received; "" where it could not be sent back, or stored."""
    value = _first(headers, name)
    return "" if len(value) > MAX_VALIDATOR_LENGTH or _NOT_IN_HEADER.search(value) else value


_UNUSABLE = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]+)", re.IGNORECASE)
_SECONDS = re.compile(r"\s*([+-]?[0-9]+)(?:\.[0-9]*)?\s*")


def freshness(headers: HTTPHeaderDict, now: float) -> float | None:
    """Return for how many seconds from now the answer stays fresh (RFC 9111 §4.2); None = it does not say so."""
    control = headers.get("cache-control", "")
    if _UNUSABLE.search(control):
        return None
    max_age = _MAX_AGE.search(control)
    if max_age:
        lifetime = _number(max_age[1])
    else:
        expires = _date(_first(headers, "expires"))
        if expires is None:
            return None
        lifetime = expires - (_date(_first(headers, "date")) or now)
    age = _SECONDS.fullmatch(_first(headers, "age"))
    fresh = lifetime - max(_number(age[1]), 0.0) if age else lifetime
    return min(fresh, LONGEST_FRESHNESS) if fresh > 0 else None


def retry_after(headers: HTTPHeaderDict, now: float) -> float | None:
    """Return how many seconds from now not to come back (RFC 9110 §10.2.3), at most a week; None = not said."""
    text = _first(headers, "retry-after")
    seconds = _SECONDS.fullmatch(text)
    if seconds:
        wait = _number(seconds[1])
    else:
        date = _date(text)
        if date is None:
            return None
        wait = date - now
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def longer(one: float | None, other: float | None) -> float | None:
    """Return the longer of two spans of which either may be missing."""
    return max((span for span in (one, other) if span is not None), default=None)


def _number(digits: str) -> float:
    return float(digits[:16])  # beyond that, all numbers of seconds are alike


def _date(text: str) -> float | None:
    """Return a date in any of HTTP's three forms as seconds since the epoch."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        # Zone -0000, and asctime which has none, give a naive date; both mean UTC here.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
