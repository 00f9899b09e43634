"""The page of posts, and the form to suggest a feed."""

from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Max
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import last_modified

from community.models import CommunityFeed, FeedType, Post
from feeds.models import Feed

POSTS_OF_A_PAGE = 25


def modified_at(request, slug=None):
    """Return when a post was added, changed or hidden, or a feed approved, for `Last-Modified`."""
    times = (model.objects.aggregate(last=Max("modified_at"))["last"] for model in (Post, CommunityFeed))
    return max((time for time in times if time), default=None)


@last_modified(modified_at)
def posts(request, slug=None):
    shown = Post.objects.shown()
    if slug is not None:
        shown = shown.filter(entry__feed__community__feed_type=get_object_or_404(FeedType, slug=slug))
    page = Paginator(shown, POSTS_OF_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "community/posts.html", {"page": page, "types": FeedType.objects.all()})


class SuggestionForm(forms.Form):
    title = forms.CharField(max_length=250)
    url = forms.URLField(assume_scheme="https")
    feed_type = forms.ModelChoiceField(FeedType.objects.filter(can_self_add=True))

    def clean_url(self):
        url = self.cleaned_data["url"]
        if Feed.objects.filter(url=url, community__isnull=False).exists():
            raise ValidationError("Somebody has suggested it before.")
        return url

    @transaction.atomic
    def save(self, owner):
        url = self.cleaned_data.pop("url")
        feed = Feed.objects.filter(url=url).first() or Feed.objects.create(url=url, status=Feed.Status.PAUSED)
        return CommunityFeed.objects.create(feed=feed, owner=owner, **self.cleaned_data)


def suggest(request):
    form = SuggestionForm(request.POST or None)
    if form.is_valid():
        form.save(owner=request.user if request.user.is_authenticated else None)
        return redirect("posts")
    return render(request, "community/suggest.html", {"form": form})
