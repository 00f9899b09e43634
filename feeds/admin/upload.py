"""The upload of a list of feeds: a preview of what it would add, then the feeds."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from feeds import canonical_urls, storage
from feeds.admin.actions import FeedActions
from feeds.admin.base import list_of
from feeds.management import sources
from feeds.management.progress import counted
from feeds.management.sources import BadLine
from feeds.models import Feed
from feeds.parsing import to_utf8
from feeds.storage import CHUNK, Subscription, chunked

MOST_BYTES = 2_000_000  # Django takes forms of 2.5 MB; `manage.py import_feeds` reads any
SHOWN = 200  # rows of the preview


class UploadForm(forms.Form):
    file = forms.FileField(help_text="OPML, or URLs, one a line; 2 MB at the most.")

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError("More than 2 MB. `manage.py import_feeds FILE` reads it.", code="large")
        return to_utf8(file.read()).decode()


def upload_view(admin: FeedActions, request: HttpRequest) -> HttpResponse:
    """Ask for a file; show what it would add; add that."""
    if not admin.has_add_permission(request):
        raise PermissionDenied
    if "text" in request.POST:
        return _add(admin, request, request.POST["text"])
    form = UploadForm(request.POST or None, request.FILES or None)
    context = admin.admin_site.each_context(request) | {
        "title": "Upload subscriptions",
        "opts": Feed._meta,
        "form": form,
    }
    if form.is_valid():
        context |= _preview(form.cleaned_data["file"])
    return render(request, "feeds/upload.html", context)


def _preview(text: str) -> dict[str, Any]:
    bad: list[BadLine] = []
    items = list(sources.document("the file", text.encode()))
    intake = sources.take_in(items, register=sources.rehearse, report=bad.append)
    shown = [each for each in items if isinstance(each, Subscription)][:SHOWN]
    known = Feed.primary.ids_by_url(each.url for each in shown)
    rows = [(canonical_urls.redacted(each.url), each.url in known, each) for each in shown]
    return {"text": text, "intake": intake, "rows": rows, "bad": bad[:SHOWN]}


def _add(admin: FeedActions, request: HttpRequest, text: str) -> HttpResponse:
    bad: list[BadLine] = []
    items = sources.document("the file", text.encode())
    intake = sources.take_in(items, register=storage.register, report=bad.append)
    admin.message_user(request, f"{counted(intake.added, 'feed')} added, {intake.known:,} known.", messages.SUCCESS)
    if bad:
        admin.message_user(request, f"{counted(len(bad), 'line')} could not be read.", messages.WARNING)
    unchecked = (Feed.primary.filter(pk__in=ids, checked_at=None) for ids in chunked(intake.feed_ids, CHUNK))
    admin.send(request, (url for feeds in unchecked for url in feeds.values_list("url", flat=True)))
    return HttpResponseRedirect(list_of(Feed, state="never checked"))
