"""Documents that nobody wrote: feeds that were mutated, and feeds of elements and values that fit badly."""

import random
from collections.abc import Callable

from hypothesis import strategies as st

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
