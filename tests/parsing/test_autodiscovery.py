"""Pages in, the feed that they name out."""

import time

import pytest

from feeds.fetching.values import FeedRequest, Fetched
from feeds.outcomes import FailureKind
from feeds.parsing.values import Document, Unreadable
from feeds.planning import redirects
from feeds.planning.values import FeedState, Move
from tests.rigs.planning import NOW, feed_state

NO_FEED = Unreadable(kind=FailureKind.NOT_A_FEED, text="")
PAGE = "https://example.org/blog/"
RSS, ATOM, JSON_FEED = "application/rss+xml", "application/atom+xml", "application/feed+json"


def page(html: str, url: str = PAGE) -> Document:
    return Document(url=url, body=html.encode())


def known(url: str = PAGE, *, username: str = "") -> FeedState:
    return feed_state(url, request=FeedRequest(url=url, username=username))


def chosen(document: Document, feed: FeedState) -> Move | None:
    fetched = Fetched(url=document.url, body=document.body, body_digest=b"")
    return redirects.discovered(feed, fetched, NO_FEED)


def link(href: str, type_: str = RSS, title: str = "") -> str:
    return f'<link rel="alternate" type="{type_}" title="{title}" href="{href}">'


def choice(html: str, url: str = PAGE) -> str:
    move = chosen(page(html, url), known(url))
    return move.url if move else ""


@pytest.mark.parametrize("type_", [RSS, ATOM, JSON_FEED, "APPLICATION/RSS+XML; charset=utf-8", "application/json"])
def test_h22_a_page_names_its_feed(type_: str) -> None:
    assert choice(f"<!DOCTYPE html><title>Blog</title>{link('/feed', type_)}") == "https://example.org/feed"


@pytest.mark.parametrize(
    "html",
    [
        "<p>no link at all",
        '<link rel="stylesheet" type="text/css" href="/style.css">',
        '<link rel="alternate" hreflang="de" href="/de/">',
        '<link rel="alternate" type="application/rss+xml">',
        '<link rel="alternate" type="application/rss+xml" href=" ">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed">',
        '<link rel="alternate" type="application/json" href="https://example.org/wp-json/wp/v2/pages/2">',
        '<link rel="alternate" type="application/json" href="https://example.org/?rest_route=/wp/v2/posts">',
        f"<!-- {link('/feed')} -->",
        f"<script>{link('/feed')}</script>",
        f"<template>{link('/feed')}</template>",
    ],
)
def test_what_names_no_feed_yields_none(html: str) -> None:
    assert choice(html) == ""


def test_attributes_may_be_written_in_every_way_that_html_allows() -> None:
    assert choice("<LINK REL='x ALTERNATE'\n TYPE=application/rss+xml HREF='/a?b=1&amp;c=2'/>") == (
        "https://example.org/a?b=1&c=2"
    )
    assert (
        choice('<link title="1 > 0" rel="alternate" type="application/rss+xml" href="/a">') == "https://example.org/a"
    )


def test_the_base_of_the_page_counts_and_only_the_first() -> None:
    html = f'<base target="_top"><base href="/deep/"><base href="/other/">{link("feed")}'
    assert choice(html) == "https://example.org/deep/feed"
    assert choice(link("feed")) == "https://example.org/blog/feed"


def test_a_page_gives_no_login_and_no_fragment() -> None:
    assert choice(link("https://ann:secret@example.org/feed#top")) == "https://example.org/feed"


def test_of_several_feeds_the_first_is_taken() -> None:
    assert choice(link("/one") + link("/two", ATOM)) == "https://example.org/one"


def test_the_pages_own_host_goes_before_others() -> None:
    assert choice(link("https://feeds.example/blog") + link("/feed")) == "https://example.org/feed"


def test_comments_go_last() -> None:
    assert choice(link("/comments/feed/") + link("https://feeds.example/blog")) == "https://feeds.example/blog"
    assert choice(link("/a", title="Blog » Comments Feed") + link("/b", title="Blog")) == "https://example.org/b"
    assert choice(link("/comments/feed/")) == "https://example.org/comments/feed/"


def test_f10_a_json_feed_under_its_own_type_goes_before_plain_json() -> None:
    html = link("/plain.json", "application/json") + link("/feed.json", JSON_FEED)
    assert choice(html) == "https://example.org/feed.json"


def test_the_choice_is_explained() -> None:
    move = chosen(page(link("/one", ATOM, "My blog") + link("/two")), known())
    assert move is not None
    assert move.found
    assert move.reason == "a page; of 2 feeds on it this was chosen: Atom 'My blog'"


def test_a_public_page_leads_into_no_private_network_and_a_private_one_may() -> None:
    assert choice(link("http://10.0.0.1/feed") + link("http://intranet/feed")) == ""
    assert choice(link("http://10.0.0.1/feed"), "http://10.0.0.2/") == "http://10.0.0.1/feed"


def test_a_login_set_for_the_page_goes_to_no_other_origin() -> None:
    html = link("https://elsewhere.example/feed", ATOM) + link("/feed")
    move = chosen(page(html), known(username="ann"))
    assert move is not None
    assert move.url == "https://example.org/feed"
    assert choice(link("/feed"), "https://ann:secret@example.org/") == "https://ann:secret@example.org/feed"


def test_only_a_page_at_a_url_never_imported_is_looked_at() -> None:
    there = page(link("/feed"))
    assert chosen(there, known())
    assert not chosen(there, feed_state(PAGE, imported_at=NOW))
    assert not chosen(there, feed_state(PAGE, found_on="https://x/"))
    fetched = Fetched(url=PAGE, body=there.body, body_digest=b"")
    assert not redirects.discovered(known(), fetched, Unreadable(kind=FailureKind.HOSTILE, text=""))


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<link ",
            '<link "',
            "<link '\"",
            "<link a=",
            "<!--",
            "<script",
            "<script>",
            '<link a="b>" ',
            "<base href=x>",
        ),
        link("/feed"),
        "<link " + "a<" * 900 + ">",
        "<link " + "&#" * 900 + ">",
        "<link " + " " * 1990,
    ],
)
def test_s8_a_page_made_to_cost_time_costs_little(piece: str) -> None:
    html = piece * (600_000 // len(piece))
    begun = time.process_time()
    choice(html)
    assert time.process_time() - begun < 2.0  # of the processor; the worst takes 0.03
