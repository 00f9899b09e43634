"""Actions on the feeds that were chosen in the list. Each says how many feeds it has changed."""

import logging
from collections.abc import Iterable

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from feeds import clock, opml, storage
from feeds.exceptions import describe
from feeds.management.progress import counted
from feeds.managers import FeedQuerySet
from feeds.models import Feed
from feeds.opml import Outline

logger = logging.getLogger(__name__)


class FolderForm(ActionForm):
    folder = forms.CharField(required=False, label="folder", widget=forms.TextInput(attrs={"size": 8}))


class FeedActions(admin.ModelAdmin):
    action_form = FolderForm
    actions = ("import_now", "check_as_new", "pause", "resume", "disable", "move_to_folder", "export")

    @admin.action(description="Import now", permissions=["change"])
    def import_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        if sent := self.send(request, queryset.exclude(status=Feed.Status.PAUSED).values_list("url", flat=True)):
            self.message_user(request, f"{counted(sent, 'feed')} queued for import.", messages.SUCCESS)
        if paused := queryset.filter(status=Feed.Status.PAUSED).count():
            text = f"{counted(paused, 'feed')} paused: not imported until resumed."
            self.message_user(request, text, messages.WARNING)

    def send(self, request: HttpRequest, urls: Iterable[str]) -> int:
        """Send feeds to the queue; return how many, and say so where the broker takes no more."""
        # Imported here: Django may load this module before the broker is set, and actors keep the broker they find.
        from feeds import tasks

        sent = 0
        try:
            for url in urls:
                tasks.send(url)
                sent += 1
        except Exception as error:  # each broker's client has its own, and they are named in no module of ours
            logger.exception("action=import_now sent=%s: the broker does not take messages", sent)
            self.message_user(request, f"The queue failed. {describe(error)}", messages.ERROR)
        return sent

    @admin.action(description="Check as if new: fetch in full", permissions=["change"])
    def check_as_new(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        """Forget what the server said last: the whole document is fetched and read again. No entry comes twice."""
        reason = f"to be checked as if new, by {request.user.get_username()}"
        active = queryset.filter(status=Feed.Status.ACTIVE)
        checked = active.fence(**storage.UNSEEN, next_check_at=clock.now(), next_check_reason=reason)
        self.message_user(request, f"{counted(checked, 'feed')} to be checked as if new.", messages.SUCCESS)

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        active = queryset.filter(status=Feed.Status.ACTIVE)
        paused = active.fence(status=Feed.Status.PAUSED, status_reason=f"by {request.user.get_username()}")
        self.message_user(request, f"{counted(paused, 'feed')} paused.", messages.SUCCESS)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        resumed = queryset.fence(
            status=Feed.Status.ACTIVE,
            status_reason="",
            next_check_at=clock.now(),
            next_check_reason=f"resumed by {request.user.get_username()}",
            **storage.no_error(),
        )
        self.message_user(request, f"{counted(resumed, 'feed')} resumed, to be checked now.", messages.SUCCESS)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: FeedQuerySet) -> None:
        reason = f"by {request.user.get_username()}"
        others = queryset.exclude(status=Feed.Status.DISABLED)
        disabled = others.fence(status=Feed.Status.DISABLED, status_reason=reason, next_check_at=None)
        self.message_user(request, f"{counted(disabled, 'feed')} disabled.", messages.SUCCESS)

    @admin.action(description="Move to the folder …", permissions=["change"])
    def move_to_folder(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        folder = request.POST.get("folder", "").strip()
        moved = queryset.update(folder=folder)  # no import writes it
        self.message_user(request, f"{counted(moved, 'feed')} moved to {folder or 'no folder'}.", messages.SUCCESS)

    @admin.action(description="Export as OPML", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Feed]) -> HttpResponse:
        rows = queryset.order_by("title", "id").values("url", "folder", "title", "site_url")
        outlines = sorted((Outline(**row) for row in rows), key=lambda outline: opml.folder_parts(outline.folder))
        document = opml.document(outlines, title="Feeds")
        response = HttpResponse(document, content_type="text/x-opml; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="feeds.opml"'
        return response
