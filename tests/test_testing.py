"""The aid for the tests of host projects, as a host uses it: in a `TestCase`, whose transaction is never committed."""

from django.test import TestCase, override_settings

from feeds import signals
from feeds.conf import feeds_settings
from feeds.models import Entry
from feeds.testing import FeedSite, rss


class FeedSiteTests(TestCase):
    def test_a_feed_is_served_and_imported_and_again_when_it_has_changed(self) -> None:
        with FeedSite({"/feed": rss("Two", "One & only", feed="Planet")}) as site:
            feed = site.import_feed("/feed")
            assert (feed.title, {entry.title for entry in feed.entries.all()}) == ("Planet", {"One & only", "Two"})
            assert site.import_feed("/feed").last_outcome == "unchanged"
            site.documents["/feed"] = rss("Three", "Two", "One & only", feed="Planet")
            assert site.import_feed("/feed").entries.count() == 3
        assert site.requested == ["/feed"] * 3

    def test_a_status_in_the_place_of_a_document_is_what_the_server_says(self) -> None:
        with FeedSite({"/gone": 410}) as site:
            assert site.import_feed("/gone").error_kind == "gone"
            assert site.import_feed("/no-such").error_kind == "not_found"

    def test_signals_are_sent_although_nothing_is_committed(self) -> None:
        heard: list[str] = []

        def hear(entries: list[Entry], **_: object) -> None:
            heard.extend(entry.title for entry in entries)

        signals.entries_added.connect(hear)
        self.addCleanup(signals.entries_added.disconnect, hear)
        with FeedSite({"/feed": rss("One")}) as site:
            site.import_feed("/feed")
        assert heard == ["One"]

    @override_settings(FEEDS_PROXY="http://127.0.0.1:9")
    def test_a_proxy_of_the_projects_is_not_asked_for_what_is_served_here(self) -> None:
        with FeedSite({"/feed": rss("One")}) as site:
            assert site.import_feed("/feed").last_outcome == "imported"

    def test_a_site_that_several_tests_share_is_served_in_each_of_their_blocks(self) -> None:
        site = FeedSite({"/feed": rss("One")})
        for _ in range(2):
            with site:
                assert site.import_feed("/feed").error_kind == ""

    def test_outside_of_the_block_loopback_is_refused_again(self) -> None:
        with FeedSite({}):
            assert feeds_settings().allowed_networks == ("127.0.0.1/32",)
        assert feeds_settings().allowed_networks == ()
