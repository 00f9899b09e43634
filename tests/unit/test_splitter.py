import pytest

from feeds import splitter
from feeds.documents import Failed, FailureKind
from feeds.splitter import Split, split

RSS = b'<rss version="2.0"><channel><title>t</title>%s</channel></rss>'


def halves(body: bytes, salt: bytes = b"") -> Split:
    parts = split(body, salt)
    assert isinstance(parts, Split)
    return parts


def slices(body: bytes) -> list[bytes]:
    return [body[entry.start : entry.end] for entry in halves(body).entries]


def item(guid: str, inner: str = "") -> bytes:
    return f"<item><guid>{guid}</guid>{inner}</item>".encode()


def test_each_item_is_found_with_its_guid() -> None:
    body = RSS % (item("a") + b"\n" + item(" b "))
    assert slices(body) == [item("a"), item(" b ")]
    assert [entry.guid for entry in halves(body).entries] == ["a", "b"]


@pytest.mark.parametrize(
    "entry",
    [
        b"<item><guid>a</guid><description><![CDATA[</item><item>]]></description></item>",
        b"<item><guid>a</guid><!-- </item> --></item>",
        b"<item a='>' b=\"/item>\"><guid>a</guid></item >",
        b"<item\n><guid>a</guid><?pi </item>?></item\n>",
        "<item><guid>a</guid><title>Zoë 🦉</title></item>".encode(),
        b"<item></item>",
        b"<item/>",
        b"<item a='/>' />",
    ],
)
def test_an_entry_ends_where_expat_says(entry: bytes) -> None:
    body = "é".encode().join((b"<rss><channel><title>", b"</title>" + entry + item("z") + b"</channel></rss>"))
    assert slices(body) == [entry, item("z")]


def test_entries_of_atom_and_of_rss_1_outside_of_the_channel_are_found() -> None:
    atom = b'<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>1</a:id></a:entry></a:feed>'
    rdf = (
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        b'<channel><items/></channel><item r:about="1"><title>x</title></item></r:RDF>'
    )
    assert [entry.guid for body in (atom, rdf) for entry in halves(body).entries] == ["1", "1"]


def test_only_seen_entries_are_cut_out() -> None:
    body = RSS % (item("a") + item("b") + item("c"))
    digests = halves(body).digests
    rest = halves(body).without({digests[0], digests[2], b"unknown"}, most=10)
    assert rest.body == RSS % item("b")
    assert rest.digests == (digests[1],)


def test_entries_that_share_a_guid_or_have_none_stay() -> None:
    """Who they are depends on their siblings (F1, F2)."""
    body = RSS % (item("a") + item("a", "2") + item("") + b"<item><guid>x</guid><guid>y</guid></item>" + item("b"))
    digests = halves(body).digests
    assert halves(body).without(digests, most=10).digests == digests[:4]


def test_entries_without_a_guid_are_told_apart_by_a_plain_link_or_by_title_and_date() -> None:
    linked = [f"<item><link>https://example.com/{n}</link><title>t</title></item>" for n in range(2)]
    dated = [f"<item><title>t</title><pubDate>{n} Jan 2026 10:00:00 GMT</pubDate></item>" for n in (1, 2)]
    unsure = ["<item><title>a &amp; b</title><pubDate>1 Jan 2026</pubDate></item>", "<item><link>/x</link></item>"]
    body = RSS % "".join(linked + dated + unsure).encode()
    digests = halves(body).digests
    assert halves(body).without(digests, most=10).digests == digests[4:]


def test_s7_entries_after_the_first_so_many_are_cut_out() -> None:
    body = RSS % b"".join(item(str(number)) for number in range(5))
    assert halves(body).without((), most=3).body == RSS % b"".join(item(str(number)) for number in range(3))


def test_the_feeds_own_categories_are_cut_out() -> None:
    surplus = b'<category term="x>y"/><category>z</category>'
    body = RSS % (surplus + item("a", "<category>c</category>"))
    assert halves(body).without((), most=10).body == RSS % item("a", "<category>c</category>")


@pytest.mark.parametrize(
    "other",
    [
        b'<rss version="0.91"><channel><title>t</title>%s</channel></rss>',
        b'<rss version="2.0" xml:base="/b"><channel><title>t</title>%s</channel></rss>',
        b'<rss version="2.0"><channel xml:lang="de"><title>t</title>%s</channel></rss>',
        b'<rss version="2.0" xmlns:x="urn:x"><channel><title>t</title>%s</channel></rss>',
    ],
)
def test_the_digest_depends_on_what_surrounds_an_entry(other: bytes) -> None:
    assert halves(RSS % item("a")).digests != halves(other % item("a")).digests
    assert halves(RSS % item("a")).digests != halves(RSS % item("a"), b"salt").digests


def test_the_digest_does_not_depend_on_its_siblings_or_on_the_titles_of_the_feed() -> None:
    assert (
        halves(RSS % item("a")).digests[0] == halves((RSS % (item("b") + item("a"))).replace(b">t<", b">u<")).digests[1]
    )


@pytest.mark.parametrize(
    "entry",
    [
        b"<item><guid>a</guid><item/></item>",
        b"<item><guid>a</guid><source><entry/></source></item>",
        b"<item><guid>a</guid><x><channel/></x></item>",
        b"<item><guid>a</guid><description><p>markup</p></description></item>",
        b"<item><guid>a</guid><x:a xmlns:x='urn:1'/><x:a xmlns:x='urn:2'/></item>",
        b"<item><guid>a</guid><media:title xmlns:media='http://purl.org/dc/terms/'>x</media:title></item>",
        b"<item><guid>a</guid><title type='xhtml'><details><summary>s</summary></details></title></item>",
    ],
)
def test_a_document_whose_entries_could_influence_each_other_is_not_split(entry: bytes) -> None:
    assert split(RSS % (entry + item("b"))) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<rss><channel><item></channel></rss>",
        b"<rss><channel><item><guid>a</guid></item>",
        b"<rss><channel><title>&nbsp;</title></channel></rss>",
        b'<!DOCTYPE rss SYSTEM "rss.dtd"><rss><channel><title>&nbsp;</title></channel></rss>',
        b'<!DOCTYPE rss [<!ENTITY nbsp "&#160;">]><rss><channel><title>&nbsp;</title></channel></rss>',
    ],
)
def test_what_is_not_well_formed_or_needs_entities_is_not_split(body: bytes) -> None:
    assert split(body) is None


def test_what_follows_the_document_is_left_out() -> None:
    body = RSS % item("a")
    assert halves(body + b"\n<script>x</script>").body.rstrip() == body


@pytest.mark.parametrize(
    "body",
    [
        RSS % (b"<x>" * splitter.MAX_DEPTH),
        RSS % (b"<x " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>"),
        RSS % (b"<item/>" * 200_000),
        b"<rss>" + b"".join(b'<a xmlns:a="urn:%d"/>' % n for n in range(2_000)) + b"</rss>",
        b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss>&b;</rss>',
        b'<!DOCTYPE r [<!ENTITY a "' + b"a" * 100_000 + b'">]><rss>&a;&a;</rss>',
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>',
        b"<!DOCTYPE r [" + b"".join(b'<!ENTITY e%d "x">' % n for n in range(2_000)) + b"]><rss/>",
    ],
    ids=["depth", "attributes", "elements", "namespaces", "laughs", "long entity", "external entity", "entities"],
)
def test_s7_s8_hostile_documents_are_refused(body: bytes) -> None:
    refused = split(body)
    assert isinstance(refused, Failed)
    assert refused.kind is FailureKind.HOSTILE
