"""A feed and its posts, as the recipe's readers have them."""

from django.db import models


class Feed(models.Model):
    url = models.URLField(unique=True, max_length=500)
    name = models.CharField(max_length=200)

    class Meta:
        app_label = "recipe"


class Post(models.Model):
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE)
    guid = models.CharField(max_length=500)
    title = models.CharField(max_length=500)
    link = models.CharField(max_length=2_000)
    content = models.TextField()
    published = models.DateTimeField(null=True)

    class Meta:
        app_label = "recipe"
        unique_together = [("feed", "guid")]
