"""Documents built to do harm: each comes to an end, in little memory."""

import os
import threading
from collections.abc import Callable

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import parser
from feeds.parsing.values import ParsedFeed, Unreadable
from tests.rigs.feeds import rss as feed
from tests.rigs.golden import fetched
from tests.rigs.hostile_documents import STORED, of_number, stored
from tests.rigs.parsing_children import MEGABYTE, OPEN, Family, children, item, rss
from tests.rigs.servers import processes


class Memory:
    """Looks at the children's memory again and again."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max([self.peak, *map(processes.memory, children(os.getpid()))])


def bomb() -> bytes:
    """Return 1 GB in eight lines."""
    lines = [b'<!ENTITY a0 "' + b"a" * 10 + b'">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)]
    return b"<!DOCTYPE rss [" + b"\n".join(lines) + b"]>" + item(b"<title>&a8;</title>")


def quadratic_bomb() -> bytes:
    entity = b'<!ENTITY a "' + b"a" * 100_000 + b'">'
    return b"<!DOCTYPE rss [" + entity + b"]>" + item(b"<title>" + b"&a;" * 10_000 + b"</title>")


LARGE: dict[str, Callable[[], bytes]] = {
    "an author of 60 kB": lambda: item(b"<author>" + b"a" * 60_000 + b"@x (y)</author>"),
    "100,000 attributes": lambda: item(b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>"),
    "100,000 nested tags": lambda: item(b"<a>" * 100_000 + b"</a>" * 100_000),
    "100,000 nested tags in a text": lambda: item(
        b"<description><![CDATA[" + b"<div>" * 100_000 + b"]]></description>"
    ),
    "entities of 1 GB": bomb,
    "long entities of 1 GB": quadratic_bomb,
    "100,000 items": lambda: rss(b"".join(b"<item><guid>%d</guid></item>" % n for n in range(100_000))),
    "10 MiB of noise": lambda: os.urandom(10 * MEGABYTE),
    "10 MiB of comment openers": lambda: OPEN + b"<!--" * (10 * MEGABYTE // 4),
    "10 MiB of JSON items": lambda: b'{"version":"https://jsonfeed.org/version/1","items":[' + b'{"id":1},' * MEGABYTE,
    "10 MiB of nested JSON": lambda: b'{"items":' + b"[" * 10 * MEGABYTE,
    "10 MiB of zeros": lambda: bytes(10 * MEGABYTE),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_every_document_comes_to_an_end_and_in_little_memory(family: Family, name: str) -> None:
    body = LARGE[name]()
    with Memory() as memory:
        result = family.parse(body)
    assert memory.peak < 250 * MEGABYTE
    assert isinstance(result, ParsedFeed) or result.kind in (FailureKind.HOSTILE, FailureKind.NOT_A_FEED)


SMALL = {
    "author": feed(f"<item><author>{'a' * 60_000}@example.com</author></item>"),
    "author, not well-formed": feed(f"&nbsp;<item><author>{'a.' * 30_000}@example.com</author></item>"),
    "attributes": feed("<item><x " + " ".join(f'a{n}=""' for n in range(100_000)) + "/></item>"),
    "attributes, not well-formed": feed("&nbsp;<item><x " + " ".join(f'a{n}=""' for n in range(100_000)) + "/></item>"),
    "nested": feed("<item>" + "<x>" * 100_000 + "</x>" * 100_000 + "</item>"),
    "nested, not well-formed": feed("&nbsp;<item>" + "<x>" * 100_000),
    "nested HTML": feed(f"<item><description>{'&lt;div&gt;' * 100_000}</description></item>"),
    "items": feed("<item><title>x</title></item>" * 100_000),
    "laughs": '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + feed("<item><title>&b;</title></item>"),
    "long entity": f'<!DOCTYPE r [<!ENTITY a "{"a" * 999}">]>' + feed(f"<item><title>{'&a;' * 300_000}</title></item>"),
    "blank lines": '<?xml version="1.0"?>' + "\n" * 1_000_000 + feed(""),
    "categories": feed(f"<item>{''.join(f'<category>{n}</category>' for n in range(50_000))}</item>"),
    "openers": feed("&nbsp;<item><title>" + "<!--" * 20_000 + "<![CDATA[" * 20_000),
    "openers in a comment": feed("<item><!--" + "<![CDATA[" * 100_000 + "--></item>"),
    "names": feed("<item>" + "<a:b:c" * 50_000 + "</item>"),
    "quotes": feed("&nbsp;<item><title>" + '<a b="' * 20_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("body", SMALL.values(), ids=SMALL)
def test_every_document_comes_to_an_end_without_a_child(body: str) -> None:
    assert isinstance(parser.parse(fetched(body.encode())), ParsedFeed | Unreadable)


def test_documents_of_the_grammar_come_to_an_end_and_say_no_more_than_is_stored(family: Family) -> None:
    bodies = (of_number(1, number) for number in range(20))
    for body in (body for body in bodies if len(body) < 20_000):
        parsed = family.parse(body)
        assert isinstance(parsed, Unreadable) or stored(parsed) <= STORED
