"""One request at a time to a host, a delay apart, and slots for all that have to wait."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.fetching import ip_policy
from feeds.planning import schedule
from feeds.planning.values import HostState
from feeds.scheduling import rate_limit
from feeds.scheduling.rate_limit import Answer, Due, HostQueue

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FREE = HostQueue(delay=2.0, slot_at=NOW - timedelta(hours=1), free_at=NOW - timedelta(hours=1))
LONGEST = 60.0


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def enter(queue: HostQueue, *, at: float = 0.0, slot: datetime | None = None) -> Answer:
    return rate_limit.enter(queue, now=after(at), slot=slot, longest=LONGEST)


def left(answer: Answer, *, begun: float, ended: float) -> HostQueue:
    """Return the queue after the request has left."""
    assert answer.at is None
    free_at = rate_limit.leave(begun_at=after(begun), now=after(ended), delay=answer.queue.delay)
    return replace(answer.queue, free_at=free_at)


def waits(queue: HostQueue, count: int) -> list[float]:
    found = []
    for _ in range(count):
        answer = enter(queue)
        assert answer.at is not None
        found.append((answer.at - NOW).total_seconds())
        queue = answer.queue
    return found


def test_a_request_to_a_free_host_may_begin_at_once() -> None:
    assert enter(FREE).at is None


def test_one_connection_at_a_time() -> None:
    taken = enter(FREE).queue
    assert enter(taken, at=10.0).at is not None
    assert enter(taken, at=10.0, slot=after(9.0)).at is not None


def test_a_worker_that_dies_during_a_request_does_not_block_the_host_for_good() -> None:
    assert enter(enter(FREE).queue, at=LONGEST).at is None


def test_the_next_request_begins_a_delay_after_the_last_one_began() -> None:
    queue = left(enter(FREE), begun=0.0, ended=0.3)
    assert enter(queue, at=1.9).at is not None
    assert enter(queue, at=2.0).at is None


def test_a_slow_request_keeps_the_host_longer_than_the_delay() -> None:
    queue = left(enter(FREE), begun=0.0, ended=7.0)
    assert queue.free_at == after(7.0)


def test_a_message_that_has_to_wait_gets_a_slot_of_its_own() -> None:
    assert waits(enter(FREE).queue, 4) == pytest.approx([2.0, 4.1, 6.2, 8.3])


def test_a_message_is_admitted_in_its_slot_although_others_have_reserved_behind_it() -> None:
    queue = left(enter(FREE), begun=0.0, ended=0.1)
    first = enter(queue)
    assert first.at is not None
    queue = enter(first.queue).queue
    assert enter(queue, at=2.0, slot=first.at).at is None


def test_a_message_that_comes_before_its_slot_keeps_it() -> None:
    queue = left(enter(FREE), begun=0.0, ended=0.1)
    answer = enter(queue, at=3.0, slot=after(8.0))
    assert answer == Answer(queue=queue, at=after(8.0))


def test_a_message_whose_slot_was_taken_by_a_late_one_goes_next_and_not_to_the_end() -> None:
    queue = replace(FREE, slot_at=after(500.0), free_at=after(1.2))
    assert enter(queue, slot=after(-0.1)) == Answer(queue=queue, at=after(1.2))


def test_a_message_that_finds_a_request_under_way_in_its_slot_goes_next() -> None:
    queue = replace(FREE, slot_at=after(500.0), free_at=after(LONGEST))
    assert enter(queue, slot=NOW) == Answer(queue=queue, at=after(2.0))


def test_a_message_that_finds_a_long_request_under_way_gets_a_new_slot_so_that_no_crowd_gathers() -> None:
    queue = replace(FREE, slot_at=after(500.0), free_at=after(LONGEST))
    answer = enter(queue, at=5.0, slot=after(4.0))
    assert answer.at is not None
    assert answer.at == after(500.0)


def test_in_a_pause_all_messages_get_slots_behind_it() -> None:
    paused = replace(FREE, paused_until=after(600.0))
    assert waits(paused, 3) == pytest.approx([600.0, 602.1, 604.2])
    assert enter(paused, slot=NOW).at is not None


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, 120.0, 120.0),
        (503, 5.0, 5.0),
        (429, None, 600.0),
        (503, None, 60.0),
        (429, -9.0, 0.0),
        (429, 1e9, 86_400.0),
    ],
)
def test_how_long_a_host_is_paused(status: int, retry_after: float | None, seconds: float) -> None:
    assert schedule.host_pause(status, retry_after) == seconds


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "::1", "localhost", "rss-bridge", "nas.lan", "a.internal", ""]
)
def test_private_hosts_are_exempt(host: str) -> None:
    assert ip_policy.is_private_host(host)
    assert rate_limit.delay(host, None, 1.0) == 0.0


@pytest.mark.parametrize("host", ["example.org", "93.184.215.14", "2606:2800:21f::1", "xn--bcher-kva.example"])
def test_public_hosts_are_spaced(host: str) -> None:
    assert rate_limit.delay(host, None, 1.0) == 1.0


def applies(*, default: float = 1.0, name: str = "example.org", **known: object) -> bool:
    return rate_limit.applies(HostState(name=name, **known), default, NOW)  # type: ignore[arg-type]


def test_a_feed_alone_on_its_host_is_not_limited() -> None:
    assert not applies()
    assert applies(shared=True)


def test_a_delay_set_by_a_person_counts_even_for_private_hosts_and_single_feeds() -> None:
    assert applies(name="127.0.0.1", delay=5.0)
    assert not applies(shared=True, delay=0.0)


def test_without_a_delay_nothing_is_spaced_but_a_pause_still_holds() -> None:
    assert not applies(default=0.0, shared=True)
    assert applies(default=0.0, paused_until=after(1.0))
    assert not applies(paused_until=after(-1.0))


@pytest.mark.parametrize(
    ("at", "claimed", "dropped"),
    [(299.0, None, False), (301.0, None, True), (200.0, -300.0, False), (200.0, -500.0, True)],
)
def test_a_message_is_left_to_the_schedule_when_its_slot_is_far_or_its_claim_ends_before(
    at: float, claimed: float | None, dropped: bool
) -> None:
    claimed_at = None if claimed is None else after(claimed)
    assert rate_limit.is_for_the_schedule(at=after(at), now=NOW, claimed_at=claimed_at) is dropped


# A clock that was wrong

YEAR = 365 * 86_400.0  # seconds


@pytest.mark.parametrize("name", ["slot_at", "free_at", "paused_until"])
@pytest.mark.parametrize("delay", [0.0, 2.0, 86_400.0])
def test_a_time_further_ahead_than_it_can_be_counts_as_now(name: str, delay: float) -> None:
    queue = replace(FREE, delay=delay, **{name: after(YEAR)})
    believed = rate_limit.believed(queue, NOW)
    assert getattr(believed, name) == NOW
    assert enter(believed).at is None


@pytest.mark.parametrize(
    ("name", "seconds", "delay"),
    [
        ("slot_at", 13 * 86_400.0, 2.0),
        ("paused_until", 13 * 86_400.0, 2.0),
        ("free_at", LONGEST, 2.0),
        ("free_at", 86_400.0, 86_400.0),
    ],
)
def test_a_time_that_can_be_is_believed(name: str, seconds: float, delay: float) -> None:
    queue = replace(FREE, delay=delay, **{name: after(seconds)})
    assert rate_limit.believed(queue, NOW) == queue


def test_a_slot_further_ahead_than_it_can_be_is_none() -> None:
    assert enter(FREE, slot=after(YEAR)).at is None


# Many at once


def due(*hosts: str) -> list[Due]:
    return [Due(id=number, host=host) for number, host in enumerate(hosts)]


def test_hosts_alternate_in_a_batch() -> None:
    chosen = rate_limit.fair(due("a", "a", "a", "a", "b", "c"), 4)
    assert [feed.host for feed in chosen] == ["a", "b", "c", "a"]


def test_feeds_that_are_due_together_get_different_slots() -> None:
    slots, changed = rate_limit.assign(due("a", "a", "a", "b"), {"a": FREE, "b": FREE}, NOW)
    assert list(slots.values()) == [NOW, after(2.1), after(4.2)]
    assert set(changed) == {"a"}


def test_a_slot_reserved_earlier_is_kept() -> None:
    feed = Due(id=1, host="a", slot_at=after(30.0))
    slots, changed = rate_limit.assign([feed], {"a": replace(FREE, slot_at=after(500.0))}, NOW)
    assert (slots, changed) == ({1: after(30.0)}, {})
    assert rate_limit.is_soon(slots[1], NOW)


def test_a_slot_within_a_pause_is_given_up_for_one_behind_it() -> None:
    feed = Due(id=1, host="a", slot_at=after(30.0))
    slots, _ = rate_limit.assign([feed], {"a": replace(FREE, paused_until=after(600.0))}, NOW)
    assert slots == {1: after(600.0)}
    assert not rate_limit.is_soon(slots[1], NOW)


def test_a_slot_that_is_not_of_its_own_host_comes_along_with_the_feed() -> None:
    feed = rate_limit.Due(1, "a", slot_at=NOW)
    assert rate_limit.assign([feed], {}, NOW) == ({1: NOW}, {})


def test_hosts_that_are_not_spaced_need_no_slots() -> None:
    assert rate_limit.assign(due("a", "a"), {}, NOW) == ({}, {})


@given(
    comings=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 9), st.booleans()), min_size=1, max_size=60),
    delay=st.floats(0.1, 5),
)
def test_however_messages_come_no_two_requests_overlap_or_are_closer_than_the_delay(
    comings: list[tuple[float, float, bool]], delay: float
) -> None:
    queue = replace(FREE, delay=delay)
    slots: list[datetime] = []
    clock, ended, begun = 0.0, -1e6, -1e6
    for pass_by, takes, returns in comings:
        clock += pass_by
        if clock >= ended and begun > -1e6:
            queue = replace(queue, free_at=max(after(begun + delay), after(ended)))
        answer = enter(queue, at=clock, slot=slots.pop(0) if returns and slots else None)
        queue = answer.queue
        if answer.at is not None:
            slots.append(answer.at)
            continue
        assert clock >= ended - 1e-5
        assert clock - begun >= delay - 1e-5
        begun, ended = clock, clock + min(takes, LONGEST)
