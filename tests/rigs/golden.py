"""Golden pairs: tests/data/NAME.xml or .json, and what the parser makes of it in NAME.expected.json.

`python -m tests.rigs.golden` writes what is expected anew; read the diff before you commit it.
"""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from feeds.parsing import parser
from feeds.parsing.values import Document, ParsedFeed

FOLDER = Path(__file__).parent.parent / "data"


def documents() -> list[Path]:
    return sorted(
        path
        for path in FOLDER.iterdir()
        if path.suffix in (".xml", ".json") and not path.name.endswith(".expected.json")
    )


def fetched(body: bytes, **values: Any) -> Document:
    return Document(**{"url": "https://example.com/feed", "body": body, **values})


def as_read(document: Path) -> dict[str, Any]:
    """Return what the parser says, as JSON knows it, without the digests."""
    parsed = parser.parse(fetched(document.read_bytes()))
    assert isinstance(parsed, ParsedFeed)
    values = asdict(parsed) | {"digests": len(parsed.digests)}
    for entry in values["entries"]:
        del entry["digest"]
    read: dict[str, Any] = json.loads(json.dumps(values, default=_plain))
    return read


def expected(document: Path) -> Path:
    return document.with_name(f"{document.stem}.expected.json")


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


if __name__ == "__main__":
    for path in documents():
        expected(path).write_text(json.dumps(as_read(path), indent=1, ensure_ascii=False) + "\n")
