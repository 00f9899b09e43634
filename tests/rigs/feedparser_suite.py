"""What feedparser's own test documents are to us: imported, each, and its expectation asked of what was read.

    pip download --no-binary :all: --no-deps feedparser && tar xzf feedparser-*.tar.gz
    python -m tests.rigs.feedparser_suite feedparser-*/tests

Each document says in a comment what feedparser is to say of it, as an expression in Python. It is evaluated over what
we read, under feedparser's names; an expression about what we do not read (types of texts, geography) counts as not
ours. A difference has a reason in `feedparser_suite.txt`, by path; one without is printed, and the exit code is 1.
"""

import argparse
import ast
import copy
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from feeds.parsing.html.plain_text import text_of_html
from feeds.parsing.sanitizer import clean_html
from tests.rigs.differential import make_database

ORIGIN = "http://127.0.0.1:8097"  # as its tests say
LIST = Path(__file__).with_suffix(".txt")

_EXPECT = re.compile(r"Expect:\s*(.*?)\s*-->", re.DOTALL)
_HEADER = re.compile(r"Header:\s*([\w-]+):\s*([^\n]*)")
NOT_OURS = "not ours"


def documents(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in (".xml", ".gz", ".z"))


def reasons() -> list[tuple[str, str]]:
    """Return which paths differ, and why; the first that fits counts."""
    lines = (line.partition("  ") for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
    return [(pattern, why.strip()) for pattern, _, why in lines]


# One document


def expectation(body: bytes) -> tuple[str, dict[str, str]]:
    """Return what a document says of itself: the expression, "" = none, and the headers it is served with."""
    for encoding in ("utf-8", "utf-16", "utf-32", "latin-1"):
        try:
            head = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if found := _EXPECT.search(head):
            return found[1], {name.lower(): value.strip() for name, value in _HEADER.findall(head[: found.end()])}
    return "", {}


def outcome(path: Path, folder: Path) -> str:
    """Import a document; return "holds", "differs", "not ours", "refused: …" or "failed: …"."""
    from feeds.models import Entry, Feed
    from tests.rigs.documents import import_document

    body = path.read_bytes()
    expected, headers = expectation(body)
    Feed.objects.all().delete()
    url = f"{ORIGIN}/tests/{path.relative_to(folder)}"
    values = {"content_type": headers.get("content-type", ""), "content_language": headers.get("content-language", "")}
    report = import_document(body, url, **values)
    if report.failure:
        return f"{'failed' if 'failed:' in report.failure.text else 'refused'}: {report.failure.text}"
    names = names_of(Feed.objects.get(), list(Entry.objects.order_by("id")))
    return verdict(expected, names | {"headers": headers}) if expected else NOT_OURS


def verdict(expected: str, names: dict[str, Any]) -> str:
    """Return how an expectation compares: as it is, with its texts as our sanitizer writes them, or as plain text."""
    tree = ast.parse(expected.strip(), mode="eval")
    ways = (tree, _Written(lambda text: clean_html(text, ORIGIN).text).visit(copy.deepcopy(tree)))
    return next(
        (said for way in (*ways, _Written(_plain).visit(copy.deepcopy(tree))) if (said := _asked(way, names))),
        "differs",
    )


def _asked(tree: ast.Expression, names: dict[str, Any]) -> str:
    bozo = "not bozo" not in ast.unparse(tree)
    try:
        holds = eval(compile(ast.fix_missing_locations(tree), "", "eval"), {"bozo": bozo}, names)
    except (KeyError, AttributeError, NameError):
        return NOT_OURS
    except (IndexError, TypeError):
        return ""
    return "holds" if holds else ""


def _plain(text: str) -> str:
    return text_of_html(text).text


class _Written(ast.NodeTransformer):
    """Writes the texts that something is compared with otherwise."""

    def __init__(self, write: Callable[[str], str]) -> None:
        self._write = write

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:  # the name is ast's
        for one in node.comparators:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                one.value = self._write(one.value)
        return node


# What we read, under feedparser's names


def names_of(feed: Any, entries: list[Any]) -> dict[str, Any]:
    from feedparser.util import FeedParserDict as Named

    said = Named(
        title=feed.title, link=feed.site_url, subtitle=feed.description, rights=feed.rights, icon=feed.icon_url
    )
    said |= {"language": feed.language} if feed.language else {}
    said |= {"image": Named(href=feed.image_url)} | _people(feed)
    said |= {f"{name}_detail": Named(value=said[name]) for name in ("title", "subtitle", "rights")}
    return {"feed": said, "channel": said, "version": feed.format, "entries": [_entry(one) for one in entries]}


def _entry(row: Any) -> Any:
    from feedparser.util import FeedParserDict as Named

    said = Named(
        id=row.guid,
        link=row.url,
        title=row.title,
        summary=row.summary,
        content=[Named(value=row.content)] if row.content else [],
        tags=[Named(one) for one in row.categories],
        published=row.published_text,
        updated=row.updated_text,
        rights=row.rights,
        comments=row.comments_url,
        source=Named(title=row.source_title, href=row.source_url),
    )
    if row.enclosures:
        said["links"] = [Named(rel="enclosure", href=one["url"], type=one["type"]) for one in row.enclosures]
    for name in ("title", "summary", "rights"):
        said[f"{name}_detail"] = Named(value=said[name])
    said |= {
        f"{name}_parsed": getattr(row, f"{name}_at").utctimetuple()
        for name in ("published", "updated")
        if getattr(row, f"{name}_at")
    }
    said |= {f"itunes_{name}": value for name, value in row.itunes.items()}
    return said | _people(row)


def _people(row: Any) -> dict[str, Any]:
    from feedparser.util import FeedParserDict as Named

    people = [
        Named({{"url": "href"}.get(key, key): value for key, value in one.items() if value}) for one in row.authors
    ]
    if not people:
        return {}
    name, email = people[-1].get("name"), people[-1].get("email")
    text = f"{name} ({email})" if name and email else name or email or ""
    return {"authors": people, "author_detail": people[-1], "author": text}


# All of them


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    known = reasons() if LIST.exists() else []
    counted: Counter[str] = Counter()
    unknown = 0
    with tempfile.TemporaryDirectory(prefix="feeds-suite-") as database:
        make_database(database)
        for path in documents(folder):
            name = str(path.relative_to(folder))
            said = outcome(path, folder)
            counted[said.partition(":")[0]] += 1
            if said in ("holds", NOT_OURS):
                continue
            why = next((why for pattern, why in known if fnmatch(name, pattern)), "")
            counted[f"  {why or 'WITHOUT A REASON'}"] += 1
            if not why or said.startswith("failed"):
                unknown += 1
                print(f"{name}  {said}")
    print("\n".join(f"{count:5} {what}" for what, count in counted.items()))
    return int(unknown > 0)


if __name__ == "__main__":
    sys.exit(main())
