"""The shape of the house: what a package offers, how large a room may be, and the words that are not used any more."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
APP = PROJECT / "feeds"

# Names that a package offers to other projects; nothing in this one may use them.
FOR_USERS = {
    "feeds.locking.LockStore": "base class of a lock store of one's own",
    "feeds.locking.LockStoreError": "what a lock store raises",
    "feeds.locking.MemcachedLocks": "CACHES names it",
    "feeds.embedded.DatabaseLocks": "CACHES names it",
    "feeds.testing.FeedSite": "for the tests of a host project",
    "feeds.testing.rss": "for the tests of a host project",
    "feeds.embedded.EmbeddedBroker": "DRAMATIQ_BROKER names it",
}
FUNCTIONS_THAT_IMPORT = {
    "feeds/admin/actions.py: send": "the admin is loaded where no broker is configured, too",
    "feeds/metrics.py: after_process_boot": "prometheus_client reads where it shall write when it is imported",
    "feeds/apps.py: importer": "models must be loaded first",
    "feeds/apps.py: ready": "models must be loaded first",
}
LONG_FILES: dict[str, str] = {}  # at most three, each with its reason
LOADED_WHOLE = frozenset({"admin"})  # by Django: nothing else imports from it

MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION, MOST_FILES_OF_A_FOLDER = 300, 40, 18

# Words that the field does not use. Those that mean something else, too ("in turn"), are retired in names only.
_RETIRED = (
    r"gates?|gated|doors?|knock(s|ed)?|lanes?|habits?|visit(s|ors?)?|tickets?|luck|strangers?|sight(ed|ings?)|graves?"
    r"|buried|fitness|bulk|siblings?|gaps?|charged|wish(es|ed)?|outlook|turned ?away|puts? ?off|switch(es|ed)? ?off"
)
RETIRED = re.compile(rf"\b({_RETIRED})\b", re.IGNORECASE)
RETIRED_IN_NAMES = re.compile(rf"\b({_RETIRED}|in line|places?|homes?|turns?)\b")
HEADLESS = re.compile(r"(?:^|[.:;] )Who\b|\bin, (?:\S+ )*out[.:;]")  # "Who is late is cut", "bytes in, text out"


# What a package offers


def test_nothing_reaches_past_the_init_of_a_package() -> None:
    none((f"{path}: {name}" for path, name in _uses() if not _is_offered(name)), "not in __all__")


def test_every_name_that_a_package_offers_is_used_outside_of_it() -> None:
    offered = {f"feeds.{package}.{name}" for package in _packages() for name in _offered(package)}
    used = {name for _, name in _uses()}
    none(offered - used - FOR_USERS.keys(), "used nowhere")
    none(FOR_USERS.keys() - offered, "no such name")


def test_every_package_is_named_where_reading_begins() -> None:
    docstring = ast.get_docstring(_tree(APP / "__init__.py")) or ""
    packages = {path.parent.name for path in APP.glob("*/__init__.py")} - {"migrations"}
    none((name for name in packages if not re.search(rf"\b{name}\b", docstring)), "not in feeds/__init__.py")


def test_no_function_imports() -> None:
    found = {
        f"{_name(path)}: {function.name}"
        for path in _files(APP)
        for function in _functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    none(found - FUNCTIONS_THAT_IMPORT.keys(), "imports")
    none(FUNCTIONS_THAT_IMPORT.keys() - found, "does not import any more")


# How large it may be


def test_files_are_short() -> None:
    long = {_name(path) for path in _files(APP) if len(path.read_text().splitlines()) > MOST_LINES_OF_A_FILE}
    none(long - LONG_FILES.keys(), f"longer than {MOST_LINES_OF_A_FILE} lines")
    none(LONG_FILES.keys() - long, "not long any more")
    assert len(LONG_FILES) <= 3


def test_functions_are_short() -> None:
    none(
        (
            f"{_name(path)}: {function.name}"
            for path in _files(APP)
            for function in _functions(path)
            if _length(function) > MOST_LINES_OF_A_FUNCTION
        ),
        f"longer than {MOST_LINES_OF_A_FUNCTION} lines",
    )


def test_folders_are_small() -> None:
    sizes = Counter(_name(path.parent) for path in _files(APP))
    large = (folder for folder, size in sizes.items() if size > MOST_FILES_OF_A_FOLDER)
    none(large, f"more than {MOST_FILES_OF_A_FOLDER} files")


# Words


def test_no_name_is_a_retired_word() -> None:
    found = ((path, name) for path in _files(APP) for name in _definitions(path))
    retired = ((path, name) for path, name in found if RETIRED_IN_NAMES.search(_words(name)))
    none((f"{_name(path)}: {name}" for path, name in retired if name != "bulk_create"), "retired")  # Django's


def test_no_docstring_has_a_retired_word() -> None:
    found = ((path, text) for path in _files(APP) for text in _docstrings(path))
    none((f"{_name(path)}: {match[0]}" for path, text in found for match in RETIRED.finditer(text)), "retired")


def test_no_page_has_a_retired_word() -> None:
    pages = (PROJECT / "README.md", *sorted((APP / "docs").glob("*.md")))
    lines = ((page, number, line) for page in pages for number, line in enumerate(page.read_text().splitlines(), 1))
    none(
        (f"{_name(page)}:{number}: {match[0]}" for page, number, line in lines for match in RETIRED.finditer(line)),
        "retired",
    )


def test_no_name_of_a_test_has_a_code() -> None:
    names = (name for path in _files(PROJECT / "tests") for name in re.findall(r"def (test_\w+)", path.read_text()))
    none((name for name in names if re.match(r"test_[a-z]\d+_", name)), "a code nobody can look up")


def test_docstrings_have_a_subject() -> None:
    found = ((path, text) for path in _files(APP) for text in _docstrings(path))
    none((f"{_name(path)}: {text}" for path, text in found if HEADLESS.search(text)), "headless")


# Reading the source


# What it needs


def test_every_dependency_has_a_floor_with_its_reason_and_a_pin() -> None:
    text = (PROJECT / "pyproject.toml").read_text()
    lines = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)[0].splitlines()
    found = [re.match(r' *"([\w-]+)(?:\[[\w,]+\])?>=[\d.]+", +# \w', line) for line in lines]
    none((line for line, match in zip(lines, found, strict=True) if match is None), "no floor, or no reason for it")
    none((match[1] for match in found if match and f'"{match[1]}==' not in text), "not in constraint-dependencies")


def none(found: Iterable[str], what: str) -> None:
    """Fail with the list of what was found, one a line."""
    if listed := sorted(set(found)):
        pytest.fail("\n".join([f"{what}:", *listed]), pytrace=False)


@cache
def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.rglob("*.py") if "migrations" not in path.parts))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@cache
def _packages() -> frozenset[str]:
    names = {path.parent.name for path in APP.glob("*/__init__.py")} - LOADED_WHOLE
    return frozenset(name for name in names if _offered(name))


@cache
def _offered(package: str) -> frozenset[str]:
    """Return what stands in the `__all__` of a package."""
    for node in _tree(APP / package / "__init__.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def _is_offered(name: str) -> bool:
    package, _, rest = name.removeprefix("feeds.").partition(".")
    return rest in _offered(package)


def _uses() -> Iterator[tuple[str, str]]:
    """Yield what is used of a package outside of it, and where: `feeds.fetching.Fetcher`."""
    for path in (*_files(APP), *_files(PROJECT / "feeds_project")):
        home = path.relative_to(PROJECT).parts[1]
        for name in _used(_tree(path)):
            package = name.split(".")[1]
            if package in _packages() and package != home:
                yield _name(path), name


def _used(tree: ast.Module) -> Iterator[str]:
    imported: dict[str, str] = {}  # packages, by the names that they have here
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "feeds":
            imported |= {alias.asname or alias.name: f"feeds.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("feeds."):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                alias.name for alias in node.names if alias.name.count(".") > 1 and alias.name.startswith("feeds.")
            )
        elif isinstance(node, ast.Constant) and re.fullmatch(r"feeds\.\w+\.\w+", str(node.value)):
            yield str(node.value)  # a path in the settings
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield f"{imported[node.value.id]}.{node.attr}"


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _definitions(path: Path) -> Iterator[str]:
    """Yield the names that a file defines, and its own. Not those of values inside of functions."""
    yield path.stem
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.arg):
            yield node.arg
        if isinstance(node, ast.ClassDef | ast.Module):
            for statement in node.body:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
                )
                yield from (
                    name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)
                )


def _words(name: str) -> str:
    """Return a name as words: `HostQueue` and `host_queue` are `host queue`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower().strip()


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield " ".join((ast.get_docstring(node) or "").split())
