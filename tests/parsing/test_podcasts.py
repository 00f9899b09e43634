"""What a podcast says of itself and of an episode."""

import pytest

from tests.rigs.feeds import item, parsed, rss


def test_the_cover_of_a_podcast_goes_before_its_image() -> None:
    """tkem/mopidy-podcast #4, AntennaPod/AntennaPod #3779."""
    cover, image = '<itunes:image href="/cover.jpg"/>', "<image><url>/small.gif</url><title>x</title></image>"
    for inner in (cover + image, image + cover, image + "<item><title>1</title></item>" + cover):
        assert parsed(rss(inner)).image_url == "https://example.com/cover.jpg"
    assert parsed(rss(image)).image_url == "https://example.com/small.gif"
    assert parsed(rss(image + "<itunes:image/>")).image_url == "https://example.com/small.gif"
    assert parsed(rss(image + "<itunes:image>/cover.jpg</itunes:image>")).image_url == "https://example.com/cover.jpg"


def test_all_transcripts_and_chapters_with_their_types() -> None:
    inner = (
        '<p:transcript url="/1.vtt" type="text/vtt" language="de"/><p:transcript url="/1.srt" type="application/srt"/>'
        '<p:chapters url="/1.json" type="application/json+chapters"/><p:transcript url="javascript:x"/>'
    )
    for namespace in ("https://podcastindex.org/namespace/1.0", "https://PodcastIndex.org/namespace/1.0"):
        (entry,) = parsed(rss(f'<item xmlns:p="{namespace}">{inner}</item>')).entries
        assert dict(entry.itunes) == {
            "transcripts": [
                {"url": "https://example.com/1.vtt", "type": "text/vtt", "language": "de"},
                {"url": "https://example.com/1.srt", "type": "application/srt"},
            ],
            "chapters": [{"url": "https://example.com/1.json", "type": "application/json+chapters"}],
        }


def test_simple_chapters_stay_also_one_without_a_start() -> None:
    marks = '<psc:chapter start="00:01:00" title="One" href="http://e.org/"/><psc:chapter title="Two"/><psc:chapter/>'
    entry = item(f'<psc:chapters xmlns:psc="http://podlove.org/simple-chapters">{marks}</psc:chapters>')
    assert dict(entry.itunes) == {
        "psc:chapters": [{"start": "00:01:00", "title": "One", "href": "http://e.org/"}, {"title": "Two"}]
    }


@pytest.mark.parametrize(
    ("href", "stored"),
    [
        ("javascript:alert(1)", {}),
        ("/notes#one", {"href": "https://example.com/notes#one"}),
        (f"https://example.com/{'a' * 300}", {"href": f"https://example.com/{'a' * 300}"}),
        (f"https://example.com/{'a' * 8_000}", {}),
    ],
)
def test_where_a_simple_chapter_leads_is_a_url(href: str, stored: dict[str, str]) -> None:
    """It was a text, cut at 200 characters: a script, where somebody made a link of it."""
    marks = f'<psc:chapter title="One" href="{href}"/>'
    entry = item(f'<psc:chapters xmlns:psc="http://podlove.org/simple-chapters">{marks}</psc:chapters>')
    assert dict(entry.itunes) == {"psc:chapters": [{"title": "One", **stored}]}


def test_a_duration_belongs_to_the_medium_that_it_is_said_of() -> None:
    audio, pdf = '<enclosure url="/a.mp3" type="audio/mpeg"/>', '<enclosure url="/a.pdf" type="application/pdf"/>'
    said = "<itunes:duration>1:01</itunes:duration>"

    def durations(inner: str) -> list[int | None]:
        return [one.duration for one in item(inner).enclosures]

    assert durations(pdf + said + audio) == [None, 61]
    assert durations(said + audio + '<media:content url="/i.jpg" medium="image"/>') == [61, None]
    assert durations(audio + said + '<media:content url="/v.mp4" type="video/mp4" duration="30"/>') == [61, 30]
    assert durations(audio + said + '<media:content url="/a.mp3" duration="62"/>') == [62]
    assert durations(said + '<media:content url="/v.mp4" type="video/mp4"/><media:content url="/w.mp4"/>') == [61, None]


def test_a_picture_lasts_no_time() -> None:
    image = '<media:content url="/i.jpg" medium="image"/>'
    assert item(f"{image}<itunes:duration>9</itunes:duration>").enclosures[0].duration is None
