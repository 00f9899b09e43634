"""What an answer means: outcomes, freshness, Retry-After, the next hop of a redirect."""

import hashlib
import http.client
import re
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin

from urllib3 import HTTPHeaderDict

from feeds.canonical_urls import SplitURL, split_url
from feeds.exceptions import InvalidURL
from feeds.fetching.requests import NOT_IN_HEADER
from feeds.fetching.transport import DELTA, WHOLE, Answer
from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchOutcome, NotModified
from feeds.outcomes import FailureKind

LONGEST_RETRY_AFTER = 7 * 24 * 3600.0  # seconds
LONGEST_FRESHNESS = 366 * 24 * 3600.0  # seconds
MAX_VALIDATOR_LENGTH = 8_192  # characters


def next_hop(url: SplitURL, answer: Answer) -> SplitURL | str:
    """Return where a redirect leads, without credentials; or why it is not followed."""
    location = _first(answer.headers, "location")
    if not location:
        return f"the server answered {answer.status} without saying where to go"
    try:
        return replace(split_url(urljoin(str(url), _utf8(location.strip()))), userinfo="")
    except ValueError:
        return "a redirect leads to something that is no URL"
    except InvalidURL as error:
        return f"a redirect leads nowhere: {error}"


def _utf8(text: str) -> str:
    # Headers are read as Latin-1; a Location beyond ASCII is UTF-8 in practice.
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


_FAILURE_KINDS = {
    401: FailureKind.UNAUTHORIZED,
    403: FailureKind.FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    407: FailureKind.CONNECT,  # by a proxy: no server was reached
    410: FailureKind.GONE,
    426: FailureKind.PROTOCOL,  # another version of HTTP is asked for
    429: FailureKind.TOO_MANY,
    451: FailureKind.LEGAL,
    503: FailureKind.TOO_MANY,
    505: FailureKind.PROTOCOL,
}
_FAILURE_KINDS_OF_CLASSES = {3: FailureKind.REDIRECT, 4: FailureKind.CLIENT_ERROR, 5: FailureKind.SERVER_ERROR}


def fetch_outcome(request: FeedRequest, url: str, answer: Answer, now: float) -> FetchOutcome:
    """Return what the last answer means."""
    status = answer.status
    if status == HTTPStatus.NOT_MODIFIED:
        return _not_modified(request, url, answer, now)
    if status in WHOLE or _is_delta(request, answer):
        return _document(request, url, answer, now)
    later = retry_after(answer.headers, now)
    return Failed(kind=_failure_kind(status), text=_status_text(status), status=status, retry_after=later)


def _not_modified(request: FeedRequest, url: str, answer: Answer, now: float) -> NotModified | Failed:
    if not (request.etag or request.last_modified):
        text = "the server answered 304 (not modified) to a request without conditions"
        return Failed(kind=FailureKind.PROTOCOL, text=text, status=answer.status)
    return NotModified(
        url=url,
        etag=_validator(answer.headers, "etag") or request.etag,
        last_modified=_validator(answer.headers, "last-modified") or request.last_modified,
        max_age=freshness(answer.headers, now),
    )


def _document(request: FeedRequest, url: str, answer: Answer, now: float) -> Fetched | NotModified:
    headers = answer.headers
    etag, last_modified = _validator(headers, "etag"), _validator(headers, "last-modified")
    max_age = freshness(headers, now)
    digest = hashlib.blake2b(answer.body, digest_size=16).digest()
    if digest == request.body_digest:
        return NotModified(url=url, status=answer.status, etag=etag, last_modified=last_modified, max_age=max_age)
    return Fetched(
        url=url,
        body=answer.body,
        body_digest=digest,
        status=answer.status,
        content_type=_text(headers.get("content-type", "")),
        content_language=_text(headers.get("content-language", "")),
        etag=etag,
        last_modified=last_modified,
        max_age=max_age,
        links=tuple(_text(link) for link in headers.getlist("link")),
    )


def _is_delta(request: FeedRequest, answer: Answer) -> bool:
    manipulations = {name.partition(";")[0].strip().lower() for name in answer.headers.get("im", "").split(",")}
    return answer.status == DELTA and bool(request.etag) and manipulations == {"feed"}


def _failure_kind(status: int) -> FailureKind:
    return _FAILURE_KINDS.get(status) or _FAILURE_KINDS_OF_CLASSES.get(status // 100, FailureKind.PROTOCOL)


def _status_text(status: int) -> str:
    phrase = http.client.responses.get(status)  # not the server's own, which may be any text
    return f"the server answered {status} ({phrase})" if phrase else f"the server answered {status}"


def _first(headers: HTTPHeaderDict, name: str) -> str:
    return next(iter(headers.getlist(name)), "")


def _text(value: str) -> str:
    return NOT_IN_HEADER.sub("", value)


def _validator(headers: HTTPHeaderDict, name: str) -> str:
    """Return the header as received; "" where it could not be sent back, or stored."""
    value = _first(headers, name)
    return "" if len(value) > MAX_VALIDATOR_LENGTH or NOT_IN_HEADER.search(value) else value


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
