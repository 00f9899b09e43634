"""The app: its checks, and the importer of this process."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from feeds.importer import Importer


class FeedsConfig(AppConfig):
    name = "feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feeds import checks  # noqa: F401  # registers them; models must be loaded first

        self._mutex = Lock()
        self._importer: Importer | None = None

    @property
    def importer(self) -> Importer:
        """The one importer of this process, made when it is needed first, and anew when settings have changed."""
        # Imported here, since models must be loaded first, and most commands import no feed.
        from feeds.conf import feeds_settings
        from feeds.importer import Importer

        settings = feeds_settings()
        with self._mutex:
            if self._importer is not None and self._importer.settings is not settings:
                self._importer.close()
                self._importer = None
            self._importer = self._importer or Importer(settings)
            return self._importer
