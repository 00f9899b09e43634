"""A real day's polls: ours beside the recipe and newsboat, over the same feeds from nginx, as ratios within one run.

    uv run python -m tests.rigs.benchmarks FOLDER [--feeds 1000] [--rounds 5] [--compare REV] [--only first changed …]

FOLDER holds feeds, one document a file; each is served under so many URLs that there are `--feeds` of them. In every
round each contestant begins with nothing and goes through the polls below. `--compare` runs another commit of this
project in turn with this one. Seconds are noisy; the medians' ratios are what counts.
"""

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from tests.rigs.benchmarks import contestants
from tests.rigs.benchmarks.contestants import Run, Servers
from tests.rigs.servers import processes
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.workers import PROJECT

FIRST, CHANGED, UNCHANGED, PLAIN, FAILING, DAY = "first", "one new", "unchanged", "no validators", "failing", "a day"
POLLS = (FIRST, CHANGED, UNCHANGED, PLAIN, FAILING, DAY)
NEWEST = re.compile(rb"<(item|entry)\b.*?</\1>", re.DOTALL)  # of documents of our own choice

Figures = dict[tuple[str, str], list[float]]  # by contestant and poll, a figure for each round
Contestant = Callable[[Servers, Path], AbstractContextManager[Run]]


class Site:
    """The feeds as nginx serves them, and how they change between polls."""

    def __init__(self, nginx: Nginx, documents: list[Path], count: int) -> None:
        self._nginx = nginx
        names = (f"{copy}-{path.name}" for copy in itertools.count() for path in documents)
        self._documents = {name: path.read_bytes() for name, path in zip(names, documents * count, strict=False)}
        self._documents = dict(itertools.islice(self._documents.items(), count))

    def lay_out(self, poll: str) -> list[str]:
        """Change what is to have changed, and return the URLs to poll."""
        names = list(self._documents)
        tenth, last = len(names) // 10, len(names) - len(names) // 20
        if poll == FIRST:
            self._write(names, newest=False)
        elif poll == CHANGED:
            self._write(names)
        elif poll == DAY:  # 10 % with a new entry, 5 % that fail, the rest as before
            self._write(names[:tenth], newest=False)
            return [self._nginx.url(name if place < last else f"none/{name}") for place, name in enumerate(names)]
        folder = {PLAIN: "plain/", FAILING: "none/"}.get(poll, "")
        return [self._nginx.url(folder + name) for name in names]

    def _write(self, names: list[str], *, newest: bool = True) -> None:
        for name in names:
            body = self._documents[name]
            (self._nginx.root / name).write_bytes(body if newest else NEWEST.sub(b"", body, count=1))
        time.sleep(1.1)  # a new second: the next version has another Last-Modified


def main() -> None:
    options = _parser().parse_args()
    documents = sorted(path for path in options.folder.iterdir() if path.is_file() and path.suffix != ".md")
    seconds: Figures = defaultdict(list)
    processor: Figures = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, _other(options.compare) as other:
        folder = Path(name)
        folder.chmod(0o755)
        with Servers.running(folder) as servers:
            site = Site(servers.nginx, documents, options.feeds)
            for number in range(options.rounds):
                for contestant, begin in _contestants(other, options.without):
                    home = folder / f"{number}-{contestant}"
                    home.mkdir()
                    with begin(servers, home) as run:
                        _polls(run, site, options.only, partial(_note, contestant, seconds, processor, options.feeds))
                        _say_memory(contestant, run)
    _report(seconds, processor)


def _contestants(other: Path | None, without: list[str]) -> Iterator[tuple[str, Contestant]]:
    yield "ours", contestants.ours
    if other is not None:
        yield "other", partial(contestants.ours, root=other)
    if "recipe" not in without:
        yield "recipe", contestants.recipe
    if "newsboat" not in without and contestants.has_newsboat():
        yield "newsboat", contestants.newsboat


def _polls(run: Run, site: Site, only: list[str], note: Callable[[str, Run], None]) -> None:
    for poll in POLLS:
        urls = site.lay_out(poll)
        if poll == PLAIN:
            run.poll(urls)  # once before, so that nothing is new
        if poll in only or poll in (FIRST, CHANGED):  # without these the others would poll nothing
            run.measure(urls)
            note(poll, run)


def _note(contestant: str, seconds: Figures, processor: Figures, feeds: int, poll: str, run: Run) -> None:
    seconds[contestant, poll].append(run.seconds)
    processor[contestant, poll].append(1000 * run.processor / feeds)
    print(f"{contestant:9} {poll:14} {run.seconds:8.2f} s  {feeds / run.seconds:7.0f}/s", flush=True)


def _say_memory(contestant: str, run: Run) -> None:
    if run.group:
        print(f"{contestant:9} peak memory of a process {processes.peak_memory(run.group) >> 20} MB", flush=True)


def _report(seconds: Figures, processor: Figures) -> None:
    polls = list(dict.fromkeys(poll for _, poll in seconds))
    print("\nmedians: times as fast as ours (> 1: faster than ours), and ms of the workers' processor for a feed")
    print(" " * 10 + "".join(f"{poll:>20}" for poll in polls))
    for contestant in dict.fromkeys(name for name, _ in seconds):
        print(f"{contestant:10}" + "".join(f"{_cell(seconds, processor, contestant, poll):>20}" for poll in polls))


def _cell(seconds: Figures, processor: Figures, contestant: str, poll: str) -> str:
    ratio = statistics.median(seconds["ours", poll]) / statistics.median(seconds[contestant, poll])
    milliseconds = statistics.median(processor[contestant, poll])
    return f"x{ratio:.2f}" + (f" {milliseconds:8.2f} ms" if milliseconds else " " * 12)


@contextmanager
def _other(revision: str | None) -> Iterator[Path | None]:
    """Check another commit out, beside this one, and remove it at the end."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "other"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(PROJECT), str(root)], check=True)
        subprocess.run(["git", "checkout", "--quiet", revision], cwd=root, check=True)
        yield root


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="feeds, one document a file")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compare", metavar="REV", help="a commit to run in turn with this one")
    parser.add_argument("--only", nargs="*", default=list(POLLS), choices=POLLS, help="the polls to measure")
    parser.add_argument("--without", nargs="*", default=[], choices=("recipe", "newsboat"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
