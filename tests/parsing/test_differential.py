"""What is stored of the sample documents is what feedparser says, but where there is a reason."""

import pytest

from tests.rigs import differential, golden

pytestmark = pytest.mark.django_db


def test_what_is_stored_is_what_feedparser_says_or_better():
    paths = [path for path in golden.documents() if path.suffix == ".xml"]
    assert paths
    found = list(differential.compare(paths))
    assert [one for one in found if not one.reason] == []


def test_what_nobody_has_a_reason_for_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(differential, "REASONS", {})
    (tmp_path / "feed.xml").write_text(
        "<rss><channel><item><guid>x/1</guid><link>http://e.org/</link></item></channel></rss>"
    )
    (found,) = differential.compare([tmp_path / "feed.xml"])
    assert (found.field, found.stored, found.reason) == ("entry.guid", "x/1", "")
