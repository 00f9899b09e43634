"""What a poll with one new entry costs in the parser, against reading the whole document.

    python -m tests.rigs.benchmarks.parsing FOLDER

FOLDER holds feeds, one document a file. Each is read whole, and read again as if its first entry alone were new.
Times are processor seconds, for each document the best of three. For comparison: feedparser as it comes, in a process
of its own, with its own sanitizer and URL resolver and without.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feeds.parsing import parser
from feeds.parsing.values import Document, ParsedFeed

ROUNDS = 3
PLAIN = """
import feedparser, io, pathlib, sys, time
bodies = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir()) if path.is_file()]
for passes in (True, False):
    total = 0.0
    for body in bodies:
        times = []
        for _ in range(3):
            started = time.process_time()
            feedparser.parse(io.BytesIO(body), sanitize_html=passes, resolve_relative_uris=passes)
            times.append(time.process_time() - started)
        total += min(times)
    print(f"feedparser as it comes, own passes {'on ' if passes else 'off'}  {total:7.3f} s")
"""


def best(do: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least processor seconds of a few rounds, and the result."""
    least, result = float("inf"), None
    for _ in range(ROUNDS):
        started = time.process_time()
        result = do()
        least = min(least, time.process_time() - started)
    return least, result


def main(folder: Path) -> None:
    whole = part = 0.0
    documents = entries = new = unsplit = 0
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        fetched = Document(url="https://example.com/feed", body=path.read_bytes())
        seconds, read = best(lambda document=fetched: parser.parse(document))
        if not isinstance(read, ParsedFeed):
            print(f"{path.name}: {read.text}", file=sys.stderr)
            continue
        seen = frozenset(read.digests[1:])
        again_seconds, again = best(lambda document=fetched, seen=seen: parser.parse(document, seen))
        whole, part = whole + seconds, part + again_seconds
        documents, entries, new = documents + 1, entries + len(read.entries), new + len(again.entries)
        unsplit += not read.digests
    print(f"{documents} documents, {entries} entries, {unsplit} documents that cannot be split")
    print(f"whole documents                        {whole:7.3f} s")
    print(f"one new entry each ({new} read)         {part:7.3f} s, 1/{whole / part:.1f} of it")
    subprocess.run([sys.executable, "-c", PLAIN, str(folder)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
