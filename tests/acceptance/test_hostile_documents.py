"""Documents built to do harm, through real workers: each becomes an error on its feed, and the others are imported."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.parsing_children import ENDLESS
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.samples import ENTRIES, sample_feed

HONEST = 6
NESTED = b"<rss><channel><item>" + b"<a>" * 20_000 + b"</a>" * 20_000 + b"</item></channel></rss>"  # costs little
HOSTILE = {
    "endless.xml": ENDLESS,
    "stray.xml": b"<rss><channel><item>" + b"<" * 9_000_000,
    "attributes.xml": b"<rss><channel><item "
    + b" ".join(b'a%d=""' % n for n in range(100_000))
    + b"/></channel></rss>",
    "items.json": b'{"version":"https://jsonfeed.org/version/1","items":[' + b'{"id":1},' * 1_000_000 + b"{}]}",
}


@pytest.fixture
def extra_environment() -> dict[str, str]:
    return {"FEEDS_PARSE_LIMIT": "1", "FEEDS_SLOW_FETCHES": "2"}  # no document waits for another


def test_hostile_documents_fail_their_feeds_and_nothing_else(
    deployment: Deployment, start_workers: StartWorkers, nginx: Nginx, tmp_path: Path
) -> None:
    for name, body in HOSTILE.items():
        (nginx.root / name).write_bytes(body)
    honest = [f"feed-{number}.xml" for number in range(HONEST)]
    for name in honest:
        (nginx.root / name).write_bytes(sample_feed(name, kind="rss"))
    (nginx.root / "nested.xml").write_bytes(NESTED)
    feeds = tmp_path / "feeds.txt"
    feeds.write_text("".join(f"{nginx.url(name)}\n" for name in (*HOSTILE, "nested.xml", *honest)))
    workers = start_workers(1, 2)

    output = deployment.manage("import_feeds", "--wait", str(feeds), status=1)

    assert f"{len(HOSTILE)} feeds failed" in output
    assert (deployment.imported(), deployment.entries()) == (HONEST + 1, HONEST * ENTRIES + 1)
    kinds = deployment.rows("SELECT error_kind, error_text FROM feeds_feed WHERE imported_at IS NULL ORDER BY url")
    assert {kind for kind, _ in kinds} == {"hostile"}
    assert ("hostile", "parsing took longer than 1 s") in kinds
    assert len(workers.pids()) == 1, "the worker process is the one that began"
