"""Every rule of polite and careful fetching is met."""

import os
import subprocess
import sys
from pathlib import Path

NUMBERS = {f"H{number}" for number in range(1, 25)} | {"S1", "S2", "S3", "S4", "S5", "S6", "S11", "S12"}


def test_every_rule_is_met() -> None:
    command = [sys.executable, "-m", "tests.politeness"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=os.environ)
    lines = done.stdout.splitlines()
    assert {line.split()[1] for line in lines[:-1] if line.startswith("met ")} == NUMBERS, done.stdout + done.stderr
    assert lines[-1] == f"{len(NUMBERS)} of {len(NUMBERS)} rules met"
