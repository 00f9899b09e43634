"""A project that installs the app keeps every other package as it was."""

import copy
import io

import feedparser
import pytest

import feeds.parsing  # noqa: F401  # what is tested is that it changes nothing
from tests.rigs import guest
from tests.rigs.guest import Described

PATCHES = """
import functools, logging
import feedparser.api, feedparser.mixin, feedparser.util, urllib3.util.url, xml.sax
from django.utils import timezone
feedparser.mixin.make_safe_absolute_uri = functools.lru_cache(feedparser.mixin.make_safe_absolute_uri)
feedparser.mixin._cp1252 = {**feedparser.mixin._cp1252, 0: ""}
feedparser.api.PREFERRED_XML_PARSERS = ["feeds.parsing"]
feedparser.api.StrictFeedParser = type("StrictFeedParser", (feedparser.api.StrictFeedParser,), {})
feedparser.util.FeedParserDict.__deepcopy__ = lambda self, memo: self
feedparser.util.FeedParserDict.get = lambda self, key, default=None: dict.get(self, key, default)
urllib3.util.url._HOST_PORT_RE = urllib3.util.url._IPV4_RE
xml.sax.make_parser = functools.partial(xml.sax.make_parser, ["x"])
logging.getLogger("urllib3").setLevel(logging.ERROR)
timezone.now = functools.wraps(timezone.now)(lambda: None)
"""
PATCHED = {
    "module feedparser.mixin: make_safe_absolute_uri",
    "module feedparser.mixin: _cp1252",
    "module feedparser.api: PREFERRED_XML_PARSERS",
    "module feedparser.api: StrictFeedParser",
    "class feedparser.util.FeedParserDict: __deepcopy__",
    "class feedparser.util.FeedParserDict: get",
    "module urllib3.util.url: _HOST_PORT_RE",
    "module xml.sax: make_parser",
    "loggers: urllib3",
    "module django.utils.timezone: now",
}
DOCUMENT = (
    b'<rss version="2.0"><channel><title>t</title><item><guid>/relative</guid>'
    b"<author>ada@example.com (Ada)</author></item></channel></rss>"
)


@pytest.fixture(scope="module")
def with_app() -> Described:
    return guest.with_feeds()


@pytest.fixture(scope="module")
def untouched(with_app: Described) -> Described:
    return guest.without_feeds(with_app)


def test_importing_every_module_of_the_app_changes_nothing_in_any_other_package(
    with_app: Described, untouched: Described
) -> None:
    assert list(guest.differences(with_app, untouched)) == []
    assert {"module feedparser.mixin", "module urllib3.response"} <= with_app.keys()


def test_each_kind_of_patch_is_noticed(untouched: Described) -> None:
    found = set(guest.differences(guest.with_feeds(PATCHES), untouched))
    assert found >= PATCHED


def own_result() -> feedparser.FeedParserDict:
    return feedparser.parse(io.BytesIO(DOCUMENT), response_headers={"content-location": "https://h.example/feed"})


def test_feedparser_itself_resolves_a_relative_guid_as_ever() -> None:
    assert own_result().entries[0].id == "https://h.example/relative"


def test_feedparser_itself_reads_the_email_of_an_author_as_ever() -> None:
    author = own_result().entries[0].authors[0]
    assert (type(author), author) == (feedparser.FeedParserDict, {"name": "Ada", "email": "ada@example.com"})


def test_a_deep_copy_of_a_result_of_feedparsers_shares_nothing_with_it() -> None:
    result = own_result()
    copied = copy.deepcopy(result)
    copied.entries.clear()
    assert len(result.entries) == 1
