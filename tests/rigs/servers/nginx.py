"""A real nginx that serves a folder and logs which requests were conditional."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.servers.daemon import Daemon, connect, program

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    types {{ application/xml xml; }}
    log_format short escape=none '$request_uri\t$status\t$http_if_none_match\t$http_if_modified_since';
    access_log {folder}/access.log short;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location /plain/ {{  # the same without validators
            alias {root}/;
            etag off;
            if_modified_since off;
            add_header Last-Modified "";
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    path: str
    status: int
    etag: str  # of If-None-Match; "" = none
    modified: str  # of If-Modified-Since; "" = none


class Nginx(Daemon):
    name = "nginx"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "root"
        self.root.mkdir()
        self.access_log = folder / "access.log"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def command(self) -> list[str]:
        configuration = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # else it would change to somebody who cannot read the folder
        configuration.write_text(
            CONFIGURATION.format(user=user, folder=self.folder, port=self.port, root=self.root).lstrip()
        )
        return [
            program("nginx"),
            "-c",
            str(configuration),
            "-p",
            str(self.folder),
            "-e",
            str(self.folder / "error.log"),
        ]

    def answers(self) -> bool:
        return connect(self.port)  # a request would be logged

    def forget_requests(self) -> None:
        """Empty the access log."""
        self.access_log.write_text("")

    def requests(self) -> list[LoggedRequest]:
        return [_logged(line) for line in self.access_log.read_text().splitlines()]


def _logged(line: str) -> LoggedRequest:
    path, status, etag, modified = line.split("\t")
    return LoggedRequest(path=path, status=int(status), etag=etag, modified=modified)
