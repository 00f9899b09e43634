"""Durations, as people write and read them."""

import pytest

from feeds import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("900", 900),
        ("90 min", 5_400),
        ("90m", 5_400),
        ("6 h", 21_600),
        ("1 d 12 h", 129_600),
        ("2 days, 3 Hours", 183_600),
        ("45 s", 45),
    ],
)
def test_a_duration_is_read_in_any_unit(text: str, seconds: int) -> None:
    assert durations.parsed(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-5", "1.5 h", "3 weeks", "h", "5 h!"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        durations.parsed(text)


@pytest.mark.parametrize("seconds", [0, 1, 60, 900, 3_600, 5_400, 86_400, 129_600])
def test_what_is_shown_is_read_as_the_same(seconds: int) -> None:
    assert durations.parsed(durations.in_words(seconds)) == seconds
