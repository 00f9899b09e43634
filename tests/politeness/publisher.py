"""A publisher's side: answers out to whoever asks for one feed, and what there was to complain of.

The judge knows only the requests and its own answers, as a publisher does from the log of a web server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from django.utils.http import http_date

from tests.politeness.server import Pieces, Received, answer

LEAST_GAP = timedelta(hours=1)  # between two polls that nobody asked for
DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>{title}</title><id>urn:{title}</id><updated>2026-01-01T00:00:00Z</updated>
{entries}</feed>"""
ENTRY = "<entry><title>{name}</title><id>urn:{name}</id><updated>{date}</updated></entry>"
PAGE = '<!DOCTYPE html><html><head><title>A page</title>{links}</head><body><form action="/login"></form></body></html>'

Answer = bytes | Pieces
Reply = Answer | Callable[[Received], Answer]


def document(*names: str, title: str = "A feed", date: str = "2026-01-01T00:00:00Z") -> bytes:
    """Return an Atom document with an entry for each name."""
    return DOCUMENT.format(title=title, entries="".join(ENTRY.format(name=name, date=date) for name in names)).encode()


def busy(now: datetime, **headers: str) -> bytes:
    """Return an answer with a feed that has a new entry every two minutes."""
    moments = [now - timedelta(minutes=2 * number) for number in range(20)]
    entries = "".join(ENTRY.format(name=f"{at:%d%H%M%S}", date=f"{at:%Y-%m-%dT%H:%M:%SZ}") for at in moments)
    body = DOCUMENT.format(title="busy", entries=entries).encode()
    return answer(200, body, content_type="application/atom+xml", **headers)


def feed(*names: str, **headers: str) -> bytes:
    """Return an answer with a feed."""
    return answer(200, document(*(names or ("one",))), content_type="application/atom+xml", **headers)


def steady(reply: bytes) -> Reply:
    """Answer 304 to whoever has the reply already."""
    etag = Visit.said(Visit(datetime.min.replace(tzinfo=UTC), Received("GET", "", (), 0), reply), "etag")
    return lambda request: answer(304) if request.header("If-None-Match") == etag else reply


def page(*hrefs: str, **headers: str) -> bytes:
    """Return an answer with a page that names feeds."""
    links = "".join(f'<link rel="alternate" type="application/atom+xml" href="{href}">' for href in hrefs)
    return answer(200, PAGE.format(links=links).encode(), content_type="text/html", **headers)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, and what it was told."""

    at: datetime
    request: Received
    answer: bytes = b""  # b"" = it was sent piece by piece

    @property
    def status(self) -> int:
        return int(self.answer[9:12] or 0)

    @property
    def body(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[2]

    def said(self, name: str) -> str:
        """Return a header of the answer."""
        head = self.answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        values = (line.partition(": ") for line in head)
        return next((value for key, _, value in values if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a publisher has against a request; `rule` is the number of the rule that it breaks."""

    rule: str
    text: str


@dataclass(slots=True)
class Publisher:
    """One feed: its answers in their order, of which the last is given again and again."""

    url: str
    now: Callable[[], datetime]
    replies: Sequence[Reply]
    is_hurried: bool = False  # somebody asks for checks by hand, so they may come early
    is_shared: bool = False  # several feeds lead to it, so requests follow from different answers
    visits: list[Visit] = field(default_factory=list)

    def __call__(self, request: Received) -> Answer:
        reply = self.replies[min(len(self.visits), len(self.replies) - 1)]
        given = reply(request) if callable(reply) else reply
        self.visits.append(Visit(self.now(), request, given if isinstance(given, bytes) else b""))
        return given

    def gaps(self) -> list[timedelta]:
        """Return the times between the requests."""
        return [later.at - earlier.at for earlier, later in pairwise(self.visits)]

    def sent(self, name: str) -> list[str | None]:
        """Return a header of each request."""
        return [visit.request.header(name) for visit in self.visits]

    def complaints(self) -> Iterator[Complaint]:
        """Find fault with the requests."""
        faults = [*_with_each_request(self.visits)]
        if not self.is_shared:
            faults += _with_conditions(self.visits)
            faults += [] if self.is_hurried else _with_the_pace(self.visits)
        yield from (replace(fault, text=f"{self.url}: {fault.text}") for fault in faults)


def _with_conditions(visits: Iterable[Visit]) -> Iterator[Complaint]:
    etag = last_modified = ""
    may_forget = False  # a redirect led to another document, whose validators count from then on
    for visit in visits:
        for name, given in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
            sent = visit.request.header(name) or ""
            if sent and sent != given:
                yield Complaint("H1", f"{name} was {sent!r} where {given!r} had been given")
            elif given and not sent and not may_forget:
                yield Complaint("H2", f"{name} was missing where {given!r} had been given")
        if visit.request.header("A-IM") and not visit.request.header("If-None-Match"):
            yield Complaint("H23", "A-IM without If-None-Match")
        may_forget |= 300 < visit.status < 304
        if visit.status in (200, 226) and visit.body.startswith((b"<?xml", b"<rss")):
            etag, last_modified = visit.said("etag"), visit.said("last-modified")
        elif visit.status == 304:
            etag, last_modified = visit.said("etag") or etag, visit.said("last-modified") or last_modified


def _with_each_request(visits: Sequence[Visit]) -> Iterator[Complaint]:
    for visit in visits:
        for name in ("Cookie", "Referer"):
            if visit.request.header(name):
                yield Complaint("H10", f"{name} was sent")
        if visit.request.target != visits[0].request.target:
            yield Complaint("H10", f"{visit.request.target} was asked for instead of {visits[0].request.target}")
        if "gzip" not in (visit.request.header("Accept-Encoding") or ""):
            yield Complaint("H20", "gzip was not accepted")


def _with_the_pace(visits: Sequence[Visit]) -> Iterator[Complaint]:
    for earlier, later in pairwise(visits):
        if later.at - earlier.at < LEAST_GAP:
            yield Complaint("H11", f"it was asked for again after {later.at - earlier.at}")
        if later.at < earlier.at + _wished(earlier):
            rule = "H13" if earlier.said("retry-after") else "H12"
            yield Complaint(rule, f"it was asked for again after {later.at - earlier.at} instead of {_wished(earlier)}")


def _wished(visit: Visit) -> timedelta:
    """Return for how long a visitor was asked to stay away, a day at the most."""
    wish = visit.said("retry-after")
    if wish.endswith("GMT"):
        seconds = parsedate_to_datetime(wish).timestamp() - visit.at.timestamp()
    elif wish:
        seconds = float(wish)
    else:
        control = visit.said("cache-control").partition("max-age=")[2]
        seconds = float(control) if control.isdigit() else 0.0
    return timedelta(seconds=min(seconds, 86_400.0))


def date(moment: datetime) -> str:
    """Return a date as HTTP writes it."""
    return http_date(moment.timestamp())
