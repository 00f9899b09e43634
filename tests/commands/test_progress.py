"""What commands print: tables and the bar."""

import io

from django.core.management.base import OutputWrapper

from feeds.management.progress import Progress, counted, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_grows_with_what_is_done() -> None:
    terminal = Terminal()
    with Progress(OutputWrapper(terminal), "Importing", 4_000, visible=True) as progress:
        progress.advance(1_000)
    assert f"Importing {'█' * 10}{'░' * 30} 1,000 of 4,000, " in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_a_table_has_numbers_on_the_right_and_no_control_characters() -> None:
    out = io.StringIO()
    table(OutputWrapper(out), ("feed", "entries"), [("A", 12_345), ("B\N{ESCAPE}[2J", 7)])
    assert out.getvalue().splitlines() == [
        "feed   entries",
        "A       12,345",
        "B\N{REPLACEMENT CHARACTER}[2J        7",
    ]


def test_things_are_counted_with_their_noun() -> None:
    assert [counted(number, "feed") for number in (0, 1, 2_000)] == ["0 feeds", "1 feed", "2,000 feeds"]
    assert counted(2, "entry", "entries") == "2 entries"
