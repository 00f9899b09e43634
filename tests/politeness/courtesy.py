"""Rules of courtesy: who asks, how often, and who takes no for an answer."""

import re
from datetime import timedelta
from itertools import pairwise

from feeds.fetching import Fetched, Redirect
from feeds.models import Alias, Entry, Feed
from feeds.outcomes import FailureKind
from feeds.planning import redirects
from tests.politeness import publisher
from tests.politeness.publisher import Publisher, feed, page
from tests.politeness.rules import Rule
from tests.politeness.server import answer
from tests.politeness.stage import Stage
from tests.rigs.planning import feed_state

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOT_MODIFIED = answer(304)
USER_AGENT = re.compile(r"[\w.-]+/\S+ .*\+?https?://\S+")


def h10_nothing_extra(stage: Stage) -> str:
    cookie = "id=1; Max-Age=99999999"
    one = stage.publish(
        "h10", publisher.steady(feed(etag='"1"', set_cookie=cookie)), target="/feed?b=2&a=1&utm_source=x", shared=True
    )
    moved = stage.publish("h10-moved", answer(302, location=one.url + "#there", set_cookie=cookie))
    stage.subscribe(one.url + "#here", moved.url)
    stage.live(days=3)
    return "" if len(one.visits) > 3 else "it hardly came at all"


def h13_retry_after(stage: Stage) -> str:
    now = stage.clock.now
    asked: list[tuple[Publisher, timedelta]] = [
        (stage.publish("h13-429", answer(429, retry_after="14400"), feed()), 4 * HOUR),
        (stage.publish("h13-503", lambda _: answer(503, retry_after=publisher.date(now() + 5 * HOUR))), 5 * HOUR),
        (stage.publish("h13-302", answer(302, retry_after="10800", location="/elsewhere")), 3 * HOUR),
        (stage.publish("h13-past", answer(429, retry_after="-60"), feed()), timedelta()),
    ]
    absurd = stage.publish("h13-absurd", answer(429, retry_after="999999999"), feed())
    stage.publish("h13-302", feed(etag='"1"'), target="/elsewhere")
    stage.subscribe(*(one.url for one, _ in asked), absurd.url)
    stage.live(days=9)
    for one, wish in asked:
        if not one.gaps() or one.gaps()[0] < wish:
            return f"{one.url} was asked again after {one.gaps()[:1]} instead of {wish}"
    return "" if absurd.gaps() and absurd.gaps()[0] >= DAY else "an absurd Retry-After was not cut to days"


def h14_the_whole_host(stage: Stage) -> str:
    refused = stage.publish("h14", answer(429, retry_after="7200"), feed(etag='"1"'), target="/0")
    others = [stage.publish("h14", feed(etag='"1"'), target=f"/{number}") for number in range(1, 6)]
    stage.subscribe(refused.url)
    stage.live(hours=0.01)
    begun = refused.visits[0].at
    stage.subscribe(*(one.url for one in others))
    stage.live(hours=6)
    arrivals = sorted(one.visits[0].at for one in others if one.visits)
    if len(arrivals) < len(others):
        return "some feeds of the host did not come back"
    if arrivals[0] < begun + 2 * HOUR:
        return f"another feed of the host was asked for after {arrivals[0] - begun}"
    return "" if len(set(arrivals)) == len(arrivals) else "the feeds of the host came back together"


def h15_moved(stage: Stage) -> str:
    new = stage.publish("h15-new", publisher.steady(feed(etag='"1"')), shared=True)
    old = stage.publish("h15", answer(301, location=new.url))
    there = stage.publish("h15-there", feed("two", etag='"1"'), NOT_MODIFIED)
    temporary = stage.publish("h15-temporary", answer(302, location=there.url))
    stage.subscribe(old.url, temporary.url)
    stage.live(days=6)
    if stage.feed(old).url != old.url:
        return "a redirect was believed within a week"
    stage.live(days=6)
    if stage.feed(old).url != new.url:
        return "a redirect that was seen for days was not believed"
    if not Alias.objects.filter(url=old.url).exists():
        return "the old URL was forgotten"
    if stage.feed(temporary).url != temporary.url:
        return "a temporary redirect was believed"
    return _h15_merged(stage, new) or _h15_never(stage)


def _h15_merged(stage: Stage, new: Publisher) -> str:
    twin = stage.publish("h15-twin", feed("more", etag='"1"'), answer(301, location=new.url))
    stage.subscribe(twin.url)
    stage.live(days=20)
    titles = set(Entry.objects.filter(feed=stage.feed(new)).values_list("title", flat=True))
    same = stage.feed(twin).pk == stage.feed(new).pk
    return "" if same and titles == {"one", "more"} else "two feeds that became one were not merged whole"


def _h15_never(stage: Stage) -> str:
    """Ask the room that decides: our server has no TLS here, and only one address."""
    for old, new, into_private in (
        ("https://a.example/", "http://a.example/feed", False),
        ("https://a.example/", "https://10.0.0.1/", True),
    ):
        known = feed_state(old)
        hops = (Redirect(status=301, url=new),)
        fetched = Fetched(url=new, body=b"", body_digest=b"", redirects=hops, into_private=into_private)
        if redirects.streak(known, fetched, stage.clock.now()):
            return f"a redirect from {old} to {new} would be believed"
    return ""


def h16_chains(stage: Stage) -> str:
    for number in range(7):
        stage.publish("h16", answer(302, location=f"/{number + 1}"), target=f"/{number}")
    end = stage.publish("h16", feed(), target="/7")
    loop = stage.publish("h16-loop", answer(302, location="/b"), target="/a")
    back = stage.publish("h16-loop", answer(302, location="/a"), target="/b")
    for url in (stage.url("h16", "/0"), loop.url):
        report = stage.check(url)
        if report.failure is None or report.failure.kind is not FailureKind.REDIRECT:
            return f"{url} was followed without an end"
    if end.visits or len(back.visits) > 1:
        return "more than five hops were followed, or a circle"
    elsewhere = stage.publish("h16-elsewhere", feed())
    stage.publish("h16-login", answer(302, location=elsewhere.url))
    stage.check(stage.url("h16-login", userinfo="ann:secret"))
    return "a login was sent to another origin" if any(elsewhere.sent("Authorization")) else ""


def h17_ends(stage: Stage) -> str:
    gone = stage.publish("h17-gone", feed(etag='"1"'), answer(410))
    passing = stage.publish("h17-passing", feed(etag='"1"'), answer(410), feed("two", etag='"2"'))
    statuses = (401, 403, 404, 451, 500)
    failing = {status: stage.publish(f"h17-{status}", feed(etag='"1"'), answer(status)) for status in statuses}
    stage.subscribe(gone.url, passing.url, *(one.url for one in failing.values()))
    stage.live(days=14)
    row = stage.feed(gone)
    if row.status != Feed.Status.DISABLED or not row.status_reason or len(gone.visits) != 3 or gone.gaps()[1] < DAY:
        return f"after a 410 the feed is {row.status} with {len(gone.visits)} requests"
    if stage.feed(passing).status != Feed.Status.ACTIVE:
        return "a single 410 switched a feed off"
    for status, one in failing.items():
        if stage.feed(one).status != Feed.Status.ACTIVE:
            return f"{status} switched a feed off within two weeks"
        if len(one.visits) > 20:
            return f"after {status} it came {len(one.visits)} times in two weeks"
    lasting = [len(one.visits) for status, one in failing.items() if status < 500]
    if sum(lasting) / len(lasting) > len(failing[500].visits):
        return "what somebody has to repair is asked again more often than a server in trouble"
    return ""


def h18_user_agent(stage: Stage) -> str:
    one = stage.publish("h18", feed())
    stage.check(one.url)
    sent = one.sent("User-Agent")[0] or ""
    return "" if USER_AGENT.fullmatch(sent) else f"User-Agent was {sent!r}"


def h19_accept(stage: Stage) -> str:
    one = stage.publish("h19", feed())
    stage.check(one.url)
    types = [part.strip() for part in (one.sent("Accept")[0] or "").split(",")]
    wanted = {"application/atom+xml", "application/rss+xml", "application/feed+json"}
    return "" if wanted <= set(types) and types[-1].startswith("*/*;q=") else f"Accept was {types}"


def h21_one_at_a_time(stage: Stage) -> str:
    crowd = [stage.publish("h21", feed(etag='"1"'), target=f"/{number}") for number in range(20)]
    stage.subscribe(*(one.url for one in crowd))
    stage.live(hours=2)
    arrivals = sorted(visit.at for one in crowd for visit in one.visits)
    least = min(later - earlier for earlier, later in pairwise(arrivals))
    if len(arrivals) < len(crowd):
        return "some feeds of the host were not fetched"
    wanted = timedelta(seconds=stage.settings.host_delay)
    return "" if least >= wanted > timedelta() else f"two requests to one host lay {least} apart"


def h22_one_request(stage: Stage) -> str:
    one = stage.publish("h22", feed(etag='"1"'))
    found = stage.publish("h22-page", feed(etag='"1"'), target="/feed")
    other = stage.publish("h22-page", feed(etag='"1"'), target="/comments/feed")
    start = stage.publish("h22-page", page("/comments/feed", "/feed"), target="/")
    stage.subscribe(one.url, start.url)
    stage.live(hours=0.5)
    if len(one.visits) != 1:
        return f"a feed cost {len(one.visits)} requests"
    requests = [len(each.visits) for each in (start, found, other)]
    if requests != [1, 1, 0]:
        return f"a page, its feed and its comments cost {requests} requests"
    return "" if stage.feed(start).url == found.url else "the choice was not recorded"


def h24_jitter(stage: Stage) -> str:
    crowd = [stage.publish(f"h24-{number}", feed(etag='"1"'), NOT_MODIFIED) for number in range(20)]
    stage.subscribe(*(one.url for one in crowd))
    stage.live(days=4)
    seconds = [one.visits[2].at for one in crowd]
    spread = max(seconds) - min(seconds)
    return "" if spread > timedelta(minutes=10) else f"feeds added together still came within {spread}"


RULES = (
    Rule(
        number="H10",
        text="no cookie, no Referer, no fragment; the URL is asked for as it is",
        source="RFC 6265 §5.4, RFC 9110 §7.1, §10.1.3",
        trial=h10_nothing_extra,
    ),
    Rule(
        number="H13",
        text="Retry-After is obeyed in both forms, on 429, 503 and redirects",
        source="RFC 9110 §10.2.3, RFC 6585 §4",
        trial=h13_retry_after,
    ),
    Rule(
        number="H14",
        text="a 429 is meant for all feeds of the host; they come back one by one",
        source="RFC 6585 §4",
        trial=h14_the_whole_host,
    ),
    Rule(
        number="H15",
        text="permanent redirects are believed after a week, never into a private network or out of TLS",
        source="RFC 9110 §15.4.2, §15.4.9",
        trial=h15_moved,
    ),
    Rule(
        number="H16",
        text="five hops at the most, no circles, no login to another origin",
        source="RFC 9110 §15.4, §11.6.2",
        trial=h16_chains,
    ),
    Rule(
        number="H17",
        text="410 ends a feed once it is confirmed; 401, 403, 404, 451 and 5xx are asked ever more seldom",
        source="RFC 9110 §15.5, §15.6; RFC 7725",
        trial=h17_ends,
    ),
    Rule(
        number="H18",
        text="User-Agent says who asks and where to complain",
        source="RFC 9110 §10.1.5",
        trial=h18_user_agent,
    ),
    Rule(
        number="H19",
        text="Accept names the types of feeds, and */* last",
        source="RFC 9110 §12.5.1",
        trial=h19_accept,
    ),
    Rule(
        number="H21",
        text="one request to a host at a time, a gap in between",
        source="openrss.org/guides",
        trial=h21_one_at_a_time,
    ),
    Rule(
        number="H22",
        text="a new feed costs one request, a page with a feed two",
        source="HTML, link type alternate",
        trial=h22_one_request,
    ),
    Rule(
        number="H24",
        text="feeds that were added together drift apart",
        source="openrss.org/guides",
        trial=h24_jitter,
    ),
)
