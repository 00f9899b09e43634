"""Rules of redirects and of pages that name a feed."""

from datetime import datetime

import pytest

from feeds.fetching import Fetched, Redirect
from feeds.models import Alias
from feeds.outcomes import FailureKind
from feeds.planning import redirects
from tests.politeness.answers import NOT_MODIFIED, feed, page, steady
from tests.politeness.reader import Clock, Reader
from tests.politeness.server import PoliteServer
from tests.rigs.planning import feed_state
from tests.rigs.servers.feed_server import answer


@pytest.mark.slow
def test_a_permanent_redirect_is_followed_for_good_after_a_week(
    server: PoliteServer, reader: Reader, clock: Clock
) -> None:
    """Permanent redirects count after a week, never into private networks or out of TLS (RFC 9110 §15.4.2, §15.4.9)."""
    new = server.serve(steady(feed(etag='"1"'), '"1"'), host="www.old.example", shared=True)
    old = server.serve(answer(301, location=new.url), host="old.example")
    there = server.serve(feed("two", etag='"1"'), NOT_MODIFIED, host="there.example")
    temporary = server.serve(answer(302, location=there.url), host="temporary.example")
    reader.follow(old, temporary, days=6)
    assert reader.row(old).url == old.url
    reader.run(days=6)
    assert reader.row(old).url == new.url
    assert Alias.objects.filter(url=old.url).exists()
    assert reader.row(temporary).url == temporary.url

    twin = server.serve(feed("more", etag='"1"'), answer(301, location=new.url), host="old.example", target="/twin")
    reader.follow(twin, days=20)
    assert reader.row(twin) == reader.row(new)
    assert reader.titles(new) == {"one", "more"}, "two feeds of one site that became one are merged whole"

    stranger = server.serve(feed("forged", etag='"1"'), answer(301, location=new.url), host="stranger.example")
    reader.follow(stranger, days=20)
    assert reader.row(stranger).status_reason == f"moved to {new.url}"
    assert reader.titles(new) == {"one", "more"}, "a feed of another site changes nothing there"

    assert not counts("https://a.example/", "http://a.example/feed", now=clock.now())


def counts(old: str, new: str, *, now: datetime) -> bool:
    """Return what is decided of a redirect: our server has no certificate that would be trusted, and one address."""
    state = feed_state(old)
    hops = (Redirect(status=301, url=new),)
    fetched = Fetched(url=new, body=b"", body_digest=b"", redirects=hops)
    return redirects.streak(state, fetched, now) is not None


def test_redirects_end(server: PoliteServer, reader: Reader) -> None:
    """Five hops at most, no circles, no login to another origin (RFC 9110 §15.4, §11.6.2)."""
    hops = [server.serve(answer(302, location=f"/{number + 1}"), target=f"/{number}") for number in range(7)]
    end = server.serve(feed(), target="/7")
    circle = server.serve(answer(302, location="/b"), host="circle.example", target="/a")
    back = server.serve(answer(302, location="/a"), host="circle.example", target="/b")
    for start in (hops[0], circle):
        failure = reader.check(start.url).failure
        assert failure is not None
        assert failure.kind is FailureKind.REDIRECT
    assert not end.log
    assert len(back.log) == 1

    elsewhere = server.serve(feed(), host="elsewhere.example")
    server.serve(answer(302, location=elsewhere.url), host="login.example")
    reader.check(server.url(host="ann:secret@login.example"))
    assert elsewhere.sent("Authorization") == [None]


def test_a_new_feed_costs_one_request_and_a_page_one_more(server: PoliteServer, reader: Reader) -> None:
    """A new feed costs one request, a page with a feed two (HTML, link type alternate)."""
    served = server.serve(feed(etag='"1"'))
    start = server.serve(page("/comments/feed", "/feed"), host="page.example", target="/")
    found = server.serve(feed(etag='"1"'), host="page.example", target="/feed")
    comments = server.serve(feed(etag='"1"'), host="page.example", target="/comments/feed")
    reader.follow(served, start, hours=0.5)
    assert [len(each.log) for each in (served, start, found, comments)] == [1, 1, 1, 0]
    assert reader.row(start).url == found.url
