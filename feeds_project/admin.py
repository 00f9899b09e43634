"""The admin's site of this project."""

from typing import Any

from django.contrib import admin


class Site(admin.AdminSite):
    site_header = site_title = "Feeds"
    index_title = "What there is"

    def get_app_list(self, request: Any, app_label: str | None = None) -> list[Any]:
        """Leave out the tasks of django_dramatiq: its AdminMiddleware, which we do not use, would fill that table."""
        return [app for app in super().get_app_list(request, app_label) if app["app_label"] != "django_dramatiq"]
