"""Fetch a feed: one conditional GET, with its redirects. What is sent and what it means stand in files of their own."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from feeds.exceptions import InvalidURL
from feeds.fetching.connections import Bounds, Call, Connector, is_public
from feeds.fetching.cookies import Cookies
from feeds.fetching.deadline import Deadline
from feeds.fetching.dialer import Connect, Dialer
from feeds.fetching.proxies import Proxies
from feeds.fetching.requests import CallPlan, default_user_agent, plan_calls
from feeds.fetching.resolver import GetAddressInfo
from feeds.fetching.responses import fetch_outcome, longer, next_hop, retry_after
from feeds.fetching.sockets import TransportError
from feeds.fetching.transport import Transport
from feeds.fetching.values import Admit, Allowance, Failed, FeedRequest, FetchOutcome, FetchSettings, Redirect, always
from feeds.outcomes import FailureKind

FOLLOWED = frozenset({301, 302, 303, 307, 308})


class Fetcher:
    """Fetches feeds. Safe to share between threads."""

    def __init__(
        self,
        settings: FetchSettings,
        *,
        clock: Callable[[], float] = time.time,
        getaddrinfo: GetAddressInfo = socket.getaddrinfo,
        connect: Connect = socket.socket.connect,
    ) -> None:
        """Raise ConfigurationError where the settings cannot be used."""
        self._settings = settings
        self._clock = clock  # seconds since the epoch; dates in headers are measured by it
        self._user_agent = settings.user_agent or default_user_agent(settings.contact_url)
        self._proxies = Proxies(settings.proxy, settings.no_proxy)
        connector = Connector(settings, Dialer(settings, getaddrinfo, connect))
        self._transport = Transport(connector, settings.max_body_bytes)

    def fetch(self, request: FeedRequest, allowance: Allowance | None = None, admit: Admit = always) -> FetchOutcome:
        """Fetch, and return what came of it before the deadline. Nothing that a server does is raised.

        `allowance` may end the fetch before its deadline, in the same way; and so does `admit`, which is asked before
        each request, for redirects too.
        """
        try:
            plan = plan_calls(request, self._user_agent, self._proxies)
        except InvalidURL as error:
            return Failed(kind=FailureKind.INVALID_URL, text=str(error))
        seconds = self._settings.fetch_deadline if request.deadline is None else request.deadline
        bounds = Bounds(deadline=Deadline(seconds, allowance), admit=admit, public_only=request.public_only)
        fetch = _Fetch(plan, bounds)
        try:
            outcome = self._follow(fetch)
        except TransportError as error:
            outcome = Failed(kind=error.kind, text=error.text)
        wait = longer(outcome.retry_after, fetch.wait)
        return replace(outcome, redirects=tuple(fetch.hops), retry_after=wait)

    def _follow(self, fetch: "_Fetch") -> FetchOutcome:
        """Follow redirects to an answer that is none. The same call, cookies and all, would only lead on as before."""
        url, calls = fetch.plan.start, list[Call]()
        while (call := fetch.plan.call(url, fetch.cookies.header(url))) not in calls:
            calls.append(call)
            answer = self._transport.get(call, fetch.bounds)
            if is_public(answer.address):
                fetch.bounds = replace(fetch.bounds, public_only=True)
            now = self._clock()
            if answer.status not in FOLLOWED:
                outcome = fetch_outcome(fetch.plan.request_to(url), str(url), answer, now)
                return outcome if isinstance(outcome, Failed) else replace(outcome, public=fetch.bounds.public_only)
            # A redirect with a Retry-After is followed now; what it asks for counts for the next check.
            fetch.wait = longer(fetch.wait, retry_after(answer.headers, now))
            fetch.cookies.take(url, answer.headers)
            target = next_hop(url, answer)
            if len(fetch.hops) >= self._settings.max_redirects:
                target = f"more than {self._settings.max_redirects} redirects"
            if isinstance(target, str):
                return Failed(kind=FailureKind.REDIRECT, text=target, status=answer.status)
            fetch.hops.append(Redirect(status=answer.status, url=str(target)))
            url = target
        return Failed(kind=FailureKind.REDIRECT, text="redirects go in a circle", status=fetch.hops[-1].status)


@dataclass(slots=True)
class _Fetch:
    """One fetch under way."""

    plan: CallPlan
    bounds: Bounds
    hops: list[Redirect] = field(default_factory=list)
    cookies: Cookies = field(default_factory=Cookies)
    wait: float | None = None  # seconds for which redirects asked not to come back
