"""Fetch a feed: one conditional GET, with its redirects. What is sent and what it means stand in files of their own."""

import time
from collections.abc import Callable

from feeds.exceptions import InvalidURL
from feeds.fetching.deadline import Deadline
from feeds.fetching.requests import CallPlan, default_user_agent, plan_calls
from feeds.fetching.resolver import GetAddressInfo
from feeds.fetching.responses import fetch_outcome, into_private, longer, next_hop, retry_after
from feeds.fetching.sockets import TransportError
from feeds.fetching.transport import Transport
from feeds.fetching.values import Allowance, Failed, FeedRequest, FetchOutcome, FetchSettings, Redirect
from feeds.outcomes import FailureKind

FOLLOWED = frozenset({301, 302, 303, 307, 308})


class Fetcher:
    """Fetches feeds. Safe to share between threads."""

    def __init__(
        self,
        settings: FetchSettings,
        *,
        clock: Callable[[], float] = time.time,
        getaddrinfo: GetAddressInfo | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock  # seconds since the epoch; dates in headers are measured by it
        self._user_agent = settings.user_agent or default_user_agent(settings.contact_url)
        self._transport = Transport(settings, getaddrinfo)

    def fetch(self, request: FeedRequest, allowance: Allowance | None = None) -> FetchOutcome:
        """Fetch, and return what came of it before the deadline. Nothing that a server does is raised.

        `allowance` may end the fetch before its deadline, in the same way.
        """
        try:
            plan = plan_calls(request, self._user_agent)
        except InvalidURL as error:
            return Failed(kind=FailureKind.INVALID_URL, text=str(error))
        hops: list[Redirect] = []
        seconds = self._settings.fetch_deadline if request.deadline is None else request.deadline
        try:
            return self._follow(request, plan, hops, Deadline(seconds, allowance))
        except TransportError as error:
            return Failed(kind=error.kind, text=error.text, redirects=tuple(hops))

    def _follow(self, request: FeedRequest, plan: CallPlan, hops: list[Redirect], deadline: Deadline) -> FetchOutcome:
        url = plan.start
        wait: float | None = None
        addresses: list[str] = []  # of the servers passed
        while True:
            answer = self._transport.get(plan.call(url), deadline)
            addresses.append(answer.address)
            now = self._clock()
            if answer.status not in FOLLOWED:
                asked = plan.request_to(url)
                return fetch_outcome(
                    asked, str(url), answer, tuple(hops), now=now, wait=wait, private=into_private(addresses)
                )
            # A redirect with a Retry-After is followed now; what it asks for counts for the next check.
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
