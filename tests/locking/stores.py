"""A lock store that can be down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.locmem import LocMemCache


class DownStore(LocMemCache):
    """LocMemCache, but for the time in which it is down."""

    is_down = False
    asked = threading.Event()

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__("down-store", params)

    @classmethod
    @contextmanager
    def down(cls) -> Iterator[None]:
        cls.asked.clear()
        cls.is_down = True
        try:
            yield
        finally:
            cls.is_down = False

    def add(self, *arguments: Any, **options: Any) -> bool:
        if self.is_down:
            self.asked.set()
            raise ConnectionRefusedError("down")
        return super().add(*arguments, **options)
