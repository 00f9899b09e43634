"""A server that notes when it is asked, and how many requests were open at once."""

import threading
import time
from collections.abc import Iterator

from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed


class TimedServer(FeedServer):
    def __init__(self, listens_on: str = "127.0.0.1") -> None:
        super().__init__()
        self.listens_on = listens_on
        self.times: list[float] = []
        self.open = self.most_open = 0
        self.mutex = threading.Lock()

    def serve(self, count: int) -> list[str]:
        """Serve so many feeds; return their URLs."""
        paths = [f"/feed-{number}" for number in range(count)]
        self.routes |= dict.fromkeys(paths, self._answer)
        return [f"http://127.0.0.1:{self.port}{path}" for path in paths]

    def _answer(self, request: Received) -> Iterator[bytes]:
        with self.mutex:
            self.times.append(time.monotonic())
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            yield answer(body=sample_feed(request.target, kind="atom"), content_type="application/atom+xml", etag='"1"')
        finally:
            with self.mutex:
                self.open -= 1
