"""Who wrote an entry."""

import pytest

from feeds.parsing.people import parted
from feeds.parsing.values import Person
from tests.rigs.feeds import atom, atom_entry, item, parsed, rss
from tests.rigs.growth import assert_linear


@pytest.mark.parametrize(
    ("written", "name", "email"),
    [
        ("jo@e.photography (Jo Reed)", "Jo Reed", "jo@e.photography"),
        ("Jo Reed &lt;jo@e.online&gt;", "Jo Reed", "jo@e.online"),
        ("Jo Reed &amp;lt;jo@e.online&amp;gt;", "Jo Reed", "jo@e.online"),
        ("jo@e.museum", "", "jo@e.museum"),
        ("&quot;Reed, Jo&quot; &lt;jo.reed+x@mail.e.co.uk&gt;", "Reed, Jo", "jo.reed+x@mail.e.co.uk"),
        ("Jo (jo@e.xn--p1ai)", "Jo", "jo@e.xn--p1ai"),
        (
            "jo@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444 (Jo)",
            "Jo",
            "jo@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
        ),
        ("mailto:jo@e.org", "", "jo@e.org"),
        ("jo@e.org?subject=x (Jo)", "Jo", "jo@e.org"),
        ("Jo Reed (jo@203.0.113.38)", "Jo Reed", "jo@203.0.113.38"),
        ("Jo (R&amp;D), jo+feeds@e.dev", "Jo (R&D)", "jo+feeds@e.dev"),
        ("Jo Reed", "Jo Reed", ""),
        ("@jo", "@jo", ""),
        ("@jo@social.example", "@jo@social.example", ""),
        ("jo at e.org", "jo at e.org", ""),
        ("Jo @ Reed", "Jo @ Reed", ""),
    ],
)
def test_an_author_in_one_text(written: str, name: str, email: str) -> None:
    """macieklamberski/feedsmith #6, simplepie/simplepie #104, fossology/fossology #422."""
    person = Person(name=name, email=email)
    assert item(f"<author>{written}</author>").authors == (person,)
    assert item(f"<dc:creator>{written}</dc:creator>").authors == (person,)
    assert atom_entry(f"<author><name>{written}</name></author>").authors == (person,)


@pytest.mark.parametrize(
    ("written", "people"),
    [
        ("<author>a@e.org (Ada)</author><dc:creator>Ada</dc:creator>", (Person(name="Ada", email="a@e.org"),)),
        ("<itunes:author>Ada</itunes:author><author>a@e.org (Ada)</author>", (Person(name="Ada", email="a@e.org"),)),
        ("<dc:creator>Ada</dc:creator><dc:creator>Ada</dc:creator>", (Person(name="Ada"),)),
        ("<author>a@e.org (Ada)</author><author>b@e.org (Ada)</author>", (Person(name="Ada", email="a@e.org"),)),
    ],
)
def test_an_author_that_is_named_twice_is_one(written: str, people: tuple[Person, ...]) -> None:
    assert item(written).authors[:1] == people
    assert len(item(written).authors) == 1 + ("b@e.org" in written)


def test_the_owner_of_a_podcast_is_its_author_only_where_it_has_none() -> None:
    """kurtmckee/feedparser #261."""
    owner = "<itunes:owner><itunes:name>O</itunes:name><itunes:email>o@e.org</itunes:email></itunes:owner>"
    author = "<itunes:author>A</itunes:author>"
    assert parsed(rss(author + owner)).authors == parsed(rss(owner + author)).authors == (Person(name="A"),)
    assert parsed(rss(owner)).authors == (Person(name="O", email="o@e.org"),)


def test_an_entry_without_authors_has_those_of_its_source_or_its_feed() -> None:
    def people(inner: str, of_feed: str = "<author><name>F</name></author>") -> list[str]:
        return [one.name for one in parsed(atom(f"{of_feed}<entry>{inner}</entry>")).entries[0].authors]

    own, source = "<author><name>E</name></author>", "<source><author><name>S</name></author><title>t</title></source>"
    assert people("") == ["F"]
    assert people(source) == ["S"]
    assert people(own + source) == people(source + own) == ["E"]
    assert people("", "") == []
    assert people("", f"<author><name>{'F' * 2_000}</name></author>") == []  # it would be stored with each entry


def test_an_item_of_json_feed_has_the_feeds_authors_unless_it_has_some() -> None:
    one, other = '{"id": 1}', '{"id": 2, "authors": [{"name": "E"}]}'
    body = f'{{"version": "https://jsonfeed.org/version/1.1", "authors": [{{"name": "F"}}], "items": [{one}, {other}]}}'
    assert [[person.name for person in entry.authors] for entry in parsed(body).entries] == [["F"], ["E"]]


def test_the_time_to_take_an_author_apart_grows_no_faster_than_its_length() -> None:
    assert_linear(parted, ["a", "a@", "a.", "a@b.", "(", "<a", "@b.c ", "-"])
