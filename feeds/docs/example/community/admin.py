"""Moderation."""

from functools import partial

from django.contrib import admin
from django.db import transaction
from django.utils import timezone

from community.models import CommunityFeed, FeedType, Post
from feeds.models import Feed
from feeds.tasks import import_feed

admin.site.register(FeedType)


@admin.register(CommunityFeed)
class CommunityFeedAdmin(admin.ModelAdmin):
    list_display = ["title", "feed_type", "status", "owner"]
    list_filter = ["status", "feed_type"]
    list_select_related = ["feed_type", "owner"]
    raw_id_fields = ["feed"]
    actions = ["approve", "deny"]

    @admin.action(description="Approve, and import")
    def approve(self, request, queryset):
        for url in self._decide(queryset, CommunityFeed.Status.APPROVED, Feed.Status.ACTIVE):
            transaction.on_commit(partial(import_feed.send, url))

    @admin.action(description="Deny")
    def deny(self, request, queryset):
        self._decide(queryset, CommunityFeed.Status.DENIED, Feed.Status.PAUSED)

    def _decide(self, queryset, status, polled):
        """Set what the community says and whether the feed is polled; return the URLs of the feeds."""
        chosen = list(queryset.values_list("pk", flat=True))
        CommunityFeed.objects.filter(pk__in=chosen).update(status=status, modified_at=timezone.now())
        feeds = Feed.objects.filter(community__in=chosen)
        feeds.fence(status=polled)  # an import under way writes nothing
        return list(feeds.values_list("url", flat=True))


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    list_display = ["entry", "is_hidden", "modified_at"]
    list_editable = ["is_hidden"]
    list_select_related = ["entry"]
    raw_id_fields = ["entry"]
