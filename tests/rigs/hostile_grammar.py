"""Documents built to do harm, from a grammar: of each piece that somebody may repeat there may be very many.

A document has a prolog, surroundings, entries and texts; one to three of its pieces are repeated until it is as large
as it shall be. `chance` decides everything, so that a seed and a number name a document.
"""

import json
import random
from collections.abc import Callable
from html import escape
from typing import Any

Piece = Callable[[int], str]


def _fixed(words: str) -> tuple[Piece, ...]:
    """Return the words as pieces that are always the same; white space in them is written as in Python."""
    return tuple(_always(word.encode("latin-1").decode("unicode_escape")) for word in words.split())


def _always(text: str) -> Piece:
    return lambda n: text


MOST = 10 * 1024 * 1024  # bytes; the default of FEEDS_MAX_BODY_BYTES
SIZES = ((0.90, 1_000, 64_000), (0.985, 64_000, 1_000_000), (1.0, 1_000_000, 10_000_000))  # share, least, most
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0"'
)
FRAMES = (
    ('<rss version="2.0" {}><channel{}>', "</channel></rss>", "item"),
    ('<feed xmlns="http://www.w3.org/2005/Atom" {}{}>', "</feed>", "entry"),
    (
        '<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" {}{}>',
        "</rdf:RDF>",
        "item",
    ),
)
TEXTS = ("title", "description", "content:encoded", "summary", "content", "guid", "id", "link", "author", "dc:creator")
TEXTS += ("pubDate", "updated", "category", "rights", "comments", "itunes:duration", "itunes:title", "source")

# HTML, as it stands in texts: every piece may be repeated.
HTML: tuple[Piece, ...] = (
    *_fixed(r"""
        <dd><li> <li><dt> <q></x> <div> <p>x <b><i> <a\x20href=x> <table><td> </p> <!-- <select><option> <svg><math>
        <script> <style>x</style> <img\x20src=a> <img\x20srcset='a\x201x,\x20b\x202x'> <ruby><rt> <textarea> <![CDATA[
        <iframe\x20src='https://www.youtube.com/embed/x'></iframe> <?x\x20 <a\x20b=" & &amp; &lt; &#60; &nbsp < > a \x20
        \n \xe4\u6f22 </font> <font><table> \x20a \x20a=b
    """),
    lambda n: f"<i a={n % 990}>" if n < 990 else "<p>x",
    lambda n: f"</font><b a={n}>",
    lambda n: f"<x{n % 999}>",
    lambda n: f"<x{min(n, 999)}></x{min(n, 999)}>",
    lambda n: f' a{n}="b"',
    lambda n: f"<img src={n}><a href=?{n}>",
    lambda n: f"<a title='{n}' href='//h/{n}'>x</a>",
)

# XML, as it stands in an entry or around it.
XML: tuple[Piece, ...] = (
    *_fixed(r"""
        <x/> <x> </x> <![CDATA[x]]> <!--\x20--> <?x\x20y?> <title>x</title> <author>a@b\x20(c)</author> <item> </item>
        <entry/> <image><url>x</url></image> <source\x20url='x'/> <!-- <![CDATA[ <a\x20b=" <a:b:c &#65; &amp; &nbsp; &a;
        <content\x20type='xhtml'><div> <summary\x20type='html'>&lt;b < \n\n <media:group> <textInput> <svg>
        <link>x</link> <link\x20href='x'/> <author><name>x</name></author>
    """),
    lambda n: f"<x{n}/>",
    lambda n: f"<x{min(n, 999)}/>",
    lambda n: f'<x xmlns="urn:{n % 990}"/>',
    lambda n: f'<a:b xmlns:a="urn:{n % 990}"/>',
    lambda n: f'<a{n}:b xmlns:a{n}="urn:{n}">' if n < 60 else "<x/>",
    lambda n: f"<category>{n}</category>",
    lambda n: f'<category term="{n}" scheme="{n}" label="{n}"/>',
    lambda n: f"<dc:creator>{n}</dc:creator>",
    lambda n: f'<enclosure url="{n}" length="1" type="x"/>',
    lambda n: f'<media:content url="{n}" medium="image"/><media:thumbnail url="{n}"/>',
    lambda n: f'<atom:link rel="hub" href="{n}"/>',
    lambda n: f'<link rel="enclosure" href="{n}"/>',
    lambda n: f"<itunes:keywords>{n},{n}</itunes:keywords>",
    lambda n: f'<x xml:base="{n}/"/>',
    lambda n: f'<x xml:base="{n}/">' if n < 60 else "<x/>",
    lambda n: f"<hour>{n}</hour><day>x</day>",
    lambda n: f"<item><title>{n}</title></item>",
    lambda n: f"<item><guid>{n}</guid><description>&lt;img src={n}&gt;</description></item>",
    lambda n: f"<entry><id>{n}</id><link href='{n}'/><summary type='html'>&lt;img src={n}></summary></entry>",
    lambda n: f'<podcast:transcript url="{n}"/><itunes:image href="{n}"/>',
)

# What may stand before the root.
PROLOGS: tuple[Piece, ...] = _fixed(r"""
    \n \x20\n <!--\x20--> <!--<?xml <!-- <?a\x20encoding=' encoding=' <?x\x20y?> <!DOCTYPE <!DOCTYPE\x20x>
    <!ENTITY\x20a\x20'b'> <?xml\x20version='1.0'?> <?xml\x20 <! --> ?> <?xml\x20encoding=" \ufeff a \n<!--\x20\n
    <meta\x20charset= <br> \n<!DOCTYPE
""")
BEGINNINGS = (
    *('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="utf-16"?>'),
    *("", "\n", "<?xml version='1.0' encoding='gb18030'?>", "<?xml version='1.0' encoding='iso-2022-jp'?>"),
    *('<!DOCTYPE rss [<!ENTITY a "b">]>', "<!DOCTYPE rss [<!ENTITY a '&#38;'>\n<!ENTITY b \"&a;&a;\">]>"),
    *("<?xml encoding='idna'?>", "<!DOCTYPE html>"),
    '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
    "<!DOCTYPE r [" + "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};">' for n in range(1, 40)) + "]>",
)
ENCODINGS = ("utf-8",) * 12 + ("utf-16", "utf-16-be", "utf-32", "utf-32-le", "cp1252", "gb18030", "iso2022_jp", "utf-7")

JSON_KEYS = ("id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "date_published")

KINDS = ("prolog", "base", "xml", "xml", "text", "text", "text", "attributes")  # of what is repeated


def _relation(number: int) -> str:
    return f'xmlns:a{number}="urn:{number}" a{number}:b="c" '


ATTRIBUTES: tuple[Piece, ...] = (HTML[-4], _always("a"), _relation)


def document(chance: random.Random) -> bytes:
    share = chance.random()
    least, most = next((low, high) for until, low, high in SIZES if share <= until)
    size = int(least * (most / least) ** chance.random())
    text = _json(chance, size) if chance.random() < 0.2 else _xml(chance, size)
    return _damaged(chance, text.encode(chance.choice(ENCODINGS), "xmlcharrefreplace"))[:MOST]


def _damaged(chance: random.Random, body: bytes) -> bytes:
    if chance.random() < 0.1:
        return body[: chance.randrange(len(body) + 1)]
    if chance.random() < 0.1:
        place = chance.randrange(len(body) + 1)
        return body[:place] + chance.choice((b"\0", b"\xff", b"\xef\xbf\xbf", b"&", b"<", b"\x1b$B")) + body[place:]
    return body


def repeated(piece: Piece, size: int) -> str:
    """Return a piece so often that it fills `size` characters."""
    pieces, length = [], 0
    while length < size:
        pieces.append(piece(len(pieces)))
        length += len(pieces[-1])
    return "".join(pieces)


def _xml(chance: random.Random, size: int) -> str:
    opening, closing, name = chance.choice(FRAMES)
    prolog, base, around, inside = "", "", "", ""
    share = size // chance.choice((1, 1, 2, 3))
    for kind in chance.sample(
        ("prolog", "base", "xml", "text", "text", "text", "xml", "attribute"), chance.randint(1, 3)
    ):
        match kind:
            case "prolog":
                prolog = repeated(chance.choice(PROLOGS), share)
            case "base":
                length = chance.choice((100, 7_000, 9_000, 110_000))
                base = f' xml:base="http://e.org/{"a" * min(share, length)}/"'
                inside += _text(chance, "description", share, HTML[-2])
            case "xml" if chance.random() < 0.7:
                inside += repeated(chance.choice(XML), share)
            case "xml":
                around += repeated(chance.choice(XML), share)
            case "text":
                inside += _text(chance, chance.choice(TEXTS), share, chance.choice(HTML))
            case "attributes":
                inside += f"<{chance.choice(TEXTS)} {repeated(chance.choice(ATTRIBUTES), share)}/>"
    start = chance.choice(BEGINNINGS)
    prolog = start + prolog if chance.random() < 0.7 else prolog + start
    opened = opening.format(NAMESPACES if chance.random() < 0.9 else "", base)
    entry = f"<{name}>{inside}</{name}>"
    count = chance.choice((1, 1, 1, 2, 50)) if len(entry) < size // 20 else 1
    return prolog + opened + around + entry * count + (closing if chance.random() < 0.9 else "")


def _text(chance: random.Random, name: str, size: int, piece: Piece) -> str:
    """Return an element with HTML in it, escaped, in sections or as it is."""
    text = repeated(piece, size)
    match chance.randrange(5):
        case 0:
            text = f"<![CDATA[{text}]]>"
        case 1:
            text = "".join(f"<![CDATA[{text[n : n + 50]}]]>" for n in range(0, len(text), 50))
        case 2 | 3:
            text = escape(text)
        case 4:
            text = escape(escape(text))
    kind = chance.choice(("", "", "", " type='html'", " type='xhtml'", " type='text'", " mode='base64' type='x'"))
    return f"<{name}{kind}>{text}</{name}>"


def _json(chance: random.Random, size: int) -> str:
    match chance.randrange(10):
        case 0:
            return '{"items":' + chance.choice(("[", '{"items":', '[{"a":')) * (size // 6)
        case 1:
            return '{"items":[{"id":' + "9" * size + chance.choice(("", ".5", "e9", "}]}"))
        case 2:
            return '{"items":[' + ",".join(f'{{"id":{n}}}' for n in range(size // 12)) + "]}"
        case 3:
            return '{"items":[],' + ",".join('"items":[{"id":1}]' for _ in range(size // 20)) + "}"
        case 4:
            return '{"version":"https://jsonfeed.org/version/1","hubs":' + json.dumps(
                [{"type": "WebSub", "url": f"http://h/{n}"} for n in range(size // 40)] + [{}]
            )
        case _:
            return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": _items(chance, size)})


def _items(chance: random.Random, size: int) -> list[dict[str, Any]]:
    count = chance.choice((1, 1, 10, 1000))
    share = max(size // count, 1)
    item: dict[str, Any] = {key: repeated(chance.choice(HTML), share // 3) for key in chance.sample(JSON_KEYS, 3)}
    lists = {
        "tags": lambda n: str(n),
        "authors": lambda n: {"name": str(n), "url": f"http://h/{n}"},
        "attachments": lambda n: {"url": f"?{n}", "mime_type": "x", "title": "y" * 50},
    }
    for key in chance.sample(list(lists), chance.randrange(3)):
        item[key] = [lists[key](n) for n in range(share // 60)]
    return [item | {"id": n} for n in range(count)]
