"""How elements begin and end, and what links, people and categories are, where feedparser takes them otherwise.

What is noted for the adapter has names that begin with "feeds_".
"""

from collections.abc import Callable
from typing import Any, ClassVar

import feedparser.mixin
from feedparser.util import FeedParserDict

from feeds.canonical_urls import MAX_URL_LENGTH
from feeds.parsing.caps import MAX_DOCUMENT_BYTES, MAX_ENTRIES, MAX_ENTRY_BYTES, Enough
from feeds.parsing.html.elements import VOID
from feeds.parsing.rss_atom.containers import Dictionary

MAX_ELEMENTS = 250_000  # of one document; 20 to 60 µs each
MAX_TAGS = 1_000  # categories of one entry
_ROOTS = frozenset({"feed", "rss", "rdf:rdf"})
_SCOPE = frozenset({"xml:base", "base", "xml:lang", "lang"})  # attributes that change what stands in an element
_KEEP_IN_IMAGE = frozenset({"title", "link", "description", "url", "href", "width", "height"})
_KEEP_IN_TEXTINPUT = frozenset({"title", "link", "description", "name"})
# Of feedparser, at an element where it expects none. (contextlib.suppress takes 0.5 µs, at each end of each element.)
_FAULTS = (AttributeError, LookupError, TypeError, ValueError)
_NEVER = 1 << 30  # deeper than any element
_PODCAST = ("https://podcastindex.org/namespace/1.0", "https://github.com/podcastindex-org/podcast-namespace/")


def _pop(element: str) -> Callable[..., None]:
    """Return what ends an element, and does no more than to keep its text."""

    def end(parser: "Elements") -> None:
        parser.pop(element)

    return end


class Elements(feedparser.mixin._FeedParserMixin):  # type: ignore[misc]  # feedparser has no types
    """What feedparser's two parsers do otherwise here."""

    _matchnamespaces: ClassVar[dict[str, str]] = {
        **{uri.lower(): prefix for uri, prefix in feedparser.mixin._FeedParserMixin.namespaces.items()},
        **dict.fromkeys(_PODCAST, "podcast"),
    }
    baseuri: str
    depth: int
    incontent: int
    inimage: int
    insource: int
    intextinput: int
    lang: str | None
    version: str

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.feeddata: FeedParserDict = Dictionary(self.feeddata)
        self.contentparams = Dictionary()
        self.handlers: dict[str, tuple[str, Any, Any]] = {}  # of elements, as long as no namespace changes
        self._elements = 0
        self._resolved = self._resolved_in_entry = 0  # characters of URLs made absolute, and of bases that are kept
        self._named: set[tuple[int, str | None, str | None, str | None]] = set()  # categories of the open entry
        self._based = _NEVER  # depth of the element whose xml:base counts
        self._construct = ("", 0)  # the tag of the open text, and its depth
        self._nested = 0  # elements of this tag that are open in it

    # Any element

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        """Begin an element; one without a base or a language of its own takes a shorter way.

        feedparser joins the base with itself for each element: a sixth of the time of a feed.
        """
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise Enough
        if attrs:
            attrs = [pair for pair in attrs if not self._is_long_base(*pair)]
        if self.incontent:
            self._nested += tag == self._construct[0]
            super().unknown_starttag(tag, attrs)
            if self.depth == self._construct[1] + 1 and any(name == "xml:base" for name, _ in attrs):
                self.contentparams["base"] = self.baseuri  # of the <div> that XHTML stands in
            return
        if self.depth < self._based:  # it is closed
            self._based = _NEVER
        values = dict(map(self._normalize_attributes, attrs)) if attrs else {}
        if tag in _ROOTS or not _SCOPE.isdisjoint(values):
            if values.get("xml:base") or values.get("base"):
                self._based = min(self._based, self.depth + 1)
            super().unknown_starttag(tag, attrs)
        else:
            self._begin(tag, values)
        if self.incontent:
            self._construct, self._nested = (tag, self.depth), 0

    def _begin(self, tag: str, values: dict[str, str]) -> None:
        self.depth += 1
        self.basestack.append(self.baseuri)
        self.langstack.append(self.lang)
        name, handler, _ = self._known(tag)
        if name == tag:
            self.intextinput = self.intextinput if tag in _KEEP_IN_TEXTINPUT else 0
            self.inimage = self.inimage if tag in _KEEP_IN_IMAGE else 0
        try:
            if handler:
                handler(self, values)
            elif values:
                self._get_context()[name] = values
            else:
                self.push(name, 1)
        except _FAULTS:
            pass

    def unknown_endtag(self, tag: str) -> None:
        """End an element. In a text, feedparser takes the end of any element for the end of one that it knows."""
        if self.incontent:
            if tag != self._construct[0] or self._nested:
                self._nested -= tag == self._construct[0]
                self._end_markup(tag)
            else:
                self.end_text()
            return
        name, _, handler = self._known(tag)
        try:
            if handler:
                handler(self)
            else:
                self.pop(name)
        except _FAULTS:
            pass
        self._leave()

    def end_text(self) -> None:
        """End the open text, whatever is open in it: HTML leaves elements open."""
        tag, depth = self._construct
        left_open = self.depth - depth
        if left_open > 0:
            del self.basestack[-left_open:], self.langstack[-left_open:]
        self.depth, self.svgOK = depth, 0
        self._known(tag)[2](self)
        self._leave()

    def _end_markup(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if not self.contentparams.get("type", "xml").endswith("xml"):
            if tag in ("xhtml:div", "div"):  # which feedparser left out
                self._leave()
                return
            self.contentparams["type"] = "application/xhtml+xml"
        if name not in VOID:  # HTML takes </br> for a second <br>
            self.handle_data(f"</{name}>", escape=0)
        self._leave()

    def _leave(self) -> None:
        self.depth -= 1
        if self.basestack:
            self.basestack.pop()
            self.baseuri = (self.basestack and self.basestack[-1]) or self.baseuri
        if self.langstack:
            self.langstack.pop()
            self.lang = self.langstack[-1] if self.langstack else self.lang

    def _known(self, tag: str) -> tuple[str, Any, Any]:
        """Return feedparser's name of an element, and what begins and what ends it, None where that is nothing."""
        if tag not in self.handlers:
            prefix, name = tag.split(":", 1) if ":" in tag else ("", tag)
            prefix = self.namespacemap.get(prefix, prefix)
            name = f"{prefix}_{name}" if prefix else name
            local = name.replace("-", "_")
            begin, end = (getattr(type(self), f"_{which}_{local}", None) for which in ("start", "end"))
            self.handlers[tag] = name, begin, end
        return self.handlers[tag]

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        super().track_namespace(prefix, uri)
        self.handlers.clear()

    # Bases

    def _is_long_base(self, name: str, value: str | None) -> bool:
        """Tell whether an attribute would make the base of each relative URL longer than any URL may be."""
        is_long = len(value or "") + len(self.baseuri) > MAX_URL_LENGTH
        return is_long and name.lower() in ("xml:base", "base")

    def _is_based(self) -> bool:
        return self.depth >= self._based

    def _kept_base(self) -> str:
        return self._counted(self.baseuri) if self._is_based() else ""

    def resolve_uri(self, uri: str) -> str:
        """Resolve by xml:base; in RSS other URLs go by the channel's link, which the adapter knows."""
        if not self._is_based() or self._resolved_in_entry > MAX_ENTRY_BYTES:  # one too many to be stored
            return uri
        return self._counted(str(super().resolve_uri(uri)))

    def _counted(self, url: str) -> str:
        """Return the URL, unless all are more than may be stored."""
        self._resolved += len(url)
        self._resolved_in_entry += len(url)
        if self._resolved > MAX_DOCUMENT_BYTES:
            raise Enough
        return url

    def push_content(self, tag: str, attrs_d: dict[str, str], default_content_type: str, expecting_text: int) -> None:
        super().push_content(tag, attrs_d, default_content_type, expecting_text)
        self.contentparams = Dictionary(self.contentparams, base=self._kept_base())

    def pop_content(self, tag: str) -> str | None:
        """End a text, if one is open; feedparser counts below zero, and takes the next text for none."""
        return super().pop_content(tag) if self.incontent else None

    # Entries, links, people

    def _start_rdf_rdf(self, attrs_d: dict[str, str]) -> None:
        """Begin RSS 1.0, whatever namespace was declared first; feedparser may take it for Atom."""
        if self.version.startswith("atom"):
            self.version = "rss10"

    def _start_item(self, attrs_d: dict[str, str]) -> None:
        if len(self.entries) == MAX_ENTRIES:
            raise Enough
        super()._start_item(attrs_d)
        self.entries[-1] = Dictionary(self.entries[-1])
        self._named.clear()
        self._resolved_in_entry = 0
        self.entries[-1]["feeds_base"] = self._kept_base()
        if self.lang and self.langstack[-2:] != [self.lang, self.lang]:  # its own, not inherited
            self.entries[-1]["language"] = self.lang

    _start_entry = _start_item

    def _start_guid(self, attrs_d: dict[str, str]) -> None:
        is_link = attrs_d.get("ispermalink", "").strip().lower() in ("", "true", "1", "yes")
        self._save("feeds_permalink", is_link, overwrite=True)
        self.guidislink = 0  # feedparser resolves the guid then, and takes it for a link
        self.push("id", 1)

    _start_id, _end_guid = _start_guid, _pop("id")

    def _end_image(self) -> None:
        """Note the picture of an item, a URL in it or in its <url>, which feedparser leaves out."""
        text = self.pop("image")
        if self.inentry and (url := text or dict.pop(self.entries[-1], "href", None)):
            self.entries[-1].setdefault("image", {"href": url})
        self.inimage = 0

    def _end_link(self) -> None:
        """Mark the links of RSS, which are texts."""
        if self.pop("link") and not self.inimage:
            self._get_context()["links"][-1]["feeds_text"] = True

    def _save_author(self, key: str, value: str, prefix: str = "author") -> None:
        """Note a part of a person; feedparser takes the owner of a podcast for the author before it (#261)."""
        if prefix == "author":
            super()._save_author(key, value)
        else:
            self._get_context().setdefault("publisher_detail", Dictionary())[key] = value

    def _sync_author_detail(self, key: str = "author") -> None:
        """Note an author that is one text, as it is: feedparser's routine is quadratic, and knows few domains."""
        context = self._get_context()
        people, text = dict.get(context, f"{key}s"), dict.get(context, key)
        if people and not people[-1] and text:
            people[-1]["name"] = text

    # Dates, categories, hours, days

    # Their texts are read by the adapter, which knows more formats.
    _end_published = _end_issued = _end_pubdate = _pop("published")
    _end_updated = _end_modified = _end_lastbuilddate = _pop("updated")
    _end_created = _pop("created")

    def _add_tag(self, term: str | None, scheme: str | None, label: str | None) -> None:
        """Add a category of an entry, once, unless there are many; feedparser compares each with all before it.

        One without a term has a text to come; if none came for the one before it, that text is not for that one.
        """
        tags = self._get_context().setdefault("tags", [])
        if tags and not tags[-1]["term"]:
            tags[-1]["term"] = tags[-1]["label"] or " "
        named = (self.insource, term, scheme, label)
        is_new = not term or named not in self._named
        if self.inentry and any(named[1:]) and is_new and len(tags) < MAX_TAGS:
            self._named.add(named)
            tags.append({"term": term, "scheme": scheme, "label": label})

    def _end_hour(self) -> None:
        """Keep every hour of skipHours; feedparser keeps the last one."""
        self.feeddata.setdefault("skip_hours", []).append(self.pop("hour") or "")

    def _end_day(self) -> None:
        self.feeddata.setdefault("skip_days", []).append(self.pop("day") or "")
