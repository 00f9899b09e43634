"""The URLs of one value: absolute, safe, and together not much longer than they were."""

from feeds.canonical_urls import browser_url
from feeds.parsing.html.frames import frame_url
from feeds.parsing.html.pictures import data_picture, safe_srcset
from feeds.parsing.html.urls import is_plain, safe_url

MAX_URL_GROWTH = 500_000  # characters: relative URLs grow by their base, which the feed chooses
URLS = frozenset({"href", "poster", "src", "srcset"})


class Links:
    """Makes the URLs of a value absolute. `capped` says that some were left out."""

    def __init__(self, base: str = "", page: str = "") -> None:
        """`base` is what URLs are relative to, `page` where the entry can be read, which links into the text mean."""
        self.base = base if safe_url(base) else ""
        self._page = page.partition("#")[0]
        self._room = MAX_URL_GROWTH
        self.capped = False

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        """Return an attribute as it may stay; None where it may not."""
        if name not in URLS or (name != "srcset" and tag != "iframe" and is_plain(value)):
            return value
        if self.capped and not value.startswith("http"):  # it would not fit, and takes time
            return None
        if name == "src" and tag == "img" and value.lstrip()[:5].lower() == "data:":
            return data_picture(value) or None
        return self._bounded(value, self._url(tag, name, value)) or None

    def frame(self, value: str) -> tuple[str, str]:
        """Return the URL of a frame that may stay, or that of a link to it; at least one of them is empty."""
        frame = self._bounded(value, frame_url(value, self.base))
        return frame, "" if frame else self._bounded(value, safe_url(value, self.base))

    def _url(self, tag: str, name: str, value: str) -> str:
        if name == "href":
            return self._href(value)
        if name == "srcset":
            return safe_srcset(value, lambda url: safe_url(url, self.base))
        return frame_url(value, self.base) if tag == "iframe" else safe_url(value, self.base)

    def _href(self, value: str) -> str:
        fragment = value.strip()
        if not fragment.startswith("#"):
            return safe_url(value, self.base, mail=True)
        # What it leads to has lost its id; on the entry's page it has not.
        return browser_url(fragment, self._page) if len(fragment) > 1 and self._page else ""

    def _bounded(self, value: str, url: str) -> str:
        growth = len(url) - len(value)
        if growth > self._room:
            self.capped = True
            return ""
        self._room -= max(growth, 0)
        return url
