"""The figures of a simulation, to print and to assert. Times in seconds since the start."""

import random
from dataclasses import dataclass, field

from tests.rigs.simulation.world import HOUR, OUTAGE, STORM, Feed, Host, World

SAMPLE = 200_000  # delays and latenesses kept of each kind
TOLERANCE = 1e-3  # seconds: datetimes know microseconds, floats of a week less


class Reservoir:
    """A sample of all numbers seen, each with the same chance."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.values: list[float] = []
        self.seen = 0

    def add(self, value: float) -> None:
        self.seen += 1
        if len(self.values) < SAMPLE:
            self.values.append(value)
        elif (position := int(self._rng.random() * self.seen)) < SAMPLE:
            self.values[position] = value

    def share(self, part: float) -> float:
        """Return the value below which this part of all lies."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


@dataclass(slots=True)
class Figures:
    """The books of one run."""

    polls: int = 0
    reads: int = 0
    unchanged: int = 0  # answered by 304
    waits: int = 0  # messages that met a busy host
    stormed: int = 0  # answers 429
    lost: int = 0  # messages, when everything was killed
    too_close: int = 0  # requests closer than the delay of their host
    early: int = 0  # polls before their time
    closest: float = float("inf")  # of two requests to one host, in delays
    burst: int = 0  # most requests of one host in one minute, single hosts aside
    burst_host: str = ""
    strict_burst: int = 0  # of the host that allows one a minute
    strict_longest: float = 0.0  # between two polls of one of its feeds
    strict_latest: float = 0.0  # of its feeds, behind what their own schedules said
    pause_ends: float = STORM[1]  # of the host of the storm
    strict_unserved: int = 0
    starved: int = 0
    delays: Reservoir = field(default_factory=lambda: Reservoir(1))  # from an entry's birth to the poll that sees it
    hourly_delays: Reservoir = field(default_factory=lambda: Reservoir(2))  # of feeds with several entries a day
    lateness: Reservoir = field(
        default_factory=lambda: Reservoir(3)
    )  # time between polls, less the queue, in intervals
    polls_by_minute: list[int] = field(default_factory=list)
    overdue_minutes: list[float] = field(default_factory=list)  # when something was due for more than a minute
    failing_queue: list[float] = field(default_factory=list)  # by minute: seconds that the biggest failing host has
    storming_queue: list[float] = field(default_factory=list)  # given away; and the host of the storm
    _before: int = 0

    def poll(self, feed: Feed, now: float) -> None:
        self.polls += 1
        feed.polls += 1
        host = feed.host
        if now < feed.due_at - TOLERANCE:
            self.early += 1
        if feed.polls > 1:
            self.lateness.add(_lateness(feed, now))
        if host.queue is not None:
            self._space(host, now)
        if host.name == "strict.example" and feed.polls > 1:
            self.strict_longest = max(self.strict_longest, now - feed.checked_at)
            self.strict_latest = max(self.strict_latest, now - feed.due_at)

    def _space(self, host: Host, now: float) -> None:
        between = now - host.last
        host.last = now
        host.requests += 1
        self.closest = min(self.closest, between / host.delay)
        self.too_close += between < host.delay - TOLERANCE
        minute = int(now // 60)
        host.in_minute = host.in_minute + 1 if minute == host.minute else 1
        host.minute = minute
        if host.name == "strict.example":
            self.strict_burst = max(self.strict_burst, host.in_minute)
        elif host.in_minute > self.burst:
            self.burst, self.burst_host = host.in_minute, host.name

    def read(self, feed: Feed, new: int, since: float, now: float, rng: random.Random) -> None:
        self.reads += 1
        self.unchanged += not new and feed.validators
        for _ in range(min(new, 10)):
            delay = rng.uniform(0, now - since)
            self.delays.add(delay)
            if feed.rate > 4 / (24 * HOUR):
                self.hourly_delays.add(delay)

    def tick(self, now: float, overdue: bool, failing_queue: float, storming_queue: float) -> None:
        self.failing_queue.append(failing_queue)
        self.storming_queue.append(storming_queue)
        self.polls_by_minute.append(self.polls - self._before)
        self._before = self.polls
        if overdue:
            self.overdue_minutes.append(now)

    def finish(self, world: World, now: float) -> None:
        """Count what never came."""
        for feed in world.feeds:
            latest = feed.due_at + 0.2 * (feed.due_at - feed.checked_at) + _queue(feed)
            self.starved += latest < now
            if feed.host is world.strict:
                self.strict_unserved += not feed.polls

    def lines(self, feeds: int) -> list[tuple[str, str]]:
        """Return the figures, each with its name."""
        minutes = self.polls_by_minute
        seconds = max(1, len(minutes)) * 60
        return [
            ("feeds", f"{feeds:,}"),
            (
                "polls",
                f"{self.polls:,}; {self.polls / seconds:.1f} a second, {max(minutes) / 60:.1f} in the fullest minute",
            ),
            ("share of 304", f"{self.unchanged / max(1, self.reads):.1%}"),
            ("requests closer than the delay", f"{self.too_close}; the closest were {self.closest:.4f} delays apart"),
            ("largest burst on a host", f"{self.burst} in a minute ({self.burst_host}, delay 1 s)"),
            (
                "strict host (delay 60 s)",
                f"at most {self.strict_burst} a minute; {self.strict_unserved} feeds never served;"
                f" {self.strict_longest / HOUR:.1f} h at most between two polls of a feed,"
                f" {self.strict_latest / HOUR:.1f} h at most in its queue",
            ),
            ("messages that met a busy host", f"{self.waits:,}: {self.waits / max(1, self.polls):.2f} for each poll"),
            ("delay of new entries", _minutes(self.delays)),
            ("… of feeds with over 4 a day", _minutes(self.hourly_delays)),
            (
                "time between polls, in intervals",
                f"median {self.lateness.share(0.5):.3f}, p99 {self.lateness.share(0.99):.3f} (less the host's queue)",
            ),
            ("polled early", str(self.early)),
            ("starved feeds", str(self.starved)),
            ("answers 429 in the storm", str(self.stormed)),
            ("messages lost in the restart", str(self.lost)),
            ("after the outage", self._after(OUTAGE[1], self.failing_queue)),
            ("after the storm", self._after(self.pause_ends, self.storming_queue)),
        ]

    def _after(self, moment: float, queue: list[float]) -> str:
        """Return how long the queue of a host was before and after an event, and how soon it was as before."""
        usual, longest, minutes = self.recovery(moment, queue)
        at = int(moment // 60)
        peak = max(self.polls_by_minute[at : at + 360] or [0]) / 60
        overdue = sum(moment <= minute < moment + 24 * HOUR for minute in self.overdue_minutes)
        return (
            f"its host's queue was {longest / 60:.0f} min long, as before ({usual / 60:.0f} min) after {minutes} min; "
            f"{peak:.1f} polls a second in the fullest minute, {overdue} min with a backlog"
        )

    def recovery(self, moment: float, queue: list[float]) -> tuple[float, float, int]:
        """Return the longest queue (s) of the day before an event ended and of the day after, and the recovery (min).

        The event itself is left out of the day before.
        """
        at = int(moment // 60)
        usual = max(queue[max(0, at - 1800) : max(1, at - 360)] or [0.0])
        after = queue[at : at + 1440]
        minutes = next((minute for minute, length in enumerate(after) if length <= max(usual, 60.0)), len(after))
        return usual, max(after, default=0.0), minutes


def _queue(feed: Feed) -> float:
    """Return the seconds for which its host's queue may postpone a feed: everybody else first, once."""
    host = feed.host
    if host.queue is None:
        return 120.0
    pause = STORM[1] - STORM[0] + HOUR if host.storms else 0.0
    return 120.0 + pause + host.feeds * max(host.delay, host.latency)


def _lateness(feed: Feed, now: float) -> float:
    planned = max(1.0, feed.due_at - feed.checked_at)
    return (now - feed.checked_at - (_queue(feed) if now > feed.due_at + 120 else 0.0)) / planned


def _minutes(sample: Reservoir) -> str:
    return f"median {sample.share(0.5) / 60:.0f} min, p99 {sample.share(0.99) / HOUR:.1f} h"
