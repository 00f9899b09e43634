"""One dictionary of feedparser's, a feed or an entry, read as values that are safe to store."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from feeds.parsing.caps import MAX_ENCLOSURES
from feeds.parsing.dates import parse_date
from feeds.parsing.encodings import without_forbidden
from feeds.parsing.html.plain_text import Cleaned, plain_text, text_as_html, text_of_html
from feeds.parsing.html.tokens import without_cdata
from feeds.parsing.html.urls import safe_url
from feeds.parsing.people import parted
from feeds.parsing.rss_atom.roles import Detail, Roles, by_rank, divided
from feeds.parsing.sanitizer import clean_html
from feeds.parsing.values import Category, Person

_HTML = ("text/html", "application/xhtml+xml")
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_ESCAPED = re.compile("&(?:amp|#0?38);")
_RELATIONS = "http://www.iana.org/assignments/relation/"
# What shows that a text is HTML where nothing says so. Others that look like an element may be an address, or code.
_MARKUP = re.compile(
    r"</?(?:a|b|blockquote|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|small|span|strong|sub|sup|table|u|ul)"
    r"(?:[\s/][^<>]*)?>|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});|<!\[CDATA\[",
    re.IGNORECASE,
)

_EMPTY_LINE = re.compile(r"\S[^\S\n]*\n[^\S\n]*\n\s*\S")

Said = dict[str, Any]  # a dictionary of feedparser's


class Values:
    """feedparser's dictionary of one feed or entry, read as safe values.

    `dict.get` throughout: its own falls back to other keys, and warns.
    """

    def __init__(self, said: Said, base: str, *, is_atom: bool) -> None:
        """`base`: what relative URLs go by where no xml:base does."""
        self._said = said
        self._base = base
        self._is_atom = is_atom
        self.capped = False

    # Texts

    def raw(self, key: str) -> str:
        """Return a text as feedparser gives it, trimmed."""
        value = dict.get(self._said, key)
        return without_forbidden(value).strip() if value and isinstance(value, str) else ""

    def all(self, key: str) -> list[Any]:
        found = dict.get(self._said, key)
        if not isinstance(found, list):
            return []
        self.capped |= len(found) > MAX_ENCLOSURES
        return found[:MAX_ENCLOSURES]  # no list may have more

    def text(self, key: str) -> str:
        """Return a text construct as one line of text, whatever its type is."""
        if not (text := self.raw(key)):
            return ""
        detail = dict.get(self._said, f"{key}_detail")
        return self.line(detail if isinstance(detail, dict) else {"value": text})

    def title(self) -> str:
        others = (self.line(one) for one in self.all("feeds_titles"))
        return self.text("title") or next((title for title in others if title), "")

    def description(self) -> str:
        """Return the description of a feed."""
        said = (self.line(one) for one in by_rank(self.all("feeds_texts")))
        return next((line for line in said if line), "")

    @cached_property
    def roles(self) -> Roles:
        contents = [one for one in self.all("content") if dict.get(one, "value") and self._is_shown(one)]
        return divided(self.all("feeds_texts"), contents, lambda one: self._read(one).text)

    def html(self, detail: Detail | None) -> str:
        """Return a text as safe HTML."""
        if detail is None or not self._is_shown(detail):
            return ""
        value = dict.get(detail, "value") or ""
        if self._is_markup(detail):
            base = dict.get(detail, "base") or self._text_base
            return self._keep(clean_html(value, base, self.page))
        return self._keep(text_as_html(without_cdata(value)))

    def _is_shown(self, detail: Detail) -> bool:
        kind = dict.get(detail, "type") or "text/html"
        return kind in _HTML or kind.startswith("text/")

    def _is_markup(self, detail: Detail) -> bool:
        """Tell whether a text is HTML: what is not, in RSS, is whatever it looks like."""
        kind, origin = dict.get(detail, "type") or "text/html", dict.get(detail, "origin", "")
        if kind != "text/plain":
            return kind in _HTML and (self._is_atom or not _is_lined(dict.get(detail, "value") or ""))
        is_strict = self._is_atom and origin not in ("itunes_summary", "itunes_subtitle")
        return not is_strict and _MARKUP.search(dict.get(detail, "value") or "") is not None

    def line(self, detail: Detail) -> str:
        return self._keep(self._read(detail))

    def _read(self, detail: Detail) -> Cleaned:
        value = dict.get(detail, "value") or ""
        return text_of_html(value) if self._is_markup(detail) else plain_text(without_cdata(value))

    def _keep(self, cleaned: Cleaned) -> str:
        self.capped |= cleaned.capped
        return cleaned.text

    def short(self, value: Any) -> str:
        return self._keep(text_of_html(value)) if value and isinstance(value, str) else ""

    # URLs

    def absolute(self, url: Any) -> str:
        """Return the URL, absolute; one whose "&" was escaped twice is as it was meant."""
        return safe_url(_ESCAPED.sub("&", url), self._base) if isinstance(url, str) else ""

    def url(self, key: str) -> str:
        return self.absolute(self.raw(key))

    @cached_property
    def page(self) -> str:
        """Return the URL of the page: RSS's own link, else the first alternate that is HTML, else the first.

        What a distributor replaced goes before all; a guid that is an absolute URL, and no link by its own word, after.
        """
        links = self.all("links")
        own = [link for link in links if "feeds_text" in link]
        others = [link for link in links if "feeds_text" not in link and relation(link) == "alternate"]
        others.sort(key=lambda link: dict.get(link, "type", "text/html").partition(";")[0].strip().lower() not in _HTML)
        urls = [self.raw("feedburner_origlink"), *(dict.get(link, "href") or "" for link in (*own, *others))]
        if dict.get(self._said, "feeds_permalink") and _ABSOLUTE.match(self.raw("id")):
            urls.append(self.raw("id"))
        return next((url for one in urls if (url := self.absolute(one))), "")

    @property
    def _text_base(self) -> str:
        """In RSS the page is the base of an entry's texts (feedhq #95); in Atom it is the document."""
        return (not self._is_atom and self.page) or self._base

    def hubs(self) -> Iterator[str]:
        for link in self.all("links"):
            if relation(link) == "hub" and (url := self.absolute(dict.get(link, "href"))):
                yield url

    def image(self) -> str:
        """Return the picture: the cover, its own, a thumbnail, or a media:content or enclosure that is an image."""
        image = dict.get(self._said, "image")
        candidates = [self.raw("feeds_cover"), dict.get(image, "href") if isinstance(image, dict) else None]
        candidates += [self.raw("logo"), *(dict.get(thumbnail, "url") for thumbnail in self.all("media_thumbnail"))]
        candidates += [dict.get(media, "url") for media in self.all("media_content") if is_image(media)]
        enclosed = (link for link in self.all("links") if relation(link) == "enclosure" and is_image(link))
        candidates += [dict.get(link, "href") for link in enclosed]
        return next((url for one in candidates if (url := self.absolute(one))), "")

    # People, categories, dates

    def people(self) -> tuple[Person, ...]:
        """Return the authors; where there are none, the owner of the podcast."""
        owner = dict.get(self._said, "publisher_detail") or {}
        people = self._people(self.all("authors")) or self._people([owner])
        known = {Person(name=person.name) for person in people if person.email or person.url}
        return tuple(dict.fromkeys(person for person in people if person not in known))

    def _people(self, said: list[Said]) -> list[Person]:
        return [person for one in said if (person := self._person(one)) != Person()]

    def _person(self, author: Said) -> Person:
        name, email = dict.get(author, "name") or "", dict.get(author, "email") or ""
        if not email:
            name, email = parted(name)
        return Person(name=self.short(name), email=self.short(email), url=self.absolute(dict.get(author, "href")))

    def categories(self) -> tuple[Category, ...]:
        found = (self._category(tag) for tag in self.all("tags"))
        return tuple(dict.fromkeys(category for category in found if category.term))

    def _category(self, tag: Said) -> Category:
        label = self.short(dict.get(tag, "label"))
        return Category(
            term=self.short(dict.get(tag, "term")) or label, scheme=self.short(dict.get(tag, "scheme")), label=label
        )

    def moment(self, key: str) -> datetime | None:
        return parse_date(text) if (text := self.raw(key)) else None

    def source(self) -> "Values | None":
        source = dict.get(self._said, "source")
        return Values(source, self._base, is_atom=self._is_atom) if isinstance(source, dict) and source else None

    def others(self) -> "Iterator[tuple[str, str]]":
        """Yield what people and texts besides are said of an entry, by the name of the element."""
        for one in (*self.roles.others, *self.all("feeds_titles")):
            origin = dict.get(one, "origin", "content")
            yield origin.replace("itunes_", "").replace("_", ":"), self.line(one)
        for key, value in self._said.items():
            if isinstance(value, str) and key.startswith(("dc_", "media_")):
                yield key.replace("_", ":", 1), self.short(value)
        yield "publisher", self.short(self.raw("publisher"))
        yield "contributor", "; ".join(self.short(dict.get(one, "name")) for one in self.all("contributors"))
        yield "media:credit", "; ".join(self.short(dict.get(one, "content")) for one in self.all("media_credit"))


def _is_lined(text: str) -> bool:
    """Tell whether a text that nothing marks as HTML has paragraphs of its own."""
    return "<" not in text and _EMPTY_LINE.search(text) is not None and not _MARKUP.search(text)


def relation(link: Said) -> str:
    return str(dict.get(link, "rel") or "").strip().lower().removeprefix(_RELATIONS)


def is_image(media: Said) -> bool:
    return dict.get(media, "medium") == "image" or str(dict.get(media, "type", "")).startswith("image/")
