"""What servers answer: feeds, pages, dates."""

from datetime import UTC, datetime, timedelta

from django.utils.http import http_date

from tests.rigs.servers.feed_server import Handler, Received, answer

FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>{title}</title><id>urn:{title}</id><updated>2026-01-01T00:00:00Z</updated>
{entries}</feed>"""
ENTRY = "<entry><title>{name}</title><id>urn:{name}</id><updated>{date}</updated></entry>"
PAGE = '<!DOCTYPE html><html><head><title>A page</title>{links}</head><body><form action="/login"></form></body></html>'
ATOM = "application/atom+xml"

NOT_MODIFIED = answer(304)


def document(*names: str) -> bytes:
    """Return an Atom document with an entry for each name."""
    entries = "".join(ENTRY.format(name=name, date="2026-01-01T00:00:00Z") for name in names)
    return FEED.format(title="A feed", entries=entries).encode()


def feed(*names: str, **headers: str) -> bytes:
    """Return an answer with a feed; without names it has one entry."""
    return answer(200, document(*(names or ("one",))), content_type=ATOM, **headers)


def busy_feed(now: datetime, **headers: str) -> bytes:
    """Return an answer with a feed that has a new entry every two minutes."""
    moments = [now - timedelta(minutes=2 * number) for number in range(20)]
    entries = "".join(ENTRY.format(name=f"{at:%d%H%M%S}", date=f"{at:%Y-%m-%dT%H:%M:%SZ}") for at in moments)
    return answer(200, FEED.format(title="busy", entries=entries).encode(), content_type=ATOM, **headers)


def steady(reply: bytes, etag: str) -> Handler:
    """Return a handler that sends the reply, or 304 to a request with its ETag."""

    def handler(request: Received) -> bytes:
        return NOT_MODIFIED if request.header("If-None-Match") == etag else reply

    return handler


def page(*hrefs: str, **headers: str) -> bytes:
    """Return an answer with an HTML page that names feeds."""
    links = "".join(f'<link rel="alternate" type="{ATOM}" href="{href}">' for href in hrefs)
    return answer(200, PAGE.format(links=links).encode(), content_type="text/html", **headers)


def http(moment: datetime) -> str:
    """Return a date as HTTP writes it."""
    return http_date(moment.astimezone(UTC).timestamp())
