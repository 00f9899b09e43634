import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import splitter
from feeds.parsing.splitter import Split, split
from feeds.parsing.values import Unreadable

RSS = b'<rss version="2.0"><channel><title>t</title>%s</channel></rss>'


def halves(body: bytes, salt: bytes = b"") -> Split:
    parts = split(body, salt)
    assert isinstance(parts, Split)
    return parts


def slices(body: bytes) -> list[bytes]:
    return [body[entry.start : entry.end] for entry in halves(body).entries]


def guids(body: bytes) -> list[str]:
    return [entry.guid for entry in halves(body).entries]


def item(guid: str, inner: str = "") -> bytes:
    return f"<item><guid>{guid}</guid>{inner}</item>".encode()


def test_each_item_is_found() -> None:
    assert slices(RSS % (item("a") + b"\n" + item(" b "))) == [item("a"), item(" b ")]


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
    assert guids(atom) == guids(rdf) == guids(RSS % item(" 1 ")) == ["1"]


def test_only_seen_entries_are_cut_out() -> None:
    body = RSS % (item("a") + item("b") + item("c"))
    digests = halves(body).digests
    rest = halves(body).without({digests[0], digests[2], b"unknown"}, most=10)
    assert rest.body == RSS % item("b")
    assert rest.digests == (digests[1],)


def test_an_entry_that_shares_its_guid_with_another_or_has_no_certain_one_stays() -> None:
    uncertain = b"".join(
        (
            item("a") + item("a", "2"),
            item("") + b"<item><title>t</title><link>http://example.org/</link></item>",
            b"<item><guid>x</guid><guid>y</guid></item>",
            item("Ã©"),  # which feedparser repairs
        )
    )
    body = RSS % (uncertain + item("é") + item("b"))
    digests = halves(body).digests
    assert halves(body).without(digests, most=10).digests == digests[:6]


def test_entries_that_share_everything_do_not_stay() -> None:
    body = RSS % (item("a") + item("b") + item("a"))
    assert halves(body).without(halves(body).digests, most=10).digests == ()


@pytest.mark.slow
def test_entries_after_the_first_so_many_are_cut_out() -> None:
    body = RSS % b"".join(item(str(number)) for number in range(5))
    assert halves(body).without((), most=3).body == RSS % b"".join(item(str(number)) for number in range(3))


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


def test_the_digest_depends_neither_on_other_entries_nor_on_the_titles_of_the_feed() -> None:
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
        b"<item><guid>a</guid><title type='xhtml'><details><summary>s</summary></details></title></item>",
        b"<channel/>" * 10,
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
        RSS % (b"<x>" * splitter.MAX_DEPTH + b"</x>" * splitter.MAX_DEPTH),
        RSS % (b"<x/>" * splitter.MAX_ELEMENTS),
    ],
    ids=["depth", "elements"],
)
def test_what_has_many_elements_is_not_split(body: bytes) -> None:
    assert split(body) is None


@pytest.mark.parametrize("tag", [b"<item>", b"<item a='>'>", b"<!-- a -->"])
def test_a_text_may_have_any_number_of_equals_signs(tag: bytes) -> None:
    text = b"&lt;a b=''>" + b"=" * (splitter.MAX_EQUALS_SIGNS + 1)
    assert not isinstance(split(RSS % (tag + text)), Unreadable)


@pytest.mark.parametrize(
    "body",
    [
        RSS % (b"<x " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>"),
        RSS % (b"<x " + b'a="" ' * (splitter.MAX_EQUALS_SIGNS + 1) + b"/>"),  # before expat keeps them all
        RSS % (b"<x b='>' " + b'a="" ' * (splitter.MAX_EQUALS_SIGNS + 1) + b"/>"),
        RSS % (b"<x b=c' " + b"a=1 " * (splitter.MAX_EQUALS_SIGNS + 1) + b"/>"),  # before feedparser does
        b"<rss>" + b"".join(b'<a xmlns:a="urn:%d"/>' % n for n in range(2_000)) + b"</rss>",
    ],
    ids=["attributes", "very many attributes", "very many behind a >", "very many behind a quote", "namespaces"],
)
def test_hostile_documents_are_refused(body: bytes) -> None:
    refused = split(body)
    assert isinstance(refused, Unreadable)
    assert refused.kind is FailureKind.HOSTILE
