"""HTML written anew so that it is cheap to parse and says what would be lost: what the sanitizer gets where it matters.

Every tag that is written has its end; elements nest up to a depth; formatting ends with the block that it stands in.
So whatever parses it opens no element that is not there, which HTML's rules for wrong nesting would do: 990 unclosed
<i> before 12,000 <p> are 12 million elements. Nothing here makes HTML safe: that is the sanitizer's.
"""

from html import escape

from feeds.parsing.html.elements import (
    ATTRIBUTES,
    ENDS,
    MATHML,
    MATHML_ATTRIBUTES,
    MATHML_TEXTS,
    ROWS,
    TABLE_PARTS,
    TAGS,
    VOID,
    WITHOUT_TEXT,
    barriers,
)
from feeds.parsing.html.frames import SANDBOX
from feeds.parsing.html.links import Links
from feeds.parsing.html.pictures import is_placeholder
from feeds.parsing.html.tokens import Token, attributes_of, tokens

MAX_DEPTH = 256  # elements; Chrome has 512
MAX_ATTRIBUTE = 10_000  # characters of one that is no URL
MAX_FORMULA_ATTRIBUTE = 100  # characters
_DEPTH_OF_A_CELL = 5  # table, tbody, tr, td, and what is in it
_ADDED = {"a": len(' rel="noopener noreferrer"'), "iframe": len(SANDBOX) + 11}  # characters, by the sanitizer
_BREAK = "<!---->"  # ends a text: parsers are quadratic in the references of one
_MOST_REFERENCES = 500
_DRAWN_TEXTS = frozenset({"title", "desc", "text", "tspan"})
_IN_CELLS, _IN_ROWS = frozenset({"", "td", "th", "tr"}), frozenset({"", "td", "th"})
_KEPT = {name: ATTRIBUTES["*"] | ATTRIBUTES.get(name, set()) for name in TAGS | {"iframe"}}


def rewritten(value: str, links: Links, limit: int) -> tuple[str, bool]:
    """Return HTML of `limit` characters at most, and whether that was not all."""
    writer = _Writer(links, limit)
    for token in tokens(value):
        if writer.is_full:
            break
        writer.write(token)
    return writer.finished(), writer.capped


class _Writer:
    def __init__(self, links: Links, limit: int) -> None:
        self._links = links
        self._out: list[str] = []
        self._room = limit
        self._stack: list[str] = []  # elements that are open
        self._open: dict[str, int] = dict.fromkeys((*TAGS, *MATHML, "iframe"), 0)  # how often they are
        self._left_out: dict[str, int] = {}  # elements that were too deep, and have not ended
        self._silent, self._silences = "", 0  # the element whose text is left out, and how often it is open
        self._drawings = 0  # <svg> that are open
        self._references = 0  # of the text that is being written
        self._alternatives = 0  # <noscript> that are open
        self._picture: tuple[int, str, bool] | None = None  # the last: where it is written, its URL, if in a <noscript>
        self._is_next = False  # nothing was written since
        self.is_full = self.capped = False

    def finished(self) -> str:
        self._end_to(0)
        return "".join(self._out)

    def write(self, token: Token) -> None:
        text, name, attributes, is_end = token
        if self._silent:
            if name == self._silent:
                self._silences += -1 if is_end else 1
                self._silent = self._silent if self._silences else ""
        elif text:
            self._text(text)
        elif is_end:
            self._end(name)
        else:
            self._start(name, attributes)

    # Tags

    def _start(self, name: str, written: str) -> None:
        if name in TAGS and not self._open["math"]:
            self._html(name, attributes_of(written) if _may_stay(name, written) else {})
        elif name in WITHOUT_TEXT and not (name == "title" and self._drawings):
            self._silent, self._silences = name, 1
        elif name == "svg":
            self._drawings += not written.endswith("/")
        elif name == "noscript":
            self._alternatives += 1
        elif name in MATHML and (name == "math" or self._open["math"]):
            self._formula(name, written)
        elif self._open["math"] and any(map(self._open.__getitem__, MATHML_TEXTS)):
            pass  # text only
        elif name == "iframe":
            self._frame(attributes_of(written))
        elif name in TAGS:
            self._end_to(self._stack.index("math"))  # nobody ended it; browsers end it here, too
            self._html(name, attributes_of(written) if _may_stay(name, written) else {})

    def _end(self, name: str) -> None:
        if self._stack and self._stack[-1] == name and not self._left_out:
            self._end_to(len(self._stack) - 1)
        elif name == "svg":
            self._drawings = max(self._drawings - 1, 0)
        elif name == "noscript":
            self._alternatives = max(self._alternatives - 1, 0)
        elif self._drawings and name in _DRAWN_TEXTS:
            self._text(" ")
        elif name == "br":
            self._html(name, {})
        elif self._left_out.get(name):
            self._left_out[name] -= 1
        elif self._open.get(name):
            self._end_nearest(name)

    def _end_nearest(self, name: str) -> None:
        beyond = barriers(name) if name in TAGS else ()
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] == name:
                self._end_to(index)
                return
            if self._stack[index] in beyond:
                return

    def _end_to(self, index: int) -> None:
        while len(self._stack) > index:
            name = self._stack.pop()
            self._open[name] -= 1
            self._out.append(f"</{name}>")
        self._references = 0

    def _html(self, name: str, attributes: dict[str, str]) -> None:
        is_part = name in TABLE_PARTS
        if is_part and not self._open["table"]:
            return
        if name in ENDS:
            self._end_implied(name)
        if self._stack and self._stack[-1] in ROWS:
            self._begin_parents(name if is_part else "")
        if attributes:
            attributes = self._safe(name, attributes)
        if name == "img":
            self._show(attributes)
        else:
            self._is_next = False
            self._begin(name, attributes)

    def _end_implied(self, name: str) -> None:
        ended, beyond = ENDS[name]
        if not any(map(self._open.__getitem__, ended)):
            return
        outermost = len(self._stack)
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] in beyond:
                break
            if self._stack[index] in ended:
                outermost = index
        self._end_to(outermost)

    def _begin_parents(self, name: str) -> None:
        """Begin what is missing between an open part of a table and another part of it, or what stands in no cell.

        That goes into a cell: browsers would move it before the table, piece by piece.
        """
        if self._stack[-1] == "colgroup" and name != "col":
            self._end_to(len(self._stack) - 1)
        if name in _IN_CELLS and self._stack[-1] == "table":
            self._begin("tbody", {})
        if name in _IN_ROWS and self._stack[-1] != "tr":
            self._begin("tr", {})
        if not name:
            self._begin("td", {})

    def _safe(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        """Return the attributes that may stay, URLs absolute."""
        kept, safe = _KEPT[name], {}
        for key, value in attributes.items():
            if key in kept and (found := self._links.attribute(name, key, value)) is not None:
                safe[key] = found if found != value or len(found) <= MAX_ATTRIBUTE else found[:MAX_ATTRIBUTE]
        return safe

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        is_void = name in VOID
        if not is_void and len(self._stack) >= MAX_DEPTH - _DEPTH_OF_A_CELL * (name == "table"):
            self._left_out[name] = self._left_out.get(name, 0) + 1
            self.capped = True
            return
        tag = f"<{name}>"
        if attributes:
            tag = "".join((tag[:-1], *(f' {key}="{escape(value)}"' for key, value in attributes.items()), ">"))
        length = len(tag) + len(name) + _ADDED.get(name, 0)
        if length > self._room:
            self.is_full = self.capped = True
            return
        self._room -= length
        self._references = 0
        self._out.append(tag)
        if not is_void:
            self._stack.append(name)
            self._open[name] += 1

    # Texts

    def _text(self, text: str) -> None:
        if not text.isspace():
            if self._stack and self._stack[-1] in ROWS:
                self._begin_parents("")
            self._is_next = False
        text = text.replace("<", "&lt;")
        if len(text) > self._room:
            text, self.is_full, self.capped = text[: max(self._room, 0)], True, True
        self._room -= len(text)
        references = text.count("&")
        if references + self._references > _MOST_REFERENCES:
            text, references = _BREAK + _broken(text), _MOST_REFERENCES
        self._references += references
        self._out.append(text)

    # Formulas and pictures

    def _formula(self, name: str, written: str) -> None:
        self._is_next = False
        if name == "math":
            if self._open["math"]:
                self._end_to(self._stack.index("math"))
            if self._stack and self._stack[-1] in ROWS:
                self._begin_parents("")
        attributes = {key: value for key, value in attributes_of(written).items() if key in MATHML_ATTRIBUTES}
        depth = len(self._stack)
        self._begin(name, {key: value[:MAX_FORMULA_ATTRIBUTE] for key, value in attributes.items()})
        if written.endswith("/") and len(self._stack) > depth:  # which ends the element, as in XML
            self._end_to(depth)

    def _frame(self, attributes: dict[str, str]) -> None:
        """Write a frame, if it may stay; what stood in it is not read."""
        if frame := self._links.frame(attributes.get("src", ""))[0]:
            self._html("iframe", {**attributes, "src": frame})
            self._end("iframe")

    def _show(self, attributes: dict[str, str]) -> None:
        """Write a picture, unless it is the one before it once more: for those without scripts, or for those with."""
        shown = attributes.get("src") or attributes.get("srcset", "")
        is_alternative = self._alternatives > 0
        if self._picture:
            index, before, was_alternative = self._picture
            if shown == before and (is_alternative or was_alternative):
                return
            if self._is_next and is_placeholder(shown) and was_alternative > is_alternative:
                return
            if self._is_next and is_placeholder(before) and is_alternative > was_alternative:
                self._out[index] = ""
        if shown or attributes.get("alt"):
            self._picture, self._is_next = (len(self._out), shown, is_alternative), True
            self._begin("img", attributes)


def _may_stay(name: str, written: str) -> bool:
    """Tell whether any of these attributes may be one that stays; those of most tags are not even looked at."""
    return bool(written) and (name in ATTRIBUTES or any(map(written.lower().count, ATTRIBUTES["*"])))


def _broken(text: str) -> str:
    """Return a text with breaks in it, none of them within a reference."""
    pieces = text.split("&")
    groups = ("&".join(pieces[start : start + _MOST_REFERENCES]) for start in range(0, len(pieces), _MOST_REFERENCES))
    return f"{_BREAK}&".join(groups)
