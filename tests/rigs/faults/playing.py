"""Play rows, several at once, since a row mostly waits."""

import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.faults.rows import Row
from tests.rigs.faults.variants import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    problems: list[str]
    seconds: float

    def __str__(self) -> str:
        return self.problems[0] if self.problems else "holds"


def play(row: Row, variant: Variant) -> Result:
    """Play a row in a folder of its own. What breaks on the way is a problem, too."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        try:
            problems = row.play(variant, Path(folder))
        except (Exception, pytest.fail.Exception) as error:
            problems = [f"{type(error).__name__}: {error}"]
    return Result(problems=problems, seconds=time.monotonic() - began)


def play_all(pool: ThreadPoolExecutor, rows: list[Row], variant: Variant) -> dict[str, Future[Result]]:
    return {row.name: pool.submit(play, row, variant) for row in rows}


def chosen(request: pytest.FixtureRequest) -> list[Row]:
    """Return the rows of this module that pytest was asked for."""
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    rows = [item.callspec.params.get("row") for item in items if hasattr(item, "callspec")]
    return [row for row in rows if isinstance(row, Row)]
