"""Made-up feeds: a name and a kind in, a document with three entries out."""

from typing import Literal

Kind = Literal["rss", "atom"]

ENTRIES = 3

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel>
<title>News of {name}</title><link>http://example.com/{name}</link><description>About {name}</description>
{entries}
</channel></rss>
"""

RSS_ENTRY = """<item>
<title>Number {number} of {name}</title><link>http://example.com/{name}/{number}</link>
<guid isPermaLink="false">{name}-{number}</guid><pubDate>Mon, 0{number} Jun 2026 12:00:00 GMT</pubDate>
<description>&lt;p&gt;Text {number}&lt;/p&gt;</description>
</item>"""

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>News of {name}</title><id>urn:{name}</id><link href="http://example.com/{name}"/>
<updated>2026-06-03T12:00:00Z</updated><author><name>Ann</name></author>
{entries}
</feed>
"""

ATOM_ENTRY = """<entry>
<title>Number {number} of {name}</title><id>urn:{name}:{number}</id>
<link href="http://example.com/{name}/{number}"/><updated>2026-06-0{number}T12:00:00Z</updated>
<content type="html">&lt;p&gt;Text {number}&lt;/p&gt;</content>
</entry>"""

TEMPLATES: dict[Kind, tuple[str, str]] = {"rss": (RSS, RSS_ENTRY), "atom": (ATOM, ATOM_ENTRY)}


def sample_feed(name: str, *, kind: Kind) -> bytes:
    """Return a valid feed; the same name gives the same bytes."""
    frame, entry = TEMPLATES[kind]
    entries = "\n".join(entry.format(name=name, number=number) for number in range(1, ENTRIES + 1))
    return frame.format(name=name, entries=entries).encode()
