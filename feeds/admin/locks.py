"""The locks in the database; those in memcached are listed by `manage.py locks`."""

from django.contrib import admin

from feeds.admin.base import ReadOnlyAdmin
from feeds.models import Lock


@admin.register(Lock)
class LockAdmin(ReadOnlyAdmin):
    list_display = ("key", "token", "expires_at")
    fields = ("key", "token", "expires_at")
    ordering = ("expires_at",)
    search_fields = ("key",)
