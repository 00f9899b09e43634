"""Print which rules of polite and careful fetching the importer keeps: python -m tests.politeness [NUMBER ...]"""

import os
import re
import sys
from collections.abc import Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feeds_project.settings")
django.setup()

from feeds.management.progress import printable  # noqa: E402
from tests.politeness import caching, courtesy, rules, safety  # noqa: E402
from tests.politeness.rules import Rule, Verdict  # noqa: E402
from tests.politeness.stage import stage  # noqa: E402

RULES = (*caching.RULES, *courtesy.RULES, *safety.RULES)


def main(numbers: list[str]) -> int:
    """Print a line for each rule and return the exit code."""
    with stage() as set_:
        verdicts = list(_shown(rules.judge(_chosen(numbers), set_)))
        late = [verdict for verdict in rules.final(verdicts, set_) if verdict not in verdicts]
    for verdict in late:
        print(_line(verdict))
    failed = sum(bool(verdict.fault) for verdict in verdicts) + len(late)
    print(f"{len(verdicts) - failed} of {len(verdicts)} rules met")
    return int(bool(failed))


def _shown(verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    for verdict in verdicts:
        print(_line(verdict), flush=True)
        yield verdict


def _chosen(numbers: list[str]) -> list[Rule]:
    """Return the rules in the order of their numbers."""
    wanted = {number.upper() for number in numbers}
    if unknown := wanted - {rule.number for rule in RULES}:
        raise SystemExit(f"There is no rule {', '.join(sorted(unknown))}.")
    return sorted((rule for rule in RULES if not wanted or rule.number in wanted), key=_order)


def _order(rule: Rule) -> tuple[str, int]:
    letter, number = re.fullmatch(r"([A-Z])(\d+)", rule.number).groups()  # type: ignore[union-attr]
    return letter, int(number)


def _line(verdict: Verdict) -> str:
    rule = verdict.rule
    line = f"{'NOT MET' if verdict.fault else 'met':<7}  {rule.number:<3}  {rule.text} ({rule.source})"
    return printable(f"{line}: {verdict.fault}" if verdict.fault else line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
