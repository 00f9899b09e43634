"""The files of a deployment name nothing that is not there."""

import re
from pathlib import Path

from django.core.management import get_commands

from feeds import metrics
from feeds.status.metrics import HELP

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "feeds" / "docs"
FILES = (PROJECT / "compose.yaml", PROJECT / "Dockerfile", *sorted((DOCS / "systemd").glob("*.service")))
OF_OTHERS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


def test_every_variable_of_the_compose_file_is_documented() -> None:
    settings = (DOCS / "settings.md").read_text()
    names = set(re.findall(r"^ {4,6}([A-Z_]+): ", (PROJECT / "compose.yaml").read_text(), re.MULTILINE)) - OF_OTHERS
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in settings] == []


def test_every_command_of_a_deployment_is_one() -> None:
    commands = {name for file in FILES for name in re.findall(r"manage\.py (\w+)", file.read_text())}
    assert {"migrate", "rundramatiq", "crontab"} <= commands <= get_commands().keys()


def test_every_metric_of_the_docs_and_the_alerts_is_counted_or_told() -> None:
    source = Path(metrics.__file__).read_text()
    counted = {f"{name}_total" for name in re.findall(r'Counter\("(\w+)"', source)}
    known = {*HELP, *counted, *re.findall(r'Histogram\(\s*"(\w+)"', source)}
    text = (DOCS / "alerts.yml").read_text() + (DOCS / "dashboard.json").read_text()
    used = {name.removesuffix("_bucket") for name in re.findall(r"\bfeeds_\w+", text)}
    documented = set(re.findall(r"`(feeds_\w+)`", (DOCS / "production.md").read_text()))
    assert used <= known
    assert documented == known
