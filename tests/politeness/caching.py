"""Rules of HTTP caching: what is asked for again, how, and when."""

import gzip
from datetime import datetime, timedelta

from feeds.models import Entry
from feeds.outcomes import FailureKind
from tests.politeness import publisher
from tests.politeness.publisher import Publisher, feed
from tests.politeness.rules import Rule
from tests.politeness.server import answer
from tests.politeness.stage import Stage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOT_MODIFIED = answer(304)


def h1_byte_for_byte(stage: Stage) -> str:
    etag, date = 'W/"a b\\c=,;"', "Someday, 32 Foo 2041 25:61 CEST"
    one = stage.follow("h1", feed(etag=etag, last_modified=date), NOT_MODIFIED, days=3)
    return _unlike(one, "If-None-Match", [None, etag, etag]) or _unlike(one, "If-Modified-Since", [None, date, date])


def h2_both(stage: Stage) -> str:
    one = stage.follow("h2", feed(etag='"1"', last_modified="Mon, 05 Jan 2026 10:00:00 GMT"), NOT_MODIFIED, days=2)
    second = one.visits[1].request
    return "" if second.header("If-None-Match") and second.header("If-Modified-Since") else "one of the two was missing"


def h3_together(stage: Stage) -> str:
    body = feed("one", etag='"1"', last_modified="Mon, 05 Jan 2026 10:00:00 GMT")
    one = stage.follow("h3", body, feed("one", etag='"2"'), feed("two", last_modified="whenever"), NOT_MODIFIED, days=6)
    return _unlike(one, "If-None-Match", [None, '"1"', '"2"', None]) or _unlike(
        one, "If-Modified-Since", [None, "Mon, 05 Jan 2026 10:00:00 GMT", None, "whenever"]
    )


def h4_refreshed_by_304(stage: Stage) -> str:
    one = stage.follow(
        "h4", feed(etag='"1"'), answer(304, etag='"2"', cache_control=f"max-age={20 * 3600}"), NOT_MODIFIED, days=4
    )
    if one.gaps()[1] < 20 * HOUR:
        return "the max-age of a 304 did not count"
    return _unlike(one, "If-None-Match", [None, '"1"', '"2"'])


def h5_only_from_what_was_stored(stage: Stage) -> str:
    one = stage.follow(
        "h5",
        feed(etag='"good"'),
        answer(404, b"<p>lost", etag='"error"'),
        publisher.page(etag='"login"'),
        answer(200, b"<feed><entry></feed", etag='"broken"', content_type="application/atom+xml"),
        NOT_MODIFIED,
        days=8,
    )
    return _unlike(one, "If-None-Match", [None, *['"good"'] * 4])


def h6_of_one_url(stage: Stage) -> str:
    first = stage.publish("h6-first", feed(etag='"first"'))
    second = stage.publish("h6-second", feed("two", etag='"second"'), NOT_MODIFIED)
    door = stage.publish("h6", answer(302, location=first.url), answer(302, location=second.url))
    stage.subscribe(door.url)
    stage.live(days=5)
    return _unlike(second, "If-None-Match", [None, '"second"']) or _unlike(door, "If-None-Match", [None] * 3)


def h7_first_without(stage: Stage) -> str:
    one = stage.follow("h7", feed(etag='"1"'), NOT_MODIFIED, days=2)
    return _unlike(one, "If-None-Match", [None, '"1"'])


def h8_by_hand_too(stage: Stage) -> str:
    one = stage.publish("h8", feed(etag='"1"'), NOT_MODIFIED, hurried=True)
    for _ in range(3):
        stage.check(one.url)
    return _unlike(one, "If-None-Match", [None, '"1"', '"1"'])


def h9_no_unconditional_refetch(stage: Stage) -> str:
    one = stage.follow("h9", feed(etag='"1"'), NOT_MODIFIED, days=60)
    return "" if None not in one.sent("If-None-Match")[1:] else "the whole document was asked for again"


def h11_once_an_hour(stage: Stage) -> str:
    now = stage.clock.now
    with_validators = stage.publish("h11", lambda _: publisher.busy(now(), etag=f'"{now():%d%H%M%S}"'))
    without = stage.publish("h11-without", lambda _: publisher.busy(now()))
    stage.subscribe(with_validators.url, without.url)
    stage.live(days=2.5)
    if len(with_validators.visits) < 10 or len(without.visits) < 3:
        return "it hardly came at all"
    if min(with_validators.gaps()) < HOUR:
        return f"polled after {min(with_validators.gaps())}"
    if min(without.gaps()) < DAY:
        return f"a server without validators was polled after {min(without.gaps())}"
    return ""


def h11_not_on_restart(stage: Stage) -> str:
    one = stage.publish("h11-restart", feed(etag='"1"'), NOT_MODIFIED)
    stage.subscribe(one.url)
    stage.live(hours=1)
    stage.restart()
    stage.live(hours=0.5)
    return "" if len(one.visits) == 1 else "a restart brought a poll"


def h12_hints(stage: Stage) -> str:
    now = stage.clock.now
    ttl = b"<rss version='2.0'><channel><title>t</title><ttl>900</ttl><item><guid>1</guid></item></channel></rss>"
    wishes: list[tuple[Publisher, timedelta]] = [
        (stage.publish("h12-max-age", feed(etag='"1"', cache_control="max-age=54000, public", age="3600")), 14 * HOUR),
        (stage.publish("h12-expires", lambda _: _expiring(now(), 15 * HOUR)), 15 * HOUR),
        (stage.publish("h12-ttl", answer(200, ttl, etag='"1"')), 15 * HOUR),
        (stage.publish("h12-past", feed(etag='"1"', expires="0", cache_control="no-cache")), HOUR),
        (stage.publish("h12-forever", feed(etag='"1"', cache_control="max-age=504576000")), 24 * HOUR),
    ]
    stage.subscribe(*(one.url for one, _ in wishes))
    stage.live(days=4)
    for one, wish in wishes:
        if not one.gaps():
            return f"{one.url} was never asked for again"
        if one.gaps()[0] < wish:
            return f"{one.url} was polled after {one.gaps()[0]} instead of {wish}"
    return ""


def _expiring(now: datetime, after: timedelta) -> bytes:
    return feed(etag='"1"', date=publisher.date(now - HOUR), expires=publisher.date(now - HOUR + after))


def h20_encodings(stage: Stage) -> str:
    zipped = answer(200, gzip.compress(publisher.document("one")), content_encoding="gzip", etag='"1"')
    one = stage.publish("h20", zipped)
    unknown = stage.publish("h20-unknown", answer(200, b"\x00\x01\x02", content_encoding="lzma", etag='"1"'))
    stage.subscribe(one.url, unknown.url)
    stage.live(hours=1)
    if Entry.objects.filter(feed=stage.feed(one)).count() != 1:
        return "a document in gzip was not read"
    if stage.feed(unknown).error_kind != FailureKind.ENCODING:
        return f"an unknown encoding ended as {stage.feed(unknown).error_kind or 'a success'}"
    accepted = (one.sent("Accept-Encoding")[0] or "").split(", ")
    return "" if {"gzip", "zstd"} <= set(accepted) else f"accepted are only {', '.join(accepted)}"


def h23_deltas(stage: Stage) -> str:
    delta = answer(226, publisher.document("two"), content_type="application/atom+xml", im="feed", etag='"2"')
    one = stage.publish("h23", feed("one", etag='"1"'), delta, NOT_MODIFIED)
    plain = stage.publish("h23-plain", feed(last_modified="Mon, 05 Jan 2026 10:00:00 GMT"), NOT_MODIFIED)
    stage.subscribe(one.url, plain.url)
    stage.live(days=4)
    if one.sent("A-IM")[:2] != [None, "feed"] or any(plain.sent("A-IM")):
        return "A-IM was not sent with an ETag, or without one"
    titles = set(Entry.objects.filter(feed=stage.feed(one)).values_list("title", flat=True))
    return "" if titles == {"one", "two"} else f"after the delta there were {sorted(titles)}"


def _unlike(publisher: Publisher, header: str, wanted: list[str | None]) -> str:
    """Compare what the first requests had under a header with what they should have; "" = the same."""
    sent = publisher.sent(header)[: len(wanted)]
    return "" if sent == wanted else f"{header} was {sent} instead of {wanted}"


RULES = (
    Rule(number="H1", text="validators go back byte for byte", source="RFC 9110 §8.8, §13.1", trial=h1_byte_for_byte),
    Rule(number="H2", text="both validators are sent when both are known", source="RFC 9110 §13.1.3", trial=h2_both),
    Rule(
        number="H3",
        text="every 200 replaces both validators together",
        source="RFC 9110 §8.8, RFC 9111 §4.3.3",
        trial=h3_together,
    ),
    Rule(
        number="H4",
        text="a 304 may refresh validators and freshness",
        source="RFC 9111 §4.3.4",
        trial=h4_refreshed_by_304,
    ),
    Rule(
        number="H5",
        text="nothing is kept of an error, a login page or a broken document",
        source="RFC 9111 §3",
        trial=h5_only_from_what_was_stored,
    ),
    Rule(number="H6", text="validators belong to one URL", source="RFC 9110 §8.8.1", trial=h6_of_one_url),
    Rule(
        number="H7",
        text="the first request is unconditional, the second is not",
        source="RFC 9110 §13.1.2",
        trial=h7_first_without,
    ),
    Rule(number="H8", text="a check by hand is conditional, too", source="RFC 9110 §13.1.2", trial=h8_by_hand_too),
    Rule(
        number="H9",
        text="no poll ever drops the conditions by itself",
        source="rachelbythebay.com/w/2024/08/17",
        trial=h9_no_unconditional_refetch,
    ),
    Rule(
        number="H11",
        text="one poll an hour at the most, one a day without validators, none because of a restart",
        source="rachelbythebay.com/fs/help",
        trial=lambda stage: h11_once_an_hour(stage) or h11_not_on_restart(stage),
    ),
    Rule(
        number="H12",
        text="max-age − Age, Expires − Date and ttl are waited for, a day at the most",
        source="RFC 9111 §4.2, §5.3; RSS 2.0",
        trial=h12_hints,
    ),
    Rule(
        number="H20",
        text="gzip and zstd are accepted, unknown encodings refused",
        source="RFC 9110 §8.4, §12.5.3",
        trial=h20_encodings,
    ),
    Rule(
        number="H23",
        text="A-IM: feed goes with an ETag only; a 226 is merged",
        source="RFC 3229 §10.5",
        trial=h23_deltas,
    ),
)
