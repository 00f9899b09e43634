"""What a rule is, and how all of them are tried."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tests.politeness.stage import Stage

Trial = Callable[[Stage], str]  # what is wrong, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a publisher, or an operator, may expect of a reader."""

    number: str
    text: str
    source: str
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a rule's trial went; `fault` "" = the rule is met."""

    rule: Rule
    fault: str = ""


def judge(rules: Iterable[Rule], stage: Stage) -> Iterator[Verdict]:
    """Try the rules one after the other. What any publisher has to complain of by then counts, too."""
    for rule in rules:
        stage.empty()
        fault = _tried(rule, stage)
        complaints = (one for publisher in stage.publishers for one in publisher.complaints())
        faults = [fault, *(one.text for one in complaints if one.rule == rule.number)]
        yield Verdict(rule=rule, fault=next(filter(None, faults), ""))


def _tried(rule: Rule, stage: Stage) -> str:
    try:
        return rule.trial(stage)
    except Exception as error:  # a trial that breaks proves nothing, and shall not hide the others
        return f"the trial broke: {type(error).__name__}: {error}"


def final(verdicts: Iterable[Verdict], stage: Stage) -> Iterator[Verdict]:
    """Return the verdicts again, with what was complained of in later trials."""
    complaints = {one.rule: one.text for publisher in stage.publishers for one in publisher.complaints()}
    for verdict in verdicts:
        yield replace(verdict, fault=verdict.fault or complaints.get(verdict.rule.number, ""))
