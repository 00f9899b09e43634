"""Hosts: a person may give one a delay of its own, also before its first request, or end its pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from feeds.models import Host

if TYPE_CHECKING:
    from django import forms
    from django.http import HttpRequest

    HostModelAdmin = admin.ModelAdmin[Host]  # generic for the type checker only
    HostForm = forms.ModelForm[Host]
else:
    HostModelAdmin = admin.ModelAdmin


@admin.register(Host)
class HostAdmin(HostModelAdmin):
    list_display = ("name", "gap", "paused_until", "requests", "waits", "pauses")
    fields = ("name", "gap", "paused_until", "pause_reason", "slot_at", "open_at", "requests", "waits", "pauses")
    readonly_fields = ("pause_reason", "slot_at", "open_at", "requests", "waits", "pauses")
    ordering = ("name",)
    search_fields = ("name",)
    search_help_text = "A part of the name."
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("name", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Host, form: HostForm, change: bool) -> None:
        """Write what the form has, and nothing of what workers count meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)
