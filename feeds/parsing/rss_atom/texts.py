"""The texts, media and podcasts of feeds, each noted with where it comes from: the adapter decides what it is.

feedparser keeps two texts of an entry, and which ones depends on their order (#53).
"""

from collections.abc import Callable
from typing import Any

from feeds.parsing.rss_atom.elements import Elements


def _text(origin: str, default_type: str, kind: str = "feeds_texts") -> tuple[Callable[..., None], Callable[..., None]]:
    """Return what begins and what ends an element that holds a text."""

    def begin(parser: "Texts", attrs_d: dict[str, str]) -> None:
        parser.push_content(f"feeds_{origin}", attrs_d, default_type, 1)

    def end(parser: "Texts") -> None:
        parser.note_text(origin, kind)

    return begin, end


class Texts(Elements):
    """The common part of our two parsers."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._medium: dict[str, str] | None = None  # the open media:content

    def note_text(self, origin: str, kind: str) -> None:
        """Note the text that ends, with its depth and its medium."""
        self.pop_content(f"feeds_{origin}")
        context = self.entries[-1] if self.inentry and not self.insource else self._get_context()
        dict.pop(context, f"feeds_{origin}", None)
        detail = dict.pop(context, f"feeds_{origin}_detail", {})
        if dict.get(detail, "value"):
            detail.update(origin=origin, depth=self.depth, medium=self._medium)
            context.setdefault(kind, []).append(detail)

    _start_description, _end_description = _text("description", "text/html")
    _start_abstract, _end_abstract = _text("description", "text/plain")
    _start_summary, _end_summary = _text("summary", "text/plain")
    _start_subtitle, _end_subtitle = _text("subtitle", "text/plain")
    _start_tagline, _end_tagline = _start_subtitle, _end_subtitle
    _start_dc_description, _end_dc_description = _text("dc_description", "text/html")
    _start_itunes_summary, _end_itunes_summary = _text("itunes_summary", "text/plain")
    _start_itunes_subtitle, _end_itunes_subtitle = _text("itunes_subtitle", "text/plain")
    _start_media_description, _end_media_description = _text("media_description", "text/plain")
    _start_dc_title, _end_dc_title = _text("dc_title", "text/plain", "feeds_titles")
    _start_media_title, _end_media_title = _text("media_title", "text/plain", "feeds_titles")

    def _start_content(self, attrs_d: dict[str, str]) -> None:
        self.push_content("content", attrs_d, "text/plain", 1)

    def _end_content(self) -> None:
        self.pop_content("content")

    _end_body = _end_xhtml_body = _end_content_encoded = _end_fullitem = _end_content

    # Media and podcasts

    def _start_media_content(self, attrs_d: dict[str, str]) -> None:
        super()._start_media_content(attrs_d)
        self._medium = attrs_d

    def _end_media_content(self) -> None:
        self._medium = None

    def _start_itunes_image(self, attrs_d: dict[str, str]) -> None:
        """Note the cover; feedparser keeps it or <image>, whichever comes last."""
        if url := attrs_d.get("href") or attrs_d.get("url"):
            self._save("feeds_cover", url)
        self.push("itunes_image", 0)

    _start_itunes_link = _start_itunes_image

    def _end_itunes_image(self) -> None:
        """Note the cover that is a text, unless there is one."""
        if url := self.pop("itunes_image"):
            self._save("feeds_cover", url)

    def _start_podcast_transcript(self, attrs_d: dict[str, str]) -> None:
        self._get_context().setdefault("feeds_transcripts", []).append(attrs_d)

    def _start_podcast_chapters(self, attrs_d: dict[str, str]) -> None:
        self._get_context().setdefault("feeds_chapters", []).append(attrs_d)

    def _start_psc_chapter(self, attrs_d: dict[str, str]) -> None:
        """Note a chapter as it is; feedparser fails on one without a start."""
        self._get_context().setdefault("feeds_marks", []).append(attrs_d)

    def _end_itunes_explicit(self) -> None:
        """Keep the word; feedparser knows neither "true" nor "no"."""
        self.pop("itunes_explicit")
