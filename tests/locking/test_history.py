"""The history checker itself: what it must find, and what it must let pass."""

from pathlib import Path

import pytest

from tests.rigs import history
from tests.rigs.history import History, Recorder, Run, violations


def run(begun: float, ended: float | None, *, revision: int = 0, committed: bool = True, key: str = "a") -> Run:
    return Run(
        key=key, token=f"{key}{begun}", begun=begun, ended=ended, revision=revision, committed=committed and bool(ended)
    )


def told(*runs: Run, requests: tuple[tuple[str, float], ...] = ()) -> History:
    return History(requests=requests, runs=runs, notes=())


def test_runs_one_after_the_other_are_fine():
    assert violations(told(run(0, 1), run(1, 2, revision=1), run(0, 5, key="b"), requests=(("a", 0), ("a", 0.5)))) == []


def test_overlapping_commits_are_found_even_where_bodies_may_overlap():
    overlapping = told(run(0, 2), run(1, 3, revision=1))
    assert violations(overlapping, overlaps_allowed=True) == ["a: two committed runs overlap"]


def test_two_commits_on_one_revision_are_found():
    assert violations(told(run(0, 1), run(1, 2))) == ["a: two committed runs overlap"]


def test_overlapping_bodies_are_found_where_they_must_not():
    superseded = told(run(0, 2), run(1, 3, committed=False))
    assert violations(superseded) == ["a: two bodies overlap"]
    assert violations(superseded, overlaps_allowed=True) == []


def test_a_run_that_was_killed_overlaps_with_nobody_later():
    assert violations(told(run(0, None), run(1, 2))) == []


@pytest.mark.parametrize(("made", "afresh"), [(0.0, True), (0.5, False)])
def test_a_request_is_served_afresh_by_a_run_that_began_later(made: float, afresh: bool):
    story = told(run(0, 1), requests=(("a", made),))
    assert violations(story, afresh=False) == []
    assert (violations(story) == []) is afresh


def test_a_request_without_a_commit_is_not_served():
    story = told(run(1, 2, committed=False), run(3, None), requests=(("a", 0),))
    assert violations(story, afresh=False) == ["a: a request was not served"]


def test_what_is_recorded_is_read_back(tmp_path: Path):
    log = tmp_path / "history"
    first, second = Recorder(log), Recorder(log)
    first.write("request", key="a")
    first.write("begin", key="a", token="1", revision=7)
    second.write("point", point="body")
    first.write("end", token="1", committed=True)
    first.close()
    second.close()
    told = history.read(log)
    assert [key for key, _ in told.requests] == ["a"]
    assert [(each.token, each.revision, each.committed) for each in told.runs] == [("1", 7, True)]
    assert [note["point"] for note in told.noted("point")] == ["body"]
    assert violations(told) == []
