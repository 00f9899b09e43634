"""A model of the hosts and feeds out there.

What is modelled, and from where: feeds per host follow Zipf's law, most hosts have one; one host is like Reddit since
2026 (one request a minute); two feeds in five are dead; times between entries spread over four orders of magnitude.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp

from feeds.planning import DocumentState
from feeds.scheduling import rate_limit

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HOUR, DAY, WEEK = 3600.0, 24 * 3600.0, 7 * 24 * 3600.0  # seconds, as all times here: since START

BIGGEST_SHARE = 0.03  # of all feeds on the biggest host
STRICT_SHARE = 0.001  # of all feeds on the host that allows one request a minute
STRICT_DELAY = 60.0
CROWD = 500  # feeds of one host that somebody imports at once

OUTAGE = (2.0 * DAY, 2.25 * DAY)  # a twentieth of the hosts does not answer
STORM = (4.0 * DAY, 4.0 * DAY + 0.5 * HOUR)  # the biggest host answers 429
RESTART = 5.0 * DAY  # everything is killed, the broker loses all it holds
CROWD_AT = 3.0 * DAY


@dataclass(slots=True)
class Host:
    """A server."""

    name: str
    latency: float  # seconds, median
    feeds: int = 0
    delay: float = 1.0  # seconds
    fails: bool = False  # in the outage
    storms: bool = False
    queue: rate_limit.HostQueue | None = None  # None: it has one feed
    ends_at: float = 0.0  # of the last request
    free_at: datetime = START  # what `leave` says at its end
    last: float = -WEEK  # begin of the last request
    minute: int = -1
    in_minute: int = 0
    requests: int = 0


@dataclass(slots=True)
class Feed:
    """A feed as the database and as its author know it."""

    id: int
    host: Host
    rate: float  # entries per second
    validators: bool
    max_age: float | None  # seconds
    hints: DocumentState
    interval: int
    changed_at: float
    checked_at: float
    due_at: float  # as the schedule said, before it was postponed to a slot
    next_check_at: float
    slot_at: datetime | None = None
    failures: int = 0
    polls: int = 0
    claimed_at: float = -2 * WEEK  # never


@dataclass(slots=True)
class World:
    hosts: list[Host] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    strict: Host | None = None
    crowd: list[Feed] = field(default_factory=list)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def since_start(moment: datetime) -> float:
    return (moment - START).total_seconds()


def make_world(feeds: int, rng: random.Random) -> World:
    """Make hosts and feeds in the middle of their lives."""
    world = World()
    for size in _sizes(feeds):
        host = Host(name=f"host-{len(world.hosts)}.example", latency=0.3 * exp(rng.gauss(0, 0.8)))
        host.fails = rng.random() < 0.05
        _add_host(world, host, size, rng)
    world.hosts[0].storms = world.hosts[1].fails = True
    strict = Host(name="strict.example", latency=0.2, delay=STRICT_DELAY)
    _add_host(world, strict, max(100, int(feeds * STRICT_SHARE)), rng, busy=True)
    world.strict = strict
    crowd = Host(name="crowd.example", latency=0.3)
    _add_host(world, crowd, CROWD, rng)
    world.crowd = world.feeds[-CROWD:]
    for feed in world.crowd:
        feed.due_at = feed.next_check_at = feed.checked_at = CROWD_AT + DAY
        feed.interval = 0
    return world


def _sizes(feeds: int) -> list[int]:
    biggest = max(2, int(feeds * BIGGEST_SHARE))
    sizes: list[int] = []
    rest = feeds
    while rest > 0:
        sizes.append(min(rest, max(1, biggest // (len(sizes) + 1))))
        rest -= sizes[-1]
    return sizes


def _add_host(world: World, host: Host, size: int, rng: random.Random, *, busy: bool = False) -> None:
    host.feeds = size
    if size > 1:
        host.queue = rate_limit.HostQueue(delay=host.delay, slot_at=START, free_at=START)
    world.hosts.append(host)
    for _ in range(size):
        world.feeds.append(_feed(len(world.feeds), host, rng, busy=busy))


def _feed(number: int, host: Host, rng: random.Random, *, busy: bool) -> Feed:
    dead = not busy and rng.random() < 0.4
    between = 0.5 * HOUR if busy else DAY * exp(rng.gauss(0.7, 1.6))  # median two days
    silent = rng.uniform(30 * DAY, 900 * DAY) if dead else rng.expovariate(1 / between)
    interval = int(min(max(between / 2, HOUR), DAY))
    wait = rng.uniform(0, DAY if dead else max(interval, min(DAY, silent / 8)))
    return Feed(
        id=number,
        host=host,
        rate=0.0 if dead else 1 / between,
        validators=rng.random() < 0.9,
        max_age=rng.choice((None, None, None, None, 300.0, 3600.0, 14_400.0)),
        hints=_hints(rng),
        interval=interval,
        changed_at=-silent,
        checked_at=wait - DAY,
        due_at=wait,
        next_check_at=wait,
    )


def _hints(rng: random.Random) -> DocumentState:
    return DocumentState(
        ttl=rng.choice((None, None, None, 900, 3600)),
        update_period=rng.choice((None, None, 3600)),
        skip_hours=rng.choice((0,) * 49 + (0b111111,)),
        skip_days=rng.choice((0,) * 99 + (0b1100000,)),
    )
