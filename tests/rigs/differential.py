"""Where what is stored of a folder of feeds differs from what feedparser says, and why.

    python -m tests.rigs.differential FOLDER

Debian has many documents for it: 495 in golang-github-mmcdole-gofeed-dev (testdata), and 648 in the sources of rome,
php-horde-feed, miniflux, podcastparser, newsboat, rss2email, haskell-feed, ocamlrss, raptor2 and libxml-{feed,rss,atom,
rss-libxml}-perl, those included that stand in miniflux's tests of Go. `differential.txt` has what is found in them.

feedparser reads each document whole, in a process of its own where nothing of ours has touched it, with its sanitiser
and its resolving of links switched off, since both are ours. Its values go through our sanitiser, and are compared
field for field with the rows that an import leaves. The exit code is 1 if a difference has no known reason, here or in
the list.
"""

import argparse
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from html import unescape
from pathlib import Path
from typing import Any

_TAG = re.compile(r"<[^<>]*>")
URL = "http://10.0.0.1/feed"  # the rate limit is for public hosts
LIST = Path(__file__).with_suffix(".txt")
_PROXY = re.compile(r"//(?:feeds?\d?|feedproxy|rss)\.|/~r/")

REFERENCE = """
import io, pickle, sys, feedparser

def plain(value):
    if isinstance(value, dict):
        return {key: plain(dict.__getitem__(value, key)) for key in dict.keys(value)}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return tuple(value) if isinstance(value, tuple) else value

def read(path):
    with open(path, "rb") as file:
        body = io.BytesIO(file.read())
    headers = {"content-location": sys.argv[1]}
    result = feedparser.parse(body, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    return plain(result.feed), [plain(entry) for entry in result.entries]

paths = sys.stdin.read().splitlines()
pickle.dump([read(path) for path in paths], sys.stdout.buffer)
"""

Said = dict[str, Any]  # what feedparser says of a feed or an entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One value that is stored otherwise than feedparser says."""

    document: str
    field: str
    said: Any
    stored: Any
    reason: str  # "" = unknown


def reference(paths: Iterable[Path]) -> list[tuple[Said, list[Said]]]:
    """Return what feedparser alone says of the documents."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REFERENCE, URL],
        input="\n".join(map(str, paths)).encode(),
        capture_output=True,
        check=True,
    )
    said: list[tuple[Said, list[Said]]] = pickle.loads(result.stdout)
    return said


# What feedparser says, as we would store it


def expected_feed(said: Said) -> Said:
    return {
        "title": _text(said, "title"),
        "site_url": _url(said.get("link")),
        "description": _text(said, "subtitle"),
        "language": _plain(said.get("language")),
        "rights": _text(said, "rights"),
        "icon_url": _url(said.get("icon")),
        "image_url": _url((said.get("image") or {}).get("href")) or _url(said.get("logo")),
        "authors": _people(said),
    }


def expected_entry(said: Said) -> Said:
    return {
        "guid": (said.get("id") or "").strip(),
        "url": _url(said.get("link")),
        "title": _text(said, "title"),
        "summary": _html(said.get("summary_detail")),
        "content": max((_html(detail) for detail in said.get("content") or []), key=len, default=""),
        "authors": _people(said),
        "categories": _categories(said),
        "enclosures": _enclosures(said),
        "published_at": _moment(said.get("published_parsed") or said.get("created_parsed")),
        "updated_at": _moment(said.get("updated_parsed")),
        "published_text": (said.get("published") or said.get("created") or "")[:100],
        "updated_text": (said.get("updated") or "")[:100],
        "rights": _text(said, "rights"),
        "language": _plain(said.get("language")),
        "comments_url": _url(said.get("comments")),
        "source_title": _text(said.get("source") or {}, "title"),
    }


def _url(value: Any) -> str:
    from feeds.parsing.html.urls import safe_url

    return safe_url(value, URL) if isinstance(value, str) else ""


def _plain(value: Any) -> str:
    from feeds.parsing.html.plain_text import text_of_html

    return text_of_html(value).text if isinstance(value, str) else ""


def _text(said: Said, key: str) -> str:
    from feeds.parsing.html.plain_text import plain_text

    value, kind = said.get(key) or "", (said.get(f"{key}_detail") or {}).get("type")
    return plain_text(value).text if kind == "text/plain" else _plain(value)


def _html(detail: Said | None) -> str:
    from feeds.parsing.html.plain_text import text_as_html
    from feeds.parsing.sanitizer import clean_html

    if not detail or not detail.get("value"):
        return ""
    if detail.get("type") in ("text/html", "application/xhtml+xml"):
        return clean_html(detail["value"], detail.get("base") or URL).text
    return text_as_html(detail["value"]).text if (detail.get("type") or "text/").startswith("text/") else ""


def _people(said: Said) -> list[str]:
    named = [_plain(one.get("name")) or _plain(one.get("email")) for one in said.get("authors") or []]
    return list(dict.fromkeys(filter(None, named)))


def _categories(said: Said) -> list[tuple[str, str]]:
    named = ((_plain(tag.get("term")), _plain(tag.get("scheme"))) for tag in said.get("tags") or [])
    return list(dict.fromkeys((term, scheme) for term, scheme in named if term))


def _enclosures(said: Said) -> list[str]:
    links = [link.get("href") for link in said.get("links") or [] if link.get("rel") == "enclosure"]
    media = [one.get("url") for one in said.get("media_content") or []]
    return list(dict.fromkeys(filter(None, map(_url, [*links, *media]))))


def _moment(parts: Any) -> datetime | None:
    try:
        return datetime(*parts[:6], tzinfo=UTC) if parts else None
    except ValueError:
        return None


# What is stored


def stored_value(row: Any, field: str) -> Any:
    value = getattr(row, field)
    if field == "authors":
        return list(dict.fromkeys(one["name"] or one["email"] for one in value if one["name"] or one["email"]))
    if field == "categories":
        return list(dict.fromkeys((one["term"], one["scheme"]) for one in value))
    if field == "enclosures":
        return [one["url"] for one in value]
    return value


# Known reasons: why what is stored is better


def _is_relative_guid(said: Any, stored: Any) -> bool:
    return "://" not in stored and said.endswith(stored.lstrip("./"))


def _goes_by_a_link(said: Any, stored: Any) -> bool:
    return str(said).count("//10.0.0.1/") > str(stored).count("//10.0.0.1/")


def _is_new(said: Any, stored: Any) -> bool:
    return not said


def _has_the_same_words(said: Any, stored: Any) -> bool:
    """Tell whether only tags differ: lines of plain text, links to a place in the text, frames as links."""
    return "".join(_TAG.sub("", str(said)).split()) == "".join(_TAG.sub("", str(stored)).split())


def _stands_for_itself(said: Any, stored: Any) -> bool:
    try:
        return bool(str(stored).encode("latin-1").decode() == said)
    except UnicodeError:
        return False


def _was_replaced(said: Any, stored: Any) -> bool:
    return _PROXY.search(said) is not None and _PROXY.search(stored) is None


WORDS = ("lines of plain text, and links to places in a text, stay", _has_the_same_words)
LETTERS = ("letters that look like UTF-8 read as Latin-1 stand for themselves", _stands_for_itself)
BASE = ("relative references of RSS go by the item's or the channel's link", _goes_by_a_link)
REASONS: dict[str, list[tuple[str, Callable[[Any, Any], bool]]]] = {
    "guid": [
        ("a relative guid is kept as it is written; feedparser resolves it", _is_relative_guid),
        ("a reference in a guid is the character it stands for", lambda said, stored: unescape(said) == stored),
    ],
    "authors": [("an entry without authors has those of its source or feed (RFC 4287 §4.2.1)", _is_new)],
    "url": [
        BASE,
        ("what a distributor replaced is the page (feedburner:origLink)", _was_replaced),
        ("a guid is a link only if it is an absolute URL", lambda said, stored: not stored),
    ],
    **{name: [BASE] for name in ("image_url", "enclosures", "comments_url")},
    **{name: [BASE, WORDS, LETTERS] for name in ("content", "summary")},
    "title": [LETTERS, ("the title of a medium, where the entry has none", _is_new)],
    "language": [("the language of an entry is known from xml:lang, too", _is_new)],
    "published_at": [("a day that does not exist is no date", lambda said, stored: stored is None)],
    "updated_at": [("a day that does not exist is no date", lambda said, stored: stored is None)],
}


def reason(document: str, field: str, said: Any, stored: Any) -> str:
    known = REASONS.get(field.rpartition(".")[2], [])
    return next((text for text, applies in known if applies(said, stored)), "") or _listed(document, field)


def _listed(document: str, field: str) -> str:
    """Return the reason in the list: by path, field, and whose way is right."""
    lines = (line.split(maxsplit=2) for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
    return next((why for path, name, why in lines if fnmatch(document, path) and fnmatch(field, name)), "")


def deviations(document: str, said: tuple[Said, list[Said]], feed: Any, rows: list[Any]) -> Iterator[Deviation]:
    """Yield where a feed and its rows differ from what feedparser says."""
    yield from _differences(document, "feed", expected_feed(said[0]), feed)
    entries = [expected_entry(one) for one in said[1]]
    if len(entries) != len(rows):
        is_once = len({_name(entry["guid"], entry["url"], entry["title"]) for entry in entries}) == len(rows)
        why = "an entry that stands there twice is stored once" if is_once else _listed(document, "entries")
        yield Deviation(document=document, field="entries", said=len(entries), stored=len(rows), reason=why)
    for row, entry in _pairs(rows, entries):
        yield from _differences(document, "entry", entry, row)


def _name(guid: str, url: str, title: str) -> tuple[str, str]:
    return guid.removeprefix(URL.removesuffix("feed")).lstrip("./") or url, title


def _pairs(rows: list[Any], entries: list[Said]) -> Iterator[tuple[Any, Said]]:
    """Pair rows and entries of one name in their order; those of a name that the other side does not have, by place."""
    named: defaultdict[tuple[str, str], tuple[list[Any], list[Said]]] = defaultdict(lambda: ([], []))
    for row in rows:
        named[_name(row.guid, row.url, row.title)][0].append(row)
    for entry in entries:
        named[_name(entry["guid"], entry["url"], entry["title"])][1].append(entry)
    for stored, said in named.values():
        yield from zip(stored, said, strict=False)
    left = [row for stored, said in named.values() if not said for row in stored]
    yield from zip(left, (said[0] for stored, said in named.values() if not stored), strict=False)


def _differences(document: str, kind: str, said: Said, row: Any) -> Iterator[Deviation]:
    for field, value in said.items():
        stored = stored_value(row, field)
        if stored != value:
            why = reason(document, f"{kind}.{field}", value, stored)
            if not why and field in ("summary", "content", "description"):
                why = _other_text(value, row)
            yield Deviation(document=document, field=f"{kind}.{field}", said=value, stored=stored, reason=why)


def _other_text(said: Any, row: Any) -> str:
    """Return why a text is not where feedparser has it, if it is elsewhere."""
    places = [getattr(row, name, "") for name in ("summary", "content", "enclosures", "itunes")]
    is_kept = not said or _plain(said)[:60] in unescape(str(places)) or not hasattr(row, "summary")
    return "an entry's own text goes before that of a medium or a podcast, whatever the order" if is_kept else ""


# The run


def compare(paths: list[Path]) -> Iterator[Deviation]:
    """Import each document into an empty database, and compare."""
    from feeds.models import Entry, Feed
    from tests.rigs.documents import import_document

    for path, said in zip(paths, reference(paths), strict=True):
        Feed.objects.all().delete()
        report = import_document(path.read_bytes(), URL)
        if report.failure:
            text, why = report.failure.text, _listed(path.name, "feed")
            yield Deviation(document=path.name, field="feed", said=f"{len(said[1])} entries", stored=text, reason=why)
            continue
        yield from deviations(path.name, said, Feed.objects.get(), list(Entry.objects.order_by("id")))


def make_database(folder: str) -> None:
    """Set up Django with an empty database."""
    os.environ |= {"DATABASE_URL": f"sqlite:///{folder}/feeds.sqlite3", "FEEDS_LOG_LEVEL": "WARNING"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feeds_project.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".xml", ".rss", ".atom", ".rdf"))
    found: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="feeds-differential-") as folder:
        make_database(folder)
        for one in compare(paths):
            found[one.field, one.reason] += 1
            if not one.reason or found[one.field, one.reason] <= 3:
                print(f"{one.document} {one.field}\n  feedparser {one.said!r:.300}\n  stored     {one.stored!r:.300}")
                print(f"  reason     {one.reason or 'UNKNOWN'}")
    print(f"{len(paths)} documents, {sum(found.values())} differences")
    for (field, why), count in found.most_common():
        print(f"{count:6} {field}: {why or 'UNKNOWN'}")
    return int(any(not why for _, why in found))


if __name__ == "__main__":
    sys.exit(main())
