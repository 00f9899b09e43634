"""Redirects wait for their turn at the host that they lead to, and names for that of the address that they share."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds import clock
from feeds.conf import feeds_settings
from feeds.fetching import Fetcher, FetchSettings
from feeds.importer import Importer, ImportRequest
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.planning import ImportReport
from feeds.scheduling import hosts, pacing
from feeds.scheduling.pacing import AddressQueues
from feeds.scheduling.rate_limit import SPACING
from tests.rigs.names import directory
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
MANY = 30
DELAY = 8.0  # seconds: on whatever machine an import takes less; 30 of them take less than `LONGEST_DELAY`


class Internet(FeedServer):
    """Answers for all hosts, each at an address of its own or that in `addresses`."""

    listens_on = "0.0.0.0"  # all of 127.0.0.0/8

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[str, str] = {}

    def handler(self, request: Received) -> Any:
        host = (request.header("Host") or "").partition(":")[0]
        return self.routes.get(host + request.target, answer(body=sample_feed(host, kind="atom")))

    def redirect(self, host: str, to: str) -> str:
        self.routes[f"{host}/feed"] = answer(301, location=self.url(host=to))
        return self.url(host=host)

    def address_of(self, host: str) -> str:
        return self.addresses.setdefault(host, f"127.0.1.{len(self.addresses) + 1}")

    def asked(self, host: str) -> int:
        return sum((each.header("Host") or "").startswith(f"{host}:") for each in self.received)


@pytest.fixture
def internet(settings: Any) -> Iterator[Internet]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with Internet() as server:
        yield server


@pytest.fixture
def importer(internet: Internet, settings: Any) -> Iterator[Importer]:
    settings.FEEDS_HOST_DELAY = DELAY
    chosen = feeds_settings()
    made = Importer(chosen, fetcher=Fetcher(chosen.part(FetchSettings), getaddrinfo=directory(internet.address_of)))
    yield made
    made.close()


def run(importer: Importer, url: str, slot: datetime | None = None) -> ImportReport:
    return importer.run(ImportRequest(url=url, slot=slot))


def test_many_redirects_to_one_host_get_a_slot_each_and_one_request_is_made(
    internet: Internet, importer: Importer
) -> None:
    urls = [internet.redirect(f"{number}.example", to="all.example") for number in range(MANY)]
    reports = [run(importer, url) for url in urls]
    assert internet.asked("all.example") == 1
    assert [report.outcome for report in reports] == [Outcome.IMPORTED] + [Outcome.DELAYED] * (MANY - 1)
    slots = [report.slot for report in reports if report.slot]
    assert len(slots) == MANY - 1
    assert max(slots) - min(slots) >= timedelta(seconds=DELAY * SPACING) * (MANY - 2)


def test_a_redirect_that_comes_back_with_its_slot_is_followed(internet: Internet, importer: Importer) -> None:
    first, second = (internet.redirect(f"{name}.example", to="all.example") for name in "ab")
    run(importer, first)
    slot = run(importer, second).slot
    assert slot is not None
    Host.objects.filter(name="all.example").update(free_at=timezone.now())
    assert run(importer, second, slot=timezone.now()).outcome is Outcome.IMPORTED


def test_a_feed_whose_redirect_has_to_wait_long_is_left_to_the_schedule_and_loses_nothing(
    internet: Internet, importer: Importer
) -> None:
    url = internet.redirect("a.example", to="b.example")
    run(importer, url)
    until = timezone.now() + HOUR
    Host.objects.filter(name="b.example").update(paused_until=until)
    report = run(importer, url)
    row = Feed.objects.get()
    assert (report.outcome, report.slot) == (Outcome.DELAYED, None)
    assert (row.slot_at, row.next_check_at, row.error_count) == (until, until, 0)
    assert (row.moved_to, row.moved_count) == (internet.url(host="b.example"), 1)
    assert internet.asked("b.example") == 1


def test_where_a_redirect_led_before_is_asked_before_the_first_request(internet: Internet, importer: Importer) -> None:
    url = internet.redirect("a.example", to="b.example")
    run(importer, url)
    Host.objects.filter(name="b.example").update(paused_until=timezone.now() + HOUR)
    assert run(importer, url).outcome is Outcome.DELAYED
    assert (internet.asked("a.example"), internet.asked("b.example")) == (1, 1)
    Host.objects.filter(name="b.example").update(paused_until=None, free_at=timezone.now(), slot_at=timezone.now())
    assert run(importer, url).outcome is not Outcome.DELAYED
    assert (internet.asked("a.example"), internet.asked("b.example")) == (2, 2)


def test_two_feeds_that_redirect_to_each_others_hosts_do_not_meet_for_ever(
    internet: Internet, importer: Importer
) -> None:
    url = internet.redirect("a.example", to="b.example")
    Host.objects.create(name="b.example", free_at=timezone.now() + timedelta(minutes=1))
    slots = []
    for jitter in (0.2, 0.8):
        importer._admission._jitter = lambda jitter=jitter: jitter
        slots.append(run(importer, url, slot=timezone.now()).slot)
    first, second = slots
    assert first is not None
    assert second is not None
    assert second - first > timedelta(seconds=5)


def test_a_chain_that_comes_back_to_a_host_asks_for_its_turn_once(internet: Internet, importer: Importer) -> None:
    internet.routes["b.example/feed"] = answer(302, location=internet.url("/end", "a.example"))
    assert run(importer, internet.redirect("a.example", to="b.example")).outcome is Outcome.IMPORTED


def test_a_redirect_within_a_host_needs_no_other_turn(internet: Internet, importer: Importer) -> None:
    internet.routes["a.example/old"] = answer(301, location="/feed")
    assert run(importer, internet.url("/old", "a.example")).outcome is Outcome.IMPORTED
    assert Host.objects.get().requests == 0


# Addresses


def test_names_that_lead_to_one_address_are_spaced(internet: Internet, importer: Importer) -> None:
    names = [f"{number}.example" for number in range(MANY)]
    internet.addresses = dict.fromkeys(names, "127.0.0.1")
    reports = [run(importer, internet.url(host=name)) for name in names]
    assert len(internet.received) == 1
    assert [report.outcome for report in reports] == [Outcome.IMPORTED] + [Outcome.DELAYED] * (MANY - 1)
    slots = [report.slot for report in reports if report.slot]
    assert max(slots) - min(slots) >= timedelta(seconds=DELAY * SPACING) * (MANY - 2)


def test_a_feed_that_comes_back_with_a_slot_of_an_address_is_fetched(internet: Internet, importer: Importer) -> None:
    internet.addresses = dict.fromkeys(("a.example", "b.example"), "127.0.0.1")
    run(importer, internet.url(host="a.example"))
    assert run(importer, internet.url(host="b.example"), slot=timezone.now()).outcome is Outcome.DELAYED
    importer._admission._addresses._queues.clear()
    assert run(importer, internet.url(host="b.example"), slot=timezone.now()).outcome is Outcome.IMPORTED


def test_addresses_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MAX_ADDRESSES", 3)
    queues = AddressQueues(1.0)
    for number in range(10):
        assert callable(queues.enter(f"10.0.0.{number}", "a.example", slot=None, deadline=60.0))
    assert isinstance(queues.enter("10.0.0.9", "b.example", slot=None, deadline=60.0), datetime)
    assert callable(queues.enter("10.0.0.0", "b.example", slot=None, deadline=60.0))
    assert len(queues._queues) == 3


def test_an_address_spaces_different_hosts_only(internet: Internet, importer: Importer) -> None:
    outcomes = [run(importer, internet.url(host="a.example")).outcome for _ in range(3)]
    assert Outcome.DELAYED not in outcomes


def test_without_a_delay_no_address_is_asked(internet: Internet, settings: Any) -> None:
    settings.FEEDS_HOST_DELAY = 0
    chosen = feeds_settings()
    importer = Importer(chosen, fetcher=Fetcher(chosen.part(FetchSettings), getaddrinfo=directory(internet.address_of)))
    internet.addresses = dict.fromkeys(("a.example", "b.example"), "127.0.0.1")
    assert [run(importer, internet.url(host=f"{name}.example")).outcome for name in "ab"] == [Outcome.IMPORTED] * 2


def test_an_address_in_a_url_and_a_name_that_leads_there_are_spaced(internet: Internet, importer: Importer) -> None:
    queues = importer._admission._addresses
    assert callable(queues.enter("93.184.216.34", "93.184.216.34", slot=None, deadline=60.0))
    assert isinstance(queues.enter("93.184.216.34", "a.example", slot=None, deadline=60.0), datetime)


# Hosts without feeds


def test_hosts_that_only_redirects_led_to_are_forgotten_in_the_end(internet: Internet, importer: Importer) -> None:
    run(importer, internet.redirect("a.example", to="b.example"))
    Host.objects.create(name="slow.example", delay=60.0)
    Host.objects.create(name="tired.example", paused_until=timezone.now() + 100 * HOUR)
    hosts.forget(timezone.now() + HOUR)
    assert Host.objects.filter(name="b.example").exists()
    hosts.forget(timezone.now() + 30 * HOUR)
    assert set(Host.objects.values_list("name", flat=True)) == {"a.example", "slow.example", "tired.example"}


def test_a_paused_host_is_waited_for_where_times_are_naive(settings: Any) -> None:
    settings.USE_TZ = False
    now = clock.now()
    Host.objects.create(name="paused.example", slot_at=now, free_at=now, paused_until=now + timedelta(hours=1))
    answer = hosts.enter_by_name("paused.example", slot=None, default_delay=1.0, deadline=60.0)
    assert answer == now + timedelta(hours=1)
