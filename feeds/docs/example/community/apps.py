"""The app: it hears of new entries."""

from importlib import import_module

from django.apps import AppConfig


class CommunityConfig(AppConfig):
    name = "community"

    def ready(self):
        import_module("community.receivers")
