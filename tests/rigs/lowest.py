"""The lowest versions that pyproject.toml allows, in an environment of their own, and the tests with them.

`python -m tests.rigs.lowest [ARGUMENTS OF PYTEST]` runs the quick tests, or those that it is told, and fails where one
does. The transitive dependencies are the newest.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
QUICK = ("-m", "not slow and not servers")


def install(folder: Path) -> Path:
    """Make the environment in an empty folder, and return its Python."""
    python = folder / "lowest" / "bin" / "python"
    uv(folder, "venv", "--python", sys.executable, "lowest")
    direct = ("--resolution", "lowest-direct", "--python", str(python))
    uv(folder, "pip", "install", *direct, "--editable", str(PROJECT), "--group", f"{PROJECT / 'pyproject.toml'}:dev")
    return python


def uv(folder: Path, *arguments: str) -> None:
    """Run uv outside of the project: the pins of [tool.uv] are those of every day."""
    subprocess.run(["uv", *arguments, "--quiet"], cwd=folder, check=True)


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        python = install(Path(folder))
        subprocess.run(["uv", "pip", "list", "--quiet", "--python", python], cwd=folder, check=True)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(arguments or QUICK)]
        return subprocess.run(command, cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
