"""The admin, loaded only where it is needed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register


class FeedsAdminConfig(SimpleAdminConfig):
    """Leaves it to urls.py to load the apps' admin: workers and most commands need none, and it is 0.13 s of 0.9."""

    def ready(self) -> None:
        register(check_dependencies, Tags.admin)
        register(check_site, Tags.admin)


def check_site(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Load what urls.py does, and check it."""
    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)
