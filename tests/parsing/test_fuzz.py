"""Two hundred documents that nobody wrote; `python -m tests.rigs.fuzz` checks twenty thousand."""

import logging

import pytest

from tests.rigs import fuzz

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_no_document_does_harm(caplog):
    caplog.set_level(logging.CRITICAL, logger="feeds")
    findings = fuzz.run(200, fuzz.samples(fuzz.SAMPLES), seed=20260304)
    assert findings.problems == []
    assert findings.documents >= 200
    assert findings.outcomes["imported"] > 100


@pytest.mark.parametrize(
    "row",
    [
        {"content": "<p onclick='x()'>"},
        {"content": "<a href='javascript:x'>"},
        {"summary": "<script>x</script>"},
        {"content": "<img srcset='https://e.org/1 1x, data:x 2x'>"},
        {"content": "<iframe src='https://evil.example/'></iframe>"},
        {"url": "javascript:x"},
        {"enclosures": [{"url": "file:///etc/passwd"}]},
        {"title": "a\0b"},
        {"authors": [{"name": "a\ud800"}]},
    ],
)
def test_the_inspection_finds_what_is_not_safe(row):
    assert list(fuzz.unsafe([row]))


def test_the_inspection_lets_pass_what_is_safe():
    html = '<p><a href="https://e.org/" rel="noopener">x</a> <img src="http://e.org/1" alt="javascript:"></p>'
    assert list(fuzz.unsafe([{"content": html, "url": "https://e.org/", "title": "<script>", "id": 7}])) == []
