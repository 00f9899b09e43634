"""The texts, media and podcasts of feeds, each noted with where it comes from: the adapter decides what it is.

feedparser keeps two texts of an entry, and which ones depends on their order (#53).
"""

from collections.abc import Callable
from typing import Any, ClassVar

from feeds.parsing.html.tokens import unescaped
from feeds.parsing.rss_atom.containers import Dictionary, Text
from feeds.parsing.rss_atom.elements import Elements

_PLAIN_TYPES = frozenset({"text/plain", "text/html"})
_LISTED = frozenset({"category", "tags", "itunes_keywords"})


def _text(origin: str, default_type: str, kind: str = "feeds_texts") -> tuple[Callable[..., None], Callable[..., None]]:
    """Return what begins and what ends an element that holds a text."""

    def begin(parser: "Texts", attrs_d: dict[str, str]) -> None:
        parser.push_content(f"feeds_{origin}", attrs_d, default_type, 1)

    def end(parser: "Texts") -> None:
        parser.note_text(origin, kind)

    return begin, end


def _joined(pieces: list[str | bytes]) -> str:
    """Return a text; feedparser adds bytes to it for references, in documents that are not well-formed."""
    try:
        return "".join(pieces)  # type: ignore[arg-type]
    except TypeError:
        return "".join(piece if isinstance(piece, str) else piece.decode() for piece in pieces)


class Texts(Elements):
    """The common part of our two parsers."""

    refers: ClassVar[bool] = False  # references reach the texts as they are written

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._medium: dict[str, str] | None = None  # the open media:content

    def pop(self, element: str, strip_whitespace: int = 1) -> str | None:
        """End an element, and keep its text; feedparser asks of each what few have, 3 % of the time of a feed."""
        if not self.elementstack or self.elementstack[-1][0] != element:
            return None
        if self.refers and not self.incontent:
            self.elementstack[-1][2] = [unescaped(_joined(self.elementstack[-1][2]))]
        kind = dict.get(self.contentparams, "type", "text/html")
        is_plain = kind in _PLAIN_TYPES and element != "link" and not dict.get(self.contentparams, "base64")
        if not is_plain or not self.inentry or self.insource:
            value: str | None = super().pop(element, strip_whitespace)
            return value
        _, is_kept, pieces = self.elementstack.pop()
        text = _joined(pieces).strip()
        if not is_kept:
            return text
        if element != "id":  # which is kept as it is written
            text = self.resolve_uri(text) if text and element in self.can_be_relative_uri else text
            text = self.decode_entities(element, text).repaired()
        if element not in _LISTED and not (element == "title" and -1 < self.title_depth <= self.depth):
            self._keep(element, text, kind)
        return text

    def _keep(self, element: str, text: str, kind: str) -> None:
        """Note a text of an entry, of two the outer one, else the last that is not empty; and what it is, in a text."""
        entry = self.entries[-1]
        depths = dict.setdefault(entry, "feeds_depths", {})
        is_outer = depths.get(element, self.depth) >= self.depth
        if element != "content" and is_outer and (text or element not in depths):
            depths[element], entry[element] = self.depth, text
        if self.incontent and (is_outer or element != "title"):
            is_marked = kind == "text/plain" and not self.version.startswith("atom") and self.looks_like_html(text)
            detail = Dictionary(self.contentparams, type="text/html" if is_marked else kind, value=text)
            if element == "content":
                dict.setdefault(entry, "content", []).append(detail)
            else:
                entry[f"{element}_detail"] = detail

    def decode_entities(self, element: str, data: str) -> Text:
        return Text(super().decode_entities(element, data))

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
    _start_xhtml_description, _end_xhtml_description = _start_description, _end_description
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

    _start_yandex_full_text, _end_yandex_full_text = Elements._start_content_encoded, Elements._end_content

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
