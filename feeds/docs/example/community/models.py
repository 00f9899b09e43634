"""What the community knows of feeds and entries."""

from django.conf import settings
from django.db import models

from feeds.models import Entry, Feed


class FeedType(models.Model):
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    can_self_add = models.BooleanField(default=True, help_text="People may suggest feeds of this type.")

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class CommunityFeed(models.Model):
    """A feed that somebody has suggested."""

    class Status(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        DENIED = "denied"

    feed = models.OneToOneField(Feed, on_delete=models.CASCADE, related_name="community")
    feed_type = models.ForeignKey(FeedType, on_delete=models.CASCADE, related_name="feeds")
    title = models.CharField(max_length=250)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    modified_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.title


class PostQuerySet(models.QuerySet):
    def shown(self):
        """Return what everybody sees, the newest first."""
        approved = self.filter(is_hidden=False, entry__feed__community__status=CommunityFeed.Status.APPROVED)
        return approved.select_related("entry__feed__community").order_by("-entry__sorted_at", "-pk")


class Post(models.Model):
    """An entry of a community's feed."""

    entry = models.OneToOneField(Entry, on_delete=models.CASCADE, related_name="post")
    is_hidden = models.BooleanField(default=False)
    modified_at = models.DateTimeField(auto_now=True)

    objects = PostQuerySet.as_manager()

    def __str__(self):
        return str(self.entry)
