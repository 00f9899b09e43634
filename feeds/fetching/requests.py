"""What is sent: the headers of each hop of a fetch."""

import re
from base64 import b64encode
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from feeds.canonical_urls import SplitURL, split_url
from feeds.exceptions import InvalidURL
from feeds.fetching.connections import Call
from feeds.fetching.proxies import Choose, Proxies
from feeds.fetching.transport import ACCEPT_ENCODING
from feeds.fetching.values import FeedRequest

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
# What no feed can have as headers of its own: the framing of the message, the host whose address was checked, and what
# this module must know to understand the answer.
RESERVED_HEADERS = frozenset(
    {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Range"}
    | {"Accept-Encoding", "If-None-Match", "If-Modified-Since", "A-Im", "Proxy-Authorization"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What the calls of one fetch have in common. URLs hold no credentials: those stand in `secret`."""

    request: FeedRequest
    start: SplitURL
    headers: dict[str, str]
    secret: dict[str, str]  # credentials and the feed's own headers, for the first origin only
    proxy: Choose

    def call(self, url: SplitURL, cookie: str = "") -> Call:
        """Return the call for one hop (RFC 9110 §15.4: Authorization must not follow to another origin).

        `cookie` is what earlier hops have set; it stands behind the feed's own.
        """
        headers = self.headers | _conditions(self.request_to(url))
        if url.origin == self.start.origin:
            headers |= self.secret
        if cookie:
            own = headers.get("Cookie")
            headers["Cookie"] = f"{own}; {cookie}" if own else cookie
        return Call(url=url, headers=headers, proxy=self.proxy(url.host), verify_tls=self.request.verify_tls)

    def request_to(self, url: SplitURL) -> FeedRequest:
        """Return the request with its validators, if they are this URL's (RFC 9110 §8.8.1), else without."""
        if str(url) == (self.request.validators_url or str(self.start)):
            return self.request
        return replace(self.request, etag="", last_modified="")


def plan_calls(request: FeedRequest, user_agent: str, proxies: Proxies | None = None) -> CallPlan:
    """Return what to send; raise InvalidURL where a URL, a header or the proxy of the feed cannot be used."""
    url = split_url(request.url)
    try:
        proxy = (proxies or Proxies()).chosen(request.proxy)
    except InvalidURL as error:
        raise InvalidURL(f"the feed's proxy: {error}") from None
    username, password = (request.username, request.password) if request.username else url.credentials
    headers: dict[str, str] = {
        "User-Agent": _encoded("User-Agent", request.user_agent or user_agent),
        "Accept": ACCEPT,
        "Accept-Encoding": ACCEPT_ENCODING,
    }
    secret: dict[str, str] = {}
    if username or password:
        secret["Authorization"] = "Basic " + b64encode(f"{username}:{password}".encode()).decode()
    for name, value in request.headers:
        if name.title() not in RESERVED_HEADERS:
            secret[name.title()] = _encoded(name, value)
    return CallPlan(request=request, start=replace(url, userinfo=""), headers=headers, secret=secret, proxy=proxy)


def _conditions(request: FeedRequest) -> dict[str, str]:
    conditions: dict[str, str] = {}
    if request.etag:
        # A delta is relative to the instance that If-None-Match names (RFC 3229 §10.5.3).
        conditions = {"If-None-Match": request.etag, "A-Im": "feed"}
    if request.last_modified:
        conditions["If-Modified-Since"] = request.last_modified
    return conditions


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _encoded(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise InvalidURL(f"the feed's own header {name[:40]!r} has a name that cannot be sent")
    if NOT_IN_HEADER.search(value):
        raise InvalidURL(f"the feed's own header {name} has a line break or control character in its value")
    return value.encode().decode("latin-1")  # by which http.client encodes it again


def default_user_agent(contact_url: str) -> str:
    """Return the User-Agent: this program, and where its operator can be reached."""
    try:
        number = version("feeds-project")
    except PackageNotFoundError:
        number = "unreleased"  # run from a checkout that is not installed
    return f"feeds/{number} (+{contact_url})" if contact_url else f"feeds/{number} (no contact given)"
