"""Documents that nobody wrote in; what goes wrong with them out.

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
from hypothesis import strategies as st

SAMPLES = Path(__file__).parent.parent / "data"
LIMIT = 20.0  # seconds; the default of FEEDS_PARSE_LIMIT
INLINE_LIMIT = 5.0  # seconds for what no child reads
URL = "http://10.0.0.1/feed"  # a private host has no door to wait at


# Mutated documents

FRAGMENTS = [
    b"<script>alert(1)</script>",
    b"&lt;script&gt;alert(1)&lt;/script&gt;",
    b"<![CDATA[<img src=x onerror=alert(1)>]]>",
    b"<a href='javascript:alert(1)'>",
    b"&lt;a href=&quot;java&#x09;script:alert(1)&quot;&gt;",
    b"<link>javascript:alert(1)</link>",
    b"<link>data:text/html,x</link>",
    b"<enclosure url='file:///etc/passwd' length='-1' type='x'/>",
    b"<iframe src='//evil.example/'>",
    b"<svg><animate onbegin=alert(1)>",
    b"<math><mi xlink:href='javascript:x'>",
    b"<form action='javascript:x'>",
    b"<style>@import 'x'</style>",
    b"&#0;",
    b"&#xD800;",
    b"&#x110000;",
    b"&nbsp;&bogus;&",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<?xml version='1.0' encoding='windows-1251'?>",
    b"<!DOCTYPE rss [<!ENTITY a 'b'>]>",
    b"<item>",
    b"</item>",
    b"<entry>",
    b"</channel>",
    b"<guid>1</guid>",
    b"<guid isPermaLink='true'>../x</guid>",
    b"<pubDate>Thu, 99 Foo 99999 25:61:61 +9999</pubDate>",
    b"<updated>0000-00-00T00:00:00Z</updated>",
    b"<author>a@b (c) <d@e></author>",
    b" xml:base='javascript:x' ",
    b" xml:base='http://[bad/' ",
    b" xmlns='http://www.w3.org/2005/Atom' ",
    b" type='xhtml' ",
    b'"items": {',
    b'"url": "javascript:x",',
    b'"\\ud800"',
    b"1e999",
]


def mutated(samples: list[bytes], chance: random.Random) -> bytes:
    body = chance.choice(samples)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        body = chance.choice(MUTATIONS)(body, samples, chance)
    return body[:1_000_000]


def _flip(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.choice([1, 4, 30])):
        if changed:
            changed[chance.randrange(len(changed))] = chance.choice(b"<>&;\"'/= \0\x80\xff]-!?:abc0{}[],")
    return bytes(changed)


def _cut(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    start, end = _range(body, chance)
    return body[:start] + body[end:]


def _repeat(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    start, end = _range(body, chance)
    return body[:end] + body[start:end] * chance.choice([1, 1, 5, 50]) + body[end:]


def _move(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    start, end = _range(body, chance)
    rest, place = body[:start] + body[end:], chance.randrange(len(body) + 1)
    return rest[:place] + body[start:end] + rest[place:]


def _splice(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    other = chance.choice(samples)
    start, end = _range(other, chance)
    place = chance.randrange(len(body) + 1)
    return body[:place] + other[start:end] + body[place:]


def _insert(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 3])):
        place = chance.randrange(len(body) + 1)
        if chance.random() < 0.7:  # where an element, an attribute or a text begins
            place = max(body.find(chance.choice([b">", b"<", b'"', b" "]), place), 0)
        body = body[:place] + chance.choice(FRAGMENTS) + body[place:]
    return body


def _end(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _recode(body: bytes, samples: list[bytes], chance: random.Random) -> bytes:
    return body.decode("utf-8", "replace").encode(chance.choice(["utf-16", "utf-32", "cp1252", "utf-16-be"]), "replace")


def _range(body: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(body) + 1)
    return start, min(len(body), start + chance.choice([1, 10, 100, 1000]))


MUTATIONS: list[Callable[[bytes, list[bytes], random.Random], bytes]] = [
    _flip, _cut, _repeat, _move, _splice, _insert, _insert, _insert, _end, _recode,
]  # fmt: skip


# Built documents

values = st.one_of(
    st.sampled_from([fragment.decode("latin-1") for fragment in FRAGMENTS]),
    st.sampled_from(
        ["", " ", "1", "http://e.org/1", "Mon, 02 Mar 2026 10:00:00 GMT", "2026-03-02T10:00:00Z", "<b>x</b>"]
    ),
    st.text(max_size=20),
)
names = st.sampled_from(
    """
    guid id link title pubDate updated published description summary content content:encoded author dc:creator category
    enclosure media:content media:thumbnail media:group itunes:duration itunes:image source comments dc:date rights
    atom:link image url ttl hour day x:unknown item entry channel textInput
    """.split()  # noqa: SIM905
)
attributes = st.dictionaries(
    st.sampled_from(
        ["href", "url", "type", "rel", "xml:base", "xml:lang", "isPermaLink", "rdf:about", "length", "mode"]
    ),
    values,
    max_size=3,
)
frames = st.sampled_from(
    [
        "<rss version='2.0' {}><channel>{}</channel></rss>",
        "<feed xmlns='http://www.w3.org/2005/Atom' {}>{}</feed>",
        "<rdf:RDF xmlns='http://purl.org/rss/1.0/' {}><channel/>{}</rdf:RDF>",
        "<rss {}>{}",
        "{} {}",
    ]
)
NAMESPACES = (
    "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:content='http://purl.org/rss/1.0/modules/content/' "
    "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:media='http://search.yahoo.com/mrss/' "
    "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd' xmlns:atom='http://www.w3.org/2005/Atom' xmlns:x='urn:x'"
)


def element(name: str, given: dict[str, str], inner: str, raw: bool) -> str:
    said = "".join(f' {key}="{_escaped(value)}"' for key, value in given.items())
    return f"<{name}{said}>{inner if raw else _escaped(inner)}</{name}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


leaves = st.builds(element, names, attributes, values, st.booleans())
entries = st.builds(
    element,
    st.sampled_from(["item", "entry"]),
    attributes,
    st.lists(leaves, max_size=6).map("".join),
    st.just(True),
)
built = st.builds(
    lambda frame, parts: frame.format(NAMESPACES, "".join(parts)).encode("utf-8", "surrogatepass"),
    frames,
    st.lists(st.one_of(entries, leaves), max_size=6),
)


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
    "script style object embed applet form input button base meta link svg math template frame frameset".split()  # noqa: SIM905
)
URL_ATTRIBUTES = frozenset(
    "href src poster action formaction xlink:href background cite data longdesc ping".split()  # noqa: SIM905
)
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
