"""The feeds that are polled: documents of a folder, or made-up ones, as nginx serves them, and how they change."""

import itertools
import random
import re
import time
from pathlib import Path

from tests.rigs.servers.nginx import Nginx

FIRST, CHANGED, UNCHANGED, PLAIN = "first", "one new", "unchanged", "no validators"
FAILING, DUPLICATES, DAY = "failing", "duplicates", "a day"
POLLS = (FIRST, CHANGED, UNCHANGED, PLAIN, FAILING, DUPLICATES, DAY)

NEWEST = re.compile(rb"<(item|entry)\b.*?</\1>", re.DOTALL)  # of documents of our own choice
UNBORN = {FIRST: 2, CHANGED: 1, DAY: 0}  # entries of a document that are still to come
MADE_UP = 100  # documents

WORDS = ("the", "of", "feed", "server", "page", "that", "from", "this", "week", "about", "new", "people", "could")
FRAMES = {
    "rss": '<rss version="2.0"><channel><title>{name}</title><link>https://example.org/{name}/</link>'
    "<description>News of {name}</description>{entries}</channel></rss>",
    "atom": '<feed xmlns="http://www.w3.org/2005/Atom"><title>{name}</title><id>urn:{name}</id>'
    "<updated>2026-06-01T12:00:00Z</updated>{entries}</feed>",
}
ENTRIES = {
    "rss": "<item><title>{title}</title><link>https://example.org/{name}/{number}</link><guid>urn:{name}:{number}</guid>"
    "<pubDate>Mon, 01 Jun 2026 {hour:02}:{minute:02}:00 GMT</pubDate><category>{word}</category>"
    "<description><![CDATA[{html}]]></description></item>",
    "atom": '<entry><title>{title}</title><link href="https://example.org/{name}/{number}"/><id>urn:{name}:{number}</id>'
    "<updated>2026-06-01T{hour:02}:{minute:02}:00Z</updated><author><name>{word}</name></author>"
    '<content type="html"><![CDATA[{html}]]></content></entry>',
}


def documents(folder: Path | None) -> list[tuple[str, bytes]]:
    """Return the names and bodies of a folder's feeds, one document a file; of made-up ones if there is no folder."""
    if folder is None:
        return [made_up(number) for number in range(MADE_UP)]
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md")
    return [(path.name, path.read_bytes()) for path in paths]


def made_up(number: int) -> tuple[str, bytes]:
    """Return a feed whose entries are as many and as long as those of 100 real ones: 15 of 2.5 kB is the median."""
    rng = random.Random(number)
    kind, name = rng.choice(("rss", "rss", "atom")), f"feed-{number}.xml"
    entries = [
        ENTRIES[kind].format(
            name=name,
            number=entry,
            title=_text(rng, 8),
            word=rng.choice(WORDS),
            hour=23 - entry // 60 % 24,
            minute=59 - entry % 60,
            html=_html(rng, 30_000, rng.lognormvariate(7.8, 1.2)),
        )
        for entry in range(min(300, int(rng.lognormvariate(2.7, 0.7)) + 3))
    ]
    return name, FRAMES[kind].format(name=name, entries="".join(entries)).encode()


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _html(rng: random.Random, most: int, length: float) -> str:
    paragraphs: list[str] = []
    while len(paragraphs) * 250 < min(length, most):  # a paragraph has about so many characters
        link = f'<a href="/{rng.choice(WORDS)}/{rng.randrange(1000)}">{_text(rng, 2)}</a>'
        picture = f'<img src="pictures/{rng.randrange(1000)}.jpg" alt="{_text(rng, 3)}">' if rng.random() < 0.2 else ""
        paragraphs.append(f"<p class='text'>{_text(rng, 20)} {link} {_text(rng, 15)}{picture}</p>\n")
    return "".join(paragraphs)


class Site:
    """The documents under as many URLs as there are to be feeds."""

    def __init__(self, nginx: Nginx, given: list[tuple[str, bytes]], count: int) -> None:
        self._nginx = nginx
        copies = ((f"{copy}-{name}", body) for copy in itertools.count() for name, body in given)
        self._documents = dict(itertools.islice(copies, count))

    def lay_out(self, poll: str) -> list[str]:
        """Change what is to have changed, and return the URLs to poll."""
        names = list(self._documents)
        tenth, last = len(names) // 10, len(names) - len(names) // 20
        if poll in UNBORN:
            self._write(names[:tenth] if poll == DAY else names, UNBORN[poll])
        if poll == DAY:  # 10 % with a new entry, 5 % that fail, the rest as before
            return [self._nginx.url(name if place < last else f"none/{name}") for place, name in enumerate(names)]
        folder = {PLAIN: "plain/", FAILING: "none/"}.get(poll, "")
        return [self._nginx.url(folder + name) for name in names]

    def _write(self, names: list[str], unborn: int) -> None:
        for name in names:
            body = self._documents[name]
            (self._nginx.root / name).write_bytes(NEWEST.sub(b"", body, count=unborn) if unborn else body)
        time.sleep(1.1)  # a new second: the next version has another Last-Modified
