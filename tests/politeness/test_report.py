"""`python -m tests.politeness`, on one rule."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RULE = "User-Agent says who asks and where to complain (RFC 9110 §10.1.5)"


@pytest.mark.parametrize(
    ("user_agent", "code", "lines"),
    [
        ("reader/1.0 (+https://example.org/)", 0, [f"met      {RULE}", "1 of 1 rules met"]),
        ("curl", 1, [f"NOT MET  {RULE}", "0 of 1 rules met"]),
    ],
)
def test_a_rule_is_met_or_not_by_the_settings(user_agent: str, code: int, lines: list[str]) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name != "DATABASE_URL"
    }  # in use by this process
    done = subprocess.run(
        [sys.executable, "-m", "tests.politeness", "-k", "user_agent"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment | {"FEEDS_USER_AGENT": user_agent},
    )
    printed = done.stdout.splitlines()
    assert (done.returncode, [printed[0], printed[-1]]) == (code, lines)
