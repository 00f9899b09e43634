"""What is new, what changed, what stays."""

from dataclasses import replace

from feeds.fetching.values import Failed, Fetched, FetchOutcome, NotModified
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing.values import ParsedEntry, ParsedFeed
from feeds.planning import entry_names, identity, planner
from feeds.planning.values import DocumentState, FeedState, ImportPlan, StoredEntry
from tests.rigs.planning import NOW, URL, feed_state, make_plan

KNOWN = feed_state()
GONE = Failed(kind=FailureKind.GONE, text="gone", status=410)
FETCHED = Fetched(url=URL, body=b"", body_digest=b"")


def plan(outcome: FetchOutcome, *entries: ParsedEntry, stored=None) -> ImportPlan:
    parsed = ParsedFeed(entries=entries) if isinstance(outcome, Fetched) else None
    return plan_of(parsed, KNOWN, outcome, stored)


def plan_of(parsed: ParsedFeed | None, known: FeedState, outcome: FetchOutcome = FETCHED, stored=None) -> ImportPlan:
    entries = identity.identify(entry_names.name_entries(parsed or ParsedFeed()), stored or {})
    return make_plan(known, outcome, parsed, entries)


def stored(*entries: ParsedEntry, changes: int = 0) -> dict[bytes, StoredEntry]:
    return {
        one.guid_digest: StoredEntry(
            guid_digest=one.guid_digest, content_digest=one.content_digest, changes=changes, title=one.entry.title
        )
        for one in identity.identify(entry_names.name_entries(ParsedFeed(entries=entries)), {})
    }


def test_what_is_not_stored_is_new():
    made = plan(FETCHED, ParsedEntry(guid="1"), ParsedEntry(guid="2"), stored=stored(ParsedEntry(guid="1")))
    assert [planned.entry.guid for planned in made.new] == ["2"]
    assert made.changed == ()


def test_an_edited_entry_is_changed():
    made = plan(FETCHED, ParsedEntry(guid="1", title="new"), stored=stored(ParsedEntry(guid="1", title="old")))
    assert made.new == ()
    assert [planned.entry.title for planned in made.changed] == ["new"]


def test_a_clock_in_the_content_rewrites_an_entry_only_so_often():
    old = stored(ParsedEntry(guid="1", title="old"), changes=planner.MOST_CHANGES)
    assert plan(FETCHED, ParsedEntry(guid="1", title="new"), stored=old).changed == ()


def test_a_pruned_entry_neither_comes_back_nor_changes():
    (guid_digest,) = stored(ParsedEntry(guid="1"))
    tombstone = {guid_digest: StoredEntry(guid_digest=guid_digest, is_tombstone=True)}
    made = plan(FETCHED, ParsedEntry(guid="1", title="new"), stored=tombstone)
    assert (made.new, made.changed) == ((), ())


def test_what_a_document_lists_is_known_also_where_it_was_not_parsed():
    known = replace(KNOWN, document=DocumentState(listed=((b"d1", b"g1"), (b"d2", b"g2"))))
    parsed = ParsedFeed(entries=(ParsedEntry(guid="3", digest=b"d3"),), digests=(b"d3", b"d2"))
    made = plan_of(parsed, known)
    assert [pair[0] for pair in made.listed[:-1]] == [b"d3", b"d2"]
    assert made.listed[1] == (b"d2", b"g2")
    assert made.listed[0][1] == made.new[0].guid_digest


def test_a_delta_lists_what_was_listed_before():
    known = replace(KNOWN, document=DocumentState(listed=((b"d1", b"g1"),)))
    parsed = ParsedFeed(entries=(ParsedEntry(guid="3", digest=b"d3"),), digests=(b"d3",), complete=False)
    assert [pair[0] for pair in plan_of(parsed, known).listed[:-1]] == [b"d3", b"d1"]


def test_a_304_is_a_success_that_changes_nothing():
    made = plan(NotModified(url=URL))
    assert (made.outcome, made.new, made.changed, made.failure) == (Outcome.UNCHANGED, (), (), None)


def test_404_backs_off_and_the_feed_stays_active():
    made = plan(Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404))
    assert made.disable == ""
    assert made.next_check.at is not None
    assert made.next_check.at > NOW


def test_429_waits_as_long_as_asked():
    made = plan(Failed(kind=FailureKind.TOO_MANY, text="no", status=429, retry_after=7200.0))
    assert (made.next_check.at - NOW).total_seconds() == 7200
    assert made.failure is not None
    assert made.failure.kind is FailureKind.TOO_MANY
