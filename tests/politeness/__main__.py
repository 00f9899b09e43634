"""Print which rules of polite and careful fetching the importer keeps: python -m tests.politeness [arguments of pytest]

A rule is a test in this folder with a docstring: the rule in words, its source in parentheses. The exit code is 1 if
one of them is not met.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


class Report:
    """Prints a line for each rule in place of pytest's dots."""

    def __init__(self) -> None:
        self.met: dict[str, bool] = {}  # by rule

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if _rule(item)]

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str]:
        return report.outcome, "", ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        failed = item.session.testsfailed
        done = yield
        met = self.met[_rule(item)] = item.session.testsfailed == failed
        terminal = item.config.pluginmanager.get_plugin("terminalreporter")
        assert terminal is not None
        terminal.write_line(f"{'met' if met else 'NOT MET':<7}  {_rule(item)}", green=met, red=not met)
        return done


def _rule(item: pytest.Item) -> str:
    return (item.obj.__doc__ or "").rstrip(".") if isinstance(item, pytest.Function) else ""


def main(arguments: list[str]) -> int:
    report = Report()
    style = ["-qq", "-r", "N", "--show-capture=no", "-o", "console_output_style=classic"]
    code = pytest.main([str(Path(__file__).parent), *style, *arguments], plugins=[report])
    print(f"{sum(report.met.values())} of {len(report.met)} rules met")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
