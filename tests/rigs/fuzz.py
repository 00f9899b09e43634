"""What goes wrong with documents that nobody wrote.

    python -m tests.rigs.fuzz --documents 20000 [--seed 1] [FOLDER]

Half of them are feeds of FOLDER (by default tests/data) with bytes moved, repeated, lost and mixed with fragments that
have done harm elsewhere; the other half is built by hypothesis of elements and values that fit badly. Each is imported
three times: as it is, again, and again with nothing remembered of it. Said is every exception that is not ours, every
document that took longer than its limit, every stored value that is not safe, and every row that a later import of the
same document added or changed. The exit code is 1 if there is any; the documents are kept in a folder.
"""

import argparse
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.rigs.fuzz_documents import built, mutated

SAMPLES = Path(__file__).parent.parent / "data"
LIMIT = 20.0  # seconds; the default of FEEDS_PARSE_LIMIT
INLINE_LIMIT = 5.0  # seconds for what no child reads
URL = "http://10.0.0.1/feed"  # the rate limit is for public hosts


# What must hold


@dataclass
class Findings:
    """What went wrong, and how many documents were what."""

    documents: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    problems: list[tuple[bytes, str]] = field(default_factory=list)


def check(body: bytes, findings: Findings) -> None:
    """Import a document three times, in a transaction that is rolled back, and note every problem."""
    from django.db import transaction

    findings.documents += 1
    try:
        with transaction.atomic():
            problems = list(_problems(body, findings))
            transaction.set_rollback(True)
    except Exception:
        problems = [traceback.format_exc()]
    findings.problems += [(body, problem) for problem in problems]


def _problems(body: bytes, findings: Findings) -> Iterator[str]:
    from feeds.models import Entry, Feed
    from tests.rigs.documents import import_document

    begun = time.thread_time()
    first = import_document(body, URL)
    seconds = time.thread_time() - begun  # of the processor: the machine may be busy
    findings.slowest = max(findings.slowest, seconds)
    findings.outcomes[first.failure.kind if first.failure else "imported"] += 1
    if seconds > (LIMIT if len(body) > 256 * 1024 else INLINE_LIMIT):
        yield f"took {seconds:.1f} s"
    if first.failure:
        if first.failure.text.startswith("the parser"):
            yield first.failure.text
        return
    yield from unsafe(Feed.objects.filter(url=URL).values())
    yield from unsafe(Entry.objects.values())
    for remembered in (True, False):
        if not remembered:
            Feed.objects.update(seen_digests=b"")
        again = import_document(body, URL)
        if (again.new, again.changed, again.failure) != (0, 0, None):
            counts = f"{again.new} new, {again.changed} changed, {again.failure}"
            yield f"imported again, remembered {remembered}: {counts}"


# What may be stored

HTML_FIELDS = {"summary", "content"}
BAD_TAGS = frozenset(
    "script style object embed applet form input button base meta link svg template frame frameset".split()  # noqa: SIM905
)
URL_ATTRIBUTES = frozenset(
    "href src poster action formaction xlink:href background cite data longdesc ping".split()  # noqa: SIM905
)
PICTURE = re.compile(r"data:image/(png|gif|jpe?g|webp|avif);base64,")
FRAME_HOSTS = (
    "youtube",
    "vimeo",
    "soundcloud",
    "spotify",
    "bandcamp",
    "podcasts.apple",
    "dailymotion",
    "twitch",
    "archive.org",
)


def unsafe(rows: Any) -> Iterator[str]:
    """Yield what must not stand in these rows."""
    for row in rows:
        for name, value in row.items():
            for path, text in _texts(name, value):
                yield from (f"{path}: {problem}: {text!r:.200}" for problem in _text_problems(path, text))


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(path, inner)


def _text_problems(path: str, text: str) -> Iterator[str]:
    if any((ord(sign) < 32 and sign not in "\t\n\r") or 0xD800 <= ord(sign) < 0xE000 for sign in text):
        yield "a control character or half of a surrogate pair"
    name = path.rpartition(".")[2]
    if (name == "url" or name.endswith("_url") or name == "hubs") and text:
        allowed = ("http", "https", "mailto") if path == "authors.url" else ("http", "https")
        yield from (f"the scheme {scheme!r}" for scheme in [_scheme(text)] if scheme not in allowed)
    if path in HTML_FIELDS:
        yield from Inspection(text).problems


def _scheme(url: str) -> str:
    try:
        return urlsplit(url.strip()).scheme.lower()
    except ValueError:
        return "(no URL)"


class Inspection(HTMLParser):
    """Looks for what could run or load something; Python's parser is none of those that sanitise here."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BAD_TAGS:
            self.problems.append(f"the element {tag}")
        for name, value in attrs:
            self.problems += _attribute_problems(tag, name.lower(), value or "")

    handle_startendtag = handle_starttag


def _attribute_problems(tag: str, name: str, value: str) -> Iterator[str]:
    if name.startswith("on") or name in ("style", "srcdoc", "formaction"):
        yield f"the attribute {name}"
    if name == "srcset":
        candidates = [part.split()[0] for part in value.split(", ") if part.split()]
        yield from (f"srcset of {_scheme(one)!r}" for one in candidates if _scheme(one) not in ("http", "https"))
    elif tag == "img" and name == "src" and PICTURE.match(value):
        return
    elif name in URL_ATTRIBUTES and _scheme(value) not in ("http", "https", "mailto"):
        yield f"{name} of the scheme {_scheme(value)!r}"
    if tag == "iframe" and name == "src" and not any(host in (urlsplit(value).hostname or "") for host in FRAME_HOSTS):
        yield "a frame of any host"


# The run


def run(documents: int, samples: list[bytes], seed: int, say: Callable[[str], None] = lambda text: None) -> Findings:
    """Check so many documents; the same seed and samples make the same ones."""
    findings = Findings()
    chance = random.Random(seed)
    for number in range(documents // 2):
        check(mutated(samples, chance), findings)
        if number % 1000 == 999:
            say(f"{number + 1} mutated, {len(findings.problems)} problems")

    @seeded(seed)
    @settings(
        max_examples=documents - documents // 2,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(built)
    def check_built(body: bytes) -> None:
        check(body, findings)
        if findings.documents % 1000 == 0:
            say(f"{findings.documents} checked, {len(findings.problems)} problems")

    check_built()
    return findings


def samples(folder: Path) -> list[bytes]:
    """Return the feeds of a folder, without those so long that a mutation would be lost in them."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".xml", ".json", ".rss", ".atom"))
    return [path.read_bytes()[:30_000] for path in paths if ".expected" not in path.name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="feeds-fuzz-") as folder:
        _make_database(Path(folder))
        findings = run(options.documents, samples(options.folder), options.seed, say=print)
    print(f"{findings.documents} documents, the slowest took {findings.slowest:.2f} s")
    print(", ".join(f"{count} {outcome}" for outcome, count in findings.outcomes.most_common()))
    _keep(findings.problems)
    return int(bool(findings.problems))


def _make_database(folder: Path) -> None:
    os.environ |= {"DATABASE_URL": f"sqlite:///{folder}/feeds.sqlite3", "FEEDS_LOG_LEVEL": "CRITICAL"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feeds_project.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _keep(problems: list[tuple[bytes, str]]) -> None:
    if not problems:
        print("no problems")
        return
    folder = Path(tempfile.mkdtemp(prefix="feeds-fuzz-"))
    for number, (body, problem) in enumerate(problems):
        (folder / f"{number}.xml").write_bytes(body)
        print(f"{folder}/{number}.xml: {problem}")
    print(f"{len(problems)} problems")


if __name__ == "__main__":
    sys.exit(main())
