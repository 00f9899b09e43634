"""A real day's polls: ours beside the recipe and newsboat, over the same feeds from nginx, as ratios within one run.

    uv run python -m tests.rigs.benchmarks [FOLDER] [--feeds 1000] [--rounds 5] [--only first "one new" …]
    … --compare REV            another commit of this project, too
    … --hosts 1 4 1+1          so many processes of 8 threads, on one host or two, instead of the 2 that are usual
    … --stored 1000000 10      ours with so many feeds stored before, and entries of each

FOLDER holds feeds, one document a file; without it they are made up. Each is served under so many URLs that there are
`--feeds` of them. In every round each contestant begins with nothing and goes through all polls; in "duplicates" each
feed is sent ten times in a row. Seconds are noisy; the medians' ratios are what counts. "Requests a feed" is what the
server counted: one, unless a feed was sent more often.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.rigs.benchmarks import contestants
from tests.rigs.benchmarks.contestants import Ours, Run, Servers
from tests.rigs.benchmarks.site import CHANGED, DUPLICATES, FIRST, PLAIN, POLLS, Site, documents
from tests.rigs.servers.daemon import new_folder
from tests.rigs.servers.workers import PROJECT

COPIES = 10  # messages for each feed in "duplicates"

Contestant = Callable[[Servers, Path], AbstractContextManager[Run]]
Figures = dict[tuple[str, str], list[float]]  # by contestant and poll, a figure for each round


@dataclass(frozen=True, slots=True)
class Notes:
    """What was measured."""

    feeds: int
    seconds: Figures = field(default_factory=lambda: defaultdict(list))
    processor: Figures = field(default_factory=lambda: defaultdict(list))  # milliseconds for a feed, of the workers

    def take(self, contestant: str, poll: str, run: Run, requests: int) -> None:
        self.seconds[contestant, poll].append(run.seconds)
        self.processor[contestant, poll].append(1000 * run.processor / self.feeds)
        rate, asked = self.feeds / run.seconds, requests / self.feeds
        print(f"{contestant:10} {poll:14} {run.seconds:8.2f} s {rate:7.0f}/s {asked:6.2f} requests a feed", flush=True)

    def report(self) -> None:
        polls = list(dict.fromkeys(poll for _, poll in self.seconds))
        print("\nmedians: times as fast as ours (> 1: faster than ours), and ms of the workers' processor for a feed")
        print(" " * 10 + "".join(f"{poll:>20}" for poll in polls))
        for contestant in dict.fromkeys(name for name, _ in self.seconds):
            print(f"{contestant:10}" + "".join(f"{self._cell(contestant, poll):>20}" for poll in polls))

    def _cell(self, contestant: str, poll: str) -> str:
        if (contestant, poll) not in self.seconds:
            return ""
        ratio = statistics.median(self.seconds["ours", poll]) / statistics.median(self.seconds[contestant, poll])
        milliseconds = statistics.median(self.processor[contestant, poll])
        return f"x{ratio:.2f}" + (f" {milliseconds:8.2f} ms" if milliseconds else " " * 12)


def main() -> None:
    options = _parser().parse_args()
    notes = Notes(options.feeds)
    with tempfile.TemporaryDirectory() as name, _other(options.compare) as other:
        folder = Path(name)
        folder.chmod(0o755)
        with Servers.running(folder) as servers:
            site = Site(servers.nginx, documents(options.folder), options.feeds)
            chosen = dict(_contestants(servers, options, other))
            for number in range(options.rounds):
                for contestant, begin in chosen.items():
                    with begin(servers, new_folder(folder, f"{number}-{contestant}")) as run:
                        _polls(servers, site, run, options.only, contestant, notes)
                        _say_sizes(contestant, run)
    notes.report()


def _contestants(servers: Servers, options: argparse.Namespace, other: Path | None) -> Iterator[tuple[str, Contestant]]:
    yield "ours", Ours()
    if other is not None:
        yield "other", Ours(root=other, python=str(other / ".venv" / "bin" / "python"))
    for hosts in options.hosts:
        yield f"ours {hosts}", Ours(hosts=tuple(map(int, hosts.split("+"))))
    if options.stored:
        yield "ours full", Ours(template=servers.full_database(*options.stored))
    if "recipe" not in options.without:
        yield "recipe", contestants.recipe
    if "newsboat" not in options.without and contestants.has_newsboat():
        yield "newsboat", contestants.newsboat


def _polls(servers: Servers, site: Site, run: Run, only: list[str], contestant: str, notes: Notes) -> None:
    for poll in POLLS:
        urls, do = site.lay_out(poll), run.poll
        if poll not in only and poll not in (FIRST, CHANGED):  # without these the others would poll nothing
            continue
        if poll == PLAIN:
            run.poll(urls)  # once before, so that nothing is new
        if poll == DUPLICATES:
            if run.send is None:
                continue
            urls, do = [url for url in urls for _ in range(COPIES)], run.send
        servers.nginx.forget_requests()
        run.measure(urls, do)
        notes.take(contestant, poll, run, len(servers.nginx.requests()))


def _say_sizes(contestant: str, run: Run) -> None:
    if run.groups:
        print(f"{contestant:10} peak memory of a process {run.peak_memory() >> 20} MB")
    if run.sizes:
        of_feeds, feeds, of_entries, entries = run.sizes()
        print(
            f"{contestant:10} {feeds:,} feeds of {of_feeds / feeds:,.0f} bytes,"
            f" {entries:,} entries of {of_entries / entries:,.0f} bytes, with their indexes",
            flush=True,
        )


@contextmanager
def _other(revision: str | None) -> Iterator[Path | None]:
    """Check another commit out, with what it depends on, and remove it at the end."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "other"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(PROJECT), str(root)], check=True)
        subprocess.run(["git", "checkout", "--quiet", revision], cwd=root, check=True)
        subprocess.run(["uv", "sync", "--quiet"], cwd=root, check=True)
        yield root


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="feeds, one document a file; else made up")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compare", metavar="REV", help="a commit to run in turn with this one")
    parser.add_argument("--hosts", nargs="*", default=[], help="processes on each host, such as 4 or 1+1")
    parser.add_argument(
        "--stored", nargs=2, type=int, metavar=("FEEDS", "ENTRIES"), help="stored before; entries of each"
    )
    parser.add_argument("--only", nargs="*", default=list(POLLS), choices=POLLS, help="the polls to measure")
    parser.add_argument("--without", nargs="*", default=[], choices=("recipe", "newsboat"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
