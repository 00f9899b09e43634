"""The admin with this project's site."""

from django.contrib.admin.apps import AdminConfig


class FeedsAdminConfig(AdminConfig):
    default_site = "feeds_project.admin.Site"
