"""Hosts: a person may give one a delay of its own, also before its first request, or end its pause."""

from datetime import datetime

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timeuntil

from feeds import clock, durations, scheduling
from feeds.admin.base import Editable, List, link, list_of
from feeds.admin.state import marked
from feeds.models import Feed, Host


class HostForm(forms.ModelForm):
    def clean_paused_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["paused_until"]
        if until and until > timezone.now() + scheduling.FARTHEST:
            raise forms.ValidationError(f"A pause ends within {scheduling.FARTHEST.days} days.", code="invalid")
        return until


@admin.register(Host)
class HostAdmin(Editable, List):
    form = HostForm
    list_display = ("name", "state", "queue", "delay", "waits")
    fields = ("name", "delay", "paused_until", "pause_reason", "slot_at", "free_at", "requests", "waits", "pauses")
    readonly_fields = ("pause_reason", "slot_at", "free_at", "requests", "waits", "pauses")
    ordering = ("name",)
    search_fields = ("name",)
    search_help_text = "A part of the name."

    @admin.display(description="state")
    def state(self, host: Host) -> str:
        until, now = clock.aware(host.paused_until), clock.now()
        if until is None or until <= now:
            return marked("good", "✓", "well")
        return marked("bad", "‖", f"paused for {timeuntil(until, now, depth=1)}: {host.pause_reason}")

    @admin.display(description="feeds")
    def queue(self, host: Host) -> str:
        """Lead to the feeds, and say how long the queue of their requests is."""
        seconds = int((clock.aware(host.slot_at) - clock.now()).total_seconds())
        queue = f"; the next free slot is in {durations.in_words(seconds)}" if seconds > 0 else ""
        return format_html("{}{}", link(list_of(Feed, host__exact=host.pk), "feeds"), queue)

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("name", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Host, form: HostForm, change: bool) -> None:
        """Write what the form has, and nothing of what workers count meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)

    def has_delete_permission(self, request: HttpRequest, obj: Host | None = None) -> bool:
        """Let a host go that no feed refers to. Django would list all the feeds that keep the others."""
        return obj is not None and not obj.feeds.exists() and super().has_delete_permission(request, obj)
