"""Examine the whole deployment, and say of each part that it is well, or what to do."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds import status
from feeds.management.progress import add_format, counted, dump, printable


class Command(BaseCommand):
    help = "Ask the servers, the workers and the settings what is wrong. Exit code 1: something is."
    requires_system_checks = ()  # it runs them itself, and goes on

    def add_arguments(self, parser: CommandParser) -> None:
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(status.examine())
        if options["format"] == "json":
            dump(self.stdout, [asdict(finding) for finding in findings])
        else:
            for finding in findings:
                self._show(finding)
        if wrong := sum(bool(finding.problems) for finding in findings):
            raise CommandError(f"{counted(wrong, 'part')} of {len(findings)} not well.")

    def _show(self, finding: status.Finding) -> None:
        if not finding.problems:
            self.stdout.write(f"OK     {finding.part}")
        for problem in finding.problems:
            self.stdout.write(printable(f"WRONG  {finding.part}: {problem.text}"))
            self.stdout.write(printable(f"       → {problem.remedy}"))
