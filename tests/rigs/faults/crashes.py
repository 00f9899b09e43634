"""The faults that need real processes: workers killed at exact points, stopped, and cut off from their broker."""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.rigs.faults.crew import Crew
from tests.rigs.faults.rows import Row
from tests.rigs.faults.variants import Variant
from tests.rigs.faults.work import OTHERS, lock_key
from tests.rigs.history import unserved_afresh, violations
from tests.rigs.servers.proxy import Proxy
from tests.rigs.servers.rabbitmq import RabbitMQ

CRASHES: list[Row] = []

EXPIRE = 5  # seconds; the shortest there is
PATIENCE = EXPIRE + 10.0  # seconds after a kill until the message has run


class Node:
    """The RabbitMQ of the rows that need one, started before they are played."""

    running: RabbitMQ | None = None

    @classmethod
    def url(cls) -> str:
        assert cls.running is not None
        return cls.running.url


def crash(name: str) -> Callable[[Callable[..., list[str]]], Callable[..., list[str]]]:
    def add(play: Callable[..., list[str]]) -> Callable[..., list[str]]:
        CRASHES.append(Row(name=name, play=play))
        return play

    return add


def _killed_at(point: str, *, on_rabbitmq: bool = False) -> Callable[[Variant, Path], list[str]]:
    def play(variant: Variant, folder: Path) -> list[str]:
        with Crew(variant, folder, rabbitmq_url=Node.url() if on_rabbitmq else "", expire=EXPIRE) as crew:
            crew.stop_at(point)
            worker = crew.start()
            crew.send("a")
            crew.wait_at(point)
            worker.kill()
            crew.go_on(point)
            crew.start()
            return crew.settle(PATIENCE) or violations(crew.history()) or _left_behind(crew)

    return play


def _left_behind(crew: Crew) -> list[str]:
    return ["a: the lock is left behind"] if crew.locked("a") else []


def _deleted(crew: Crew) -> list[str]:
    return [] if crew.locked("a") else ["a: the lock of a run under way was deleted"]


crash("kill -9 between acquire and body (Redis)")(_killed_at("acquired"))
crash("kill -9 in the body (Redis)")(_killed_at("body"))
crash("kill -9 between release and ack (Redis)")(_killed_at("released"))
crash("kill -9 between acquire and body (RabbitMQ)")(_killed_at("acquired", on_rabbitmq=True))
crash("kill -9 in the body (RabbitMQ)")(_killed_at("body", on_rabbitmq=True))
crash("kill -9 between release and ack (RabbitMQ)")(_killed_at("released", on_rabbitmq=True))


@crash("SIGTERM, one second of grace, kill -9 (Redis)")
def terminated(variant: Variant, folder: Path) -> list[str]:
    with Crew(variant, folder, expire=8) as crew:
        crew.stop_at("body")
        worker = crew.start()
        crew.send("a")
        crew.wait_at("body")
        worker.end(signal.SIGTERM, grace=1.0)
        crew.go_on("body")
        crew.start()
        return crew.settle(8 + 10) or violations(crew.history()) or _left_behind(crew)


@crash("SIGSTOP of a worker until its lock has expired, SIGCONT (Redis)")
def stopped(variant: Variant, folder: Path) -> list[str]:
    # The time limit would strike first. Here it does not get to, as in a C call that lasts, so that the fence is seen.
    with Crew(variant, folder, expire=EXPIRE, limit_interval=60_000) as crew:
        crew.stop_at("body")
        sleeper = crew.start()
        crew.send("a")
        crew.wait_at("body")
        sleeper.tell(signal.SIGSTOP)
        crew.go_on("body")
        crew.wait_for(lambda: not crew.locked("a"), within=EXPIRE + 5, what="the lock has expired")
        crew.start()
        crew.send("a")
        # Both requests: the message that was left behind comes again, and the other may meet its run and wait.
        crew.wait_for(lambda: not unserved_afresh(crew.history()), within=PATIENCE, what="the other worker has run")
        crew.wait_for(lambda: not crew.locked("a"), within=EXPIRE, what="the lock is free again")
        crew.memcached.set(lock_key("a"), OTHERS, 60)
        sleeper.tell(signal.SIGCONT)
        ended = len(crew.history().runs)
        crew.wait_for(
            lambda: sum(run.ended is not None for run in crew.history().runs) >= ended, within=10, what="it has ended"
        )
        crew.wait_for(lambda: crew.outstanding() <= 0, within=PATIENCE, what="all messages are done with")
        taken = [] if crew.memcached.get(lock_key("a")) == OTHERS else ["a: another's lock was deleted"]
        return violations(crew.history(), overlaps_allowed=True) + taken


@crash("RabbitMQ connection cut while a run is under way: its message comes again")
def cut_off(variant: Variant, folder: Path) -> list[str]:
    with ExitStack() as stack:
        port = urlsplit(Node.url()).port
        assert port is not None
        proxy = stack.enter_context(Proxy(port))
        crew = stack.enter_context(Crew(variant, folder, rabbitmq_url=Node.url(), expire=8))
        crew.proxied_broker_url = crew.broker_url.replace(f":{port}/", f":{proxy.port}/")
        crew.stop_at("body")
        crew.start()
        crew.send("a")
        crew.wait_at("body")
        proxy.cut()
        crew.wait_for(lambda: crew.history().noted("ack"), within=10, what="the second delivery is put back")
        gone = _deleted(crew)
        crew.go_on("body")
        crew.wait_for(lambda: crew.history().served("a"), within=PATIENCE, what="the run has ended")
        crew.wait_for(lambda: crew.outstanding() <= 0, within=PATIENCE, what="all messages are done with")
        return gone + violations(crew.history())


class ImpatientRabbitMQ(RabbitMQ):
    """Gives a message back that is not acknowledged within two seconds; RabbitMQ's own default is half an hour."""

    def environment(self) -> dict[str, str]:
        often = self._file("advanced.config", "[{rabbit, [{channel_tick_interval, 500}]}].\n")  # looks at the time-out
        return super().environment() | {"RABBITMQ_ADVANCED_CONFIG_FILE": str(often)}

    def _configuration(self) -> str:
        return super()._configuration() + "consumer_timeout = 2000\n"


@crash("RabbitMQ's consumer_timeout passes while a run is under way")
def timed_out(variant: Variant, folder: Path) -> list[str]:
    with ExitStack() as stack:
        node = stack.enter_context(ImpatientRabbitMQ(folder))
        crew = stack.enter_context(Crew(variant, folder, rabbitmq_url=node.url, expire=12))
        crew.stop_at("body")
        crew.start()
        crew.send("a")
        crew.wait_at("body")
        crew.wait_for(lambda: crew.history().noted("ack"), within=10, what="the second delivery is put back")
        gone = _deleted(crew)
        crew.go_on("body")
        crew.wait_for(lambda: crew.history().served("a"), within=PATIENCE, what="the run has ended")
        return gone + violations(crew.history())
