"""From a suggestion to the page, and off it again."""

from django.contrib.admin import site as admin_site
from django.test import TestCase

from community.admin import CommunityFeedAdmin
from community.models import CommunityFeed, FeedType, Post
from feeds.models import Feed
from feeds.testing import FeedSite, rss


class CommunityTests(TestCase):
    def setUp(self):
        self.blogs = FeedType.objects.create(name="Blogs", slug="blogs")
        self.jobs = FeedType.objects.create(name="Jobs", slug="jobs", can_self_add=False)
        self.site = self.enterContext(FeedSite({"/feed.xml": rss("Two", "One")}))
        self.url = self.site.url("/feed.xml")

    def suggest(self, feed_type=None):
        values = {"title": "A blog", "url": self.url, "feed_type": (feed_type or self.blogs).pk}
        return self.client.post("/suggest/", values)

    def decide(self, action):
        moderation = CommunityFeedAdmin(CommunityFeed, admin_site)
        getattr(moderation, action)(None, CommunityFeed.objects.all())

    def approved(self):
        self.suggest()
        self.decide("approve")
        return self.site.import_feed("/feed.xml")

    def test_what_is_suggested_is_neither_fetched_nor_shown_until_it_is_approved(self):
        self.assertRedirects(self.suggest(), "/")
        self.site.import_feed("/feed.xml")
        self.assertEqual(self.site.requested, [])
        self.decide("approve")
        self.site.import_feed("/feed.xml")
        page = self.client.get("/")
        self.assertContains(page, "Two")
        self.assertContains(page, "A blog")

    def test_what_is_denied_is_polled_no_more_and_not_shown(self):
        self.approved()
        self.decide("deny")
        self.assertEqual(Feed.objects.get().status, Feed.Status.PAUSED)
        self.assertContains(self.client.get("/"), "Nothing yet")

    def test_posts_are_shown_by_type(self):
        self.approved()
        self.assertContains(self.client.get("/blogs/"), "One")
        self.assertNotContains(self.client.get("/jobs/"), "One")

    def test_a_post_that_is_hidden_stays_so_when_its_entry_is_edited(self):
        self.approved()
        post = Post.objects.get(entry__title="One")
        post.is_hidden = True
        post.save()
        self.site.documents["/feed.xml"] = rss("Two", "One").replace("<title>One<", "<title>One, edited<")
        self.site.import_feed("/feed.xml")
        self.assertEqual(Post.objects.get(pk=post.pk).entry.title, "One, edited")
        self.assertNotContains(self.client.get("/"), "One")

    def test_the_page_is_not_sent_again_until_something_has_changed(self):
        self.approved()
        seen = {"If-Modified-Since": self.client.get("/")["Last-Modified"]}
        self.assertEqual(self.client.get("/", headers=seen).status_code, 304)
        Post.objects.update(modified_at="2100-01-01T00:00:00Z")
        self.assertEqual(self.client.get("/", headers=seen).status_code, 200)

    def test_a_feed_is_suggested_once_and_of_a_type_that_is_open_for_it(self):
        self.suggest()
        self.assertContains(self.suggest(), "suggested it before")
        self.assertContains(self.suggest(self.jobs), "not one of the available choices")
