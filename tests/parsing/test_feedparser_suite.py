"""The rig that asks feedparser's expectations of what we read."""

import pytest

from tests.rigs import feedparser_suite

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("not bozo and entries[0]['title'] == 'one'", "holds"),
        ("not bozo and entries[0]['summary'] == '<p>two</p><script>x</script>'", "holds"),
        ("not bozo and entries[0]['title'] == 'two'", "differs"),
        ("not bozo and entries[1]['title'] == 'two'", "differs"),
        ("not bozo and entries[0]['title_detail']['type'] == 'text/plain'", "not ours"),
    ],
)
def test_an_expectation_holds_differs_or_is_not_ours(expected, said, tmp_path):
    document = (
        "<rss><channel><item><title>one</title><description>&lt;p&gt;two&lt;/p&gt;</description></item></channel></rss>"
    )
    (tmp_path / "one.xml").write_text(f"<!--\nDescription: a case\nExpect:      {expected}\n-->\n{document}")
    assert feedparser_suite.outcome(tmp_path / "one.xml", tmp_path) == said


def test_every_difference_that_is_listed_says_whose_way_is_right():
    sides = {why.partition(":")[0] for _, why in feedparser_suite.reasons()}
    assert sides <= {"ours", "taste", "feedparser's"}
