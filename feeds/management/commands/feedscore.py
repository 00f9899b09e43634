"""The rules of polite and careful fetching in, one line for each, met or not, out."""

import re
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.exceptions import InvalidURL
from feeds.feedscore import caching, courtesy, probe, rules, safety
from feeds.feedscore.rules import Rule, Verdict
from feeds.feedscore.stage import stage
from feeds.management.progress import printable

RULES = (*caching.RULES, *courtesy.RULES, *safety.RULES)


class Command(BaseCommand):
    help = (
        "Run the importer against a picky and hostile server on this machine and say which rules of fetching it keeps. "
        "With a URL: ask that server twice, and explain what it does and when we would come back."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", nargs="?", metavar="URL", help="any feed: asked for twice, stored nowhere")
        parser.add_argument("--rule", action="append", metavar="NUMBER", help="only this rule; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["url"]:
            self._probe(options["url"])
        else:
            self._try(_chosen(options["rule"] or []))

    def _try(self, chosen: list[Rule]) -> None:
        with stage() as set_:
            verdicts = list(self._shown(rules.judge(chosen, set_)))
            late = [verdict for verdict in rules.final(verdicts, set_) if verdict not in verdicts]
        for verdict in late:
            self.stdout.write(_line(verdict))
        failed = sum(bool(verdict.fault) for verdict in verdicts) + len(late)
        self.stdout.write(f"{len(verdicts) - failed} of {len(verdicts)} rules met")
        if failed:
            raise CommandError(f"{failed} of {len(verdicts)} rules not met.")

    def _shown(self, verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
        for verdict in verdicts:
            self.stdout.write(_line(verdict))
            self.stdout.flush()
            yield verdict

    def _probe(self, url: str) -> None:
        try:
            for line in probe.explain(url):
                self.stdout.write(printable(line))
        except InvalidURL as error:
            raise CommandError(f"{url}: {error}.", returncode=2) from error


def _chosen(numbers: list[str]) -> list[Rule]:
    """Return the rules in the order of their numbers."""
    wanted = {number.upper() for number in numbers}
    if unknown := wanted - {rule.number for rule in RULES}:
        raise CommandError(f"There is no rule {', '.join(sorted(unknown))}.", returncode=2)
    return sorted((rule for rule in RULES if not wanted or rule.number in wanted), key=_order)


def _order(rule: Rule) -> tuple[str, int]:
    letter, number = re.fullmatch(r"([A-Z])(\d+)", rule.number).groups()  # type: ignore[union-attr]
    return letter, int(number)


def _line(verdict: Verdict) -> str:
    rule = verdict.rule
    line = f"{'NOT MET' if verdict.fault else 'met':<7}  {rule.number:<3}  {rule.text} ({rule.source})"
    return printable(f"{line}: {verdict.fault}" if verdict.fault else line)
