"""Parsers with the children that they have, and what is asked of them."""

import os
import resource
import subprocess
import sys
import threading

from feeds.parsing import Parser
from feeds.parsing.values import ParsedFeed, Unreadable
from tests.rigs.golden import fetched
from tests.rigs.servers import processes
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.workers import PROJECT

LIMIT = 10.0  # seconds
MEGABYTE = 1024 * 1024
OPEN, CLOSE = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>', b"</channel></rss>"
SMALL = OPEN + b"<item><title>small</title></item>" + CLOSE
NOT_WELL_FORMED = OPEN + b"<item><title>small</title></item>"
# 10 MiB of HTML that is dear to clean: ten seconds of a processor.
ENDLESS = OPEN + (b"<item><description><![CDATA[" + b"<a href=//x>" * 41_000 + b"]]></description></item>") * 21
PROGRAM = """
import os, signal, sys
from feeds.parsing import Document, ParsedFeed, Parser, SandboxUnavailable
from tests.rigs.parsing_children import ENDLESS, NOT_WELL_FORMED, children, fetched, is_at_work
def reads(parser, body=NOT_WELL_FORMED):
    return isinstance(parser.parse(fetched(body)), ParsedFeed)
"""


def children(of: int) -> set[int]:
    """Return the process ids of the children that parse for a process."""
    return {pid for pid in processes.children(of) if "spawn_main" in processes.command_line(pid)}


def is_at_work(pid: int) -> bool:
    """Tell whether a child has ever received a document: then it has set itself a limit."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
    except ProcessLookupError:
        return False


def run(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of its own, without the names of this one."""
    return subprocess.run([sys.executable, "-c", PROGRAM + program], cwd=PROJECT, capture_output=True, text=True)


class Family:
    """A parser, and the children that this process has since."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._others = children(os.getpid())
        self.parser = Parser(limit=limit)

    def parse(self, body: bytes, seen: frozenset[bytes] = frozenset()) -> ParsedFeed | Unreadable:
        return self.parser.parse(fetched(body), seen)

    def children(self) -> set[int]:
        return children(os.getpid()) - self._others

    def at_work(self) -> set[int]:
        return {pid for pid in self.children() if is_at_work(pid)}


class Question:
    """A document that a thread of its own asks for."""

    def __init__(self, family: Family, body: bytes = ENDLESS) -> None:
        self.answer: ParsedFeed | Unreadable | BaseException | None = None
        self._family, self._body = family, body
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            self.answer = self._family.parse(self._body)
        except BaseException as error:
            self.answer = error

    def is_read(self) -> None:
        eventually(self._family.at_work, within=60, what="a child has the document")


def rss(inner: bytes) -> bytes:
    return OPEN + inner + CLOSE


def item(inner: bytes) -> bytes:
    return rss(b"<item>" + inner + b"</item>")
