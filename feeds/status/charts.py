"""Bar charts as SVG: numbers for a template to draw, with attributes only, as a strict CSP allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

WIDTH, HEIGHT = 720, 120  # of the drawing; it scales with the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, and what it shows in words."""

    title: str
    words: str
    highest: str
    begin: datetime
    end: datetime
    bars: list[Bar]
    width: int = WIDTH
    height: int = HEIGHT


def bars(title: str, values: Sequence[tuple[datetime, float]], shown: Callable[[Any], str]) -> Chart:
    """Draw a bar for each value, the highest of them as high as the chart. `shown` says a value in words."""
    highest = max((value for _, value in values), default=0)
    step, scale = WIDTH / max(len(values), 1), (HEIGHT - 2) / (highest or 1)
    made = [
        Bar(
            x=round(number * step, 2),
            y=round(HEIGHT - value * scale, 2),
            width=round(step * 0.8, 2),
            height=round(value * scale, 2),
            text=f"{timezone.localtime(at):%H:%M}: {shown(value)}",
        )
        for number, (at, value) in enumerate(values)
        if value
    ]
    words = f"{title}: {shown(values[-1][1])} at the end, {shown(highest)} at the most"
    return Chart(title=title, words=words, highest=shown(highest), begin=values[0][0], end=values[-1][0], bars=made)
