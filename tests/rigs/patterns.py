"""The regular expressions of a module: how it uses each, and texts that are bad for it.

What a pattern is bad at follows from its own text: an example of what it matches, and every beginning of this, over and
over again. That finds what tries anew from each place (`a*b` in "aaaa…") and what can match in many ways.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # typeshed leaves it out
from types import ModuleType
from typing import Any, NamedTuple

LONGEST = 60  # characters of an example
_BODIES = (ast.FunctionDef, ast.ClassDef)
SEARCHES = ("search", "sub", "subn", "split", "findall", "finditer")
MATCHES = ("match", "fullmatch")


class Used(NamedTuple):
    """A pattern, where it stands, and whether it is looked for anywhere in a text."""

    name: str
    pattern: re.Pattern[Any]
    is_searched: bool


def patterns_of(module: ModuleType) -> Iterator[Used]:
    """Yield the patterns that stand in a module, and those in its functions.

    One that is used in no way that can be seen, such as one in a tuple, counts as searched.
    """
    tree = ast.parse(Path(module.__file__ or "").read_text())
    uses: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            uses.setdefault(owner, set()).add(node.attr)
    for name, value in vars(module).items():
        for number, pattern in enumerate(_patterns_in(value)):
            used = uses.get(name, set())
            is_searched = not used.isdisjoint(SEARCHES) or used.isdisjoint(MATCHES)
            yield Used(f"{module.__name__}.{name}" + (f"[{number}]" if number else ""), pattern, is_searched)
    yield from _inline(module, tree)


def _patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """Yield a pattern, those in collections, and those that a bound method is of."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        yield value.__self__
    elif isinstance(value, tuple | list | set | frozenset | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _patterns_in(each)


def _inline(module: ModuleType, tree: ast.Module) -> Iterator[Used]:
    """Yield the patterns that functions and classes compile."""
    inner = (call for outer in tree.body if isinstance(outer, _BODIES) for call in _calls(outer))
    for call in inner:
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str | bytes):
            function = ast.unparse(call.func).removeprefix("re.")
            yield Used(f"{module.__name__}:{call.lineno}", re.compile(call.args[0].value), function not in MATCHES)


def hidden_in(module: ModuleType) -> Iterator[str]:
    """Yield the calls of `re` in a module whose patterns `patterns_of` does not see."""
    for outer in ast.parse(Path(module.__file__ or "").read_text()).body:
        for call in _calls(outer):
            if isinstance(outer, _BODIES):
                first = call.args[0]
                is_seen = isinstance(first, ast.Constant) or ast.unparse(call.func) == "re.escape"
            else:
                names = [target.id for target in getattr(outer, "targets", ()) if isinstance(target, ast.Name)]
                is_seen = any(True for name in names for _ in _patterns_in(vars(module)[name]))
            if not is_seen:
                yield ast.unparse(call)


def _calls(outer: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(outer):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).partition(".")[0] == "re":
            yield node


def pieces_of(pattern: re.Pattern[Any]) -> list[str]:
    """Return texts that are bad for a pattern when they are repeated."""
    examples = {_example(_parser.parse(pattern.pattern, pattern.flags), choice)[:LONGEST] for choice in (0, 1, -1)}
    beginnings = {example[:end] for example in examples for end in range(1, len(example) + 1)}
    return sorted(beginnings | {sign for example in examples for sign in example})


def _example(parsed: Any, choice: int) -> str:
    return "".join(_one(str(operator), argument, choice) for operator, argument in parsed)


def _one(operator: str, argument: Any, choice: int) -> str:
    """Return what an element of a pattern matches; of alternatives, the one with this number."""
    match operator:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "a" if argument != ord("a") else "b"
        case "ANY":
            return "a"
        case "IN":
            return _member(argument, choice)
        case "BRANCH":
            return _example(argument[1][choice % len(argument[1])], choice)
        case "SUBPATTERN":
            return _example(argument[3], choice)
        case "ATOMIC_GROUP":
            return _example(argument, choice)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = argument
            return _example(inner, choice) * min(max(least, 1), most)
    return ""  # places, looks ahead and behind, groups that are repeated


def _member(members: Any, choice: int) -> str:
    """Return a character of a set."""
    kinds = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a", "CATEGORY_NOT_SPACE": "a"}
    negated = str(members[0][0]) == "NEGATE"
    found = []
    for operator, argument in members:
        if str(operator) == "LITERAL":
            found.append(chr(argument))
        elif str(operator) == "RANGE":
            found.append(chr(argument[0]))
        elif str(operator) == "CATEGORY":
            found.append(kinds.get(str(argument), "-"))
    if negated:
        return next(sign for sign in "a1 -\x01" if sign not in found)
    return found[choice % len(found)]
