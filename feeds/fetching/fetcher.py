"""Fetch a feed: one conditional GET, with its redirects. What is sent and what it means stand in files of their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from feeds.exceptions import InvalidURL
from feeds.fetching.deadline import Deadline
from feeds.fetching.requests import CallPlan, default_user_agent, plan_calls
from feeds.fetching.resolver import GetAddressInfo
from feeds.fetching.responses import fetch_outcome, into_private, longer, next_hop, retry_after
from feeds.fetching.sockets import TransportError
from feeds.fetching.transport import Transport
from feeds.fetching.values import Admit, Allowance, Failed, FeedRequest, FetchOutcome, FetchSettings, Redirect, at_once
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

    def fetch(self, request: FeedRequest, allowance: Allowance | None = None, admit: Admit = at_once) -> FetchOutcome:
        """Fetch, and return what came of it before the deadline. Nothing that a server does is raised.

        `allowance` may end the fetch before its deadline, in the same way; and so does `admit`, which is asked before
        each request, for redirects too.
        """
        try:
            plan = plan_calls(request, self._user_agent)
        except InvalidURL as error:
            return Failed(kind=FailureKind.INVALID_URL, text=str(error))
        seconds = self._settings.fetch_deadline if request.deadline is None else request.deadline
        fetch = _Fetch(plan, Deadline(seconds, allowance), admit)
        try:
            outcome = self._follow(fetch)
        except TransportError as error:
            outcome = Failed(kind=error.kind, text=error.text, redirects=tuple(fetch.hops))
        return replace(outcome, retry_after=longer(outcome.retry_after, fetch.wait))

    def _follow(self, fetch: "_Fetch") -> FetchOutcome:
        url = fetch.plan.start
        while True:
            answer = self._transport.get(fetch.plan.call(url), fetch.deadline, fetch.admit)
            fetch.addresses.append(answer.address)
            now = self._clock()
            if answer.status not in FOLLOWED:
                asked, private = fetch.plan.request_to(url), into_private(fetch.addresses)
                return fetch_outcome(asked, str(url), answer, tuple(fetch.hops), now=now, private=private)
            # A redirect with a Retry-After is followed now; what it asks for counts for the next check.
            fetch.wait = longer(fetch.wait, retry_after(answer.headers, now))
            target = next_hop(url, answer, fetch.passed, self._settings.max_redirects)
            if isinstance(target, str):
                hops = tuple(fetch.hops)
                return Failed(kind=FailureKind.REDIRECT, text=target, status=answer.status, redirects=hops)
            fetch.hops.append(Redirect(status=answer.status, url=str(target)))
            url = target


@dataclass(slots=True)
class _Fetch:
    """One fetch under way."""

    plan: CallPlan
    deadline: Deadline
    admit: Admit
    hops: list[Redirect] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)  # of the servers passed
    wait: float | None = None  # seconds for which redirects asked not to come back

    @property
    def passed(self) -> list[str]:
        """Return the URLs that were asked for."""
        return [str(self.plan.start), *(hop.url for hop in self.hops)]
