"""No payload leaves anything that could act, by the elements and attributes that are left. A browser's word is better:

python -m tests.rigs.browser
"""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from feeds.parsing.html.elements import ATTRIBUTES, MATHML, MATHML_ATTRIBUTES, TAGS
from feeds.parsing.html.frames import HOSTS
from feeds.parsing.sanitizer import clean_html, require_escaping

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
PLACES = (
    *("{}", "<table>{}", "<svg><style>{}", "<math><mtext>{}", "<noscript>{}</noscript>"),
    *('<a href="{}">', '<img src="{}">', '<iframe src="{}"></iframe>', '<img srcset="{}">'),
)


class Elements(HTMLParser):
    """What there is in cleaned HTML that may not be there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()) | {"rel", "controls", "sandbox"}
        allowed |= MATHML_ATTRIBUTES if tag in MATHML else set()
        self.found += [tag] if tag not in TAGS | MATHML | {"iframe"} else []
        for name, value in attrs:
            self.found += [f"{tag} {name}"] if name not in allowed else []
            if name in ("href", "src", "poster"):
                schemes = ("http://", "https://", "mailto:", *(("data:image/",) if tag == "img" else ()))
                self.found += [] if (value or "").startswith(schemes) else [f"{tag} {name}={value}"]
            if tag == "iframe" and name == "src":
                self.found += [] if (value or "").split("/")[2] in HOSTS else [f"frame {value}"]


@pytest.mark.parametrize("name", ["scripts", "mutations", "urls", "frames", "srcset"])
def test_nothing_is_left_that_could_act(name: str) -> None:
    lines = (PAYLOADS / f"{name}.txt").read_text().splitlines()
    for line in (line for line in lines if line and not line.startswith("#")):
        for place in PLACES:
            once = clean_html(place.replace("{}", line), "https://example.com/").text
            assert Elements(once).found == [], (place, line)
            assert Elements(clean_html(once, "https://example.com/").text).found == [], (place, line)


def test_an_nh3_that_leaves_attributes_bare_is_refused() -> None:
    with pytest.raises(ImportError, match="does not escape"):
        require_escaping(lambda value: value)
