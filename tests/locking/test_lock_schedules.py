"""Of a run, a message in line and others that come meanwhile, many orders of their steps: no request is lost (T34).

The steps are questions to the store. Before each of them the others may take any number of theirs.
"""

import random
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from feeds.locking import lock

Steps = Generator[None, None, None]


class Memory:
    """A store in a dictionary, in which others act before each question is answered."""

    def __init__(self, others_act: Callable[[], None]) -> None:
        self.keys: dict[str, Any] = {}
        self._others_act = others_act

    def add(self, key: str, value: Any, timeout: Any = 0, version: Any = None) -> bool:
        self._others_act()
        return self.keys.setdefault(key, value) is value

    def get(self, key: str, default: Any = None, version: Any = None) -> Any:
        self._others_act()
        return self.keys.get(key, default)

    def delete(self, key: str, version: Any = None) -> bool:
        self._others_act()
        return self.keys.pop(key, None) is not None

    def compare_and_delete(self, key: str, value: Any) -> bool:
        self._others_act()
        return self.keys.get(key) == value and self.keys.pop(key) == value


class World:
    """What happened, in the order in which it did: requests, begins of runs."""

    def __init__(self, luck: random.Random | None = None) -> None:
        self.store = Memory(self.others_act)
        self.messages: list[Steps] = []
        self._luck = luck
        self.clock = 0
        self.requests: dict[str, int] = {}
        self.begins: list[int] = []
        self.line: list[str] = []  # messages that were put back

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def others_act(self) -> None:
        """Let other messages take some steps, if this world has luck."""
        while self._luck and self.messages and self._luck.random() < 0.4:
            message = self._luck.choice(self.messages)
            if not message.gi_running:
                next(message, None)


def deliver(world: World, owner: str, *, waited: bool = False) -> Steps:
    """Do what the middleware does with a message, one question to the store at a time; `yield` is where others act."""
    world.requests.setdefault(owner, world.tick())
    lease = lock.claim("key", owner, 600)
    yield
    answer = lock.acquire(world.store, lease)
    yield
    if isinstance(answer, lock.Acquired):
        yield from run(world, lease, owner, waited=waited)
        return
    assert isinstance(answer, lock.Busy)
    holder = lock.Token.parse(answer.holder)
    assert holder is not None
    if lock.wait_in_line(world.store, "key", owner, holder, 60):
        world.line.append(owner)


def run(world: World, lease: lock.Lease, owner: str, *, waited: bool) -> Steps:
    if waited:
        lock.leave_line(world.store, "key", owner)
        yield
    world.begins.append(world.tick())
    yield
    yield
    lock.release(world.store, lease)


def schedules(counts: list[int]) -> Iterator[list[int]]:
    """Yield every order in which so many steps of each can follow one another."""
    if not any(counts):
        yield []
    for number, count in enumerate(counts):
        if count:
            rest = [left - (each == number) for each, left in enumerate(counts)]
            yield from ([number, *tail] for tail in schedules(rest))


def begin(starts: list[tuple[str, bool]], luck: random.Random | None = None) -> World:
    world = World(luck)
    for owner, waited in starts:
        if waited:  # it was turned away before, and has its place in line
            world.requests[owner] = world.tick()
            world.store.keys[lock.place_in_line("key")] = owner
    world.messages = [deliver(world, owner, waited=waited) for owner, waited in starts]
    return world


def end(world: World) -> None:
    """Let all messages come to their end; those put back come again, one after the other."""
    for message in world.messages:
        for _ in message:
            pass
    world.messages = []
    while world.line:
        for _ in deliver(world, world.line.pop(0), waited=True):
            pass


def lost(world: World) -> list[str]:
    return [owner for owner, made in world.requests.items() if not any(begun > made for begun in world.begins)]


def test_t34_in_every_order_of_three_messages_a_run_begins_after_each_request():
    for schedule in schedules([4, 4, 4]):
        world = begin([("runs", False), ("waits", True), ("asks", False)])
        for number in schedule:
            next(world.messages[number], None)
        end(world)
        assert lost(world) == [], schedule


@pytest.mark.parametrize("seed", range(20))
def test_t34_in_many_orders_of_five_messages_and_all_their_questions_too(seed: int):
    luck = random.Random(seed)
    for number in range(200):
        world = begin([("waits", True), *((f"message-{number}", False) for number in range(4))], luck)
        while luck.random() < 0.95:
            next(luck.choice(world.messages), None)
        end(world)
        assert lost(world) == [], (seed, number)
