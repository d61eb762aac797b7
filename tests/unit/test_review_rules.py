"""What may become of a review item."""

from datetime import UTC, datetime, timedelta

import pytest

from plugins.core.errors import InvalidRequest
from plugins.review.rules import (
    DUE_IN,
    MAX_REASON,
    MAX_TEXT,
    Decision,
    Reason,
    Standing,
    State,
    checked,
    due_at,
    why_not_claimed,
    why_not_decided,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(State.APPROVED),
        Decision(State.APPROVED, "good"),
        Decision(State.EDITED, "a wrong year", "since 2019"),
        Decision(State.OVERRIDDEN, "the gap is parental leave", "yes"),
        Decision(State.REJECTED, "made up"),
        Decision(State.EDITED, "r" * MAX_REASON, "t" * MAX_TEXT),
    ],
)
def test_a_whole_decision_is_taken(decision: Decision) -> None:
    assert checked(decision) is decision


@pytest.mark.parametrize(
    ("decision", "param"),
    [
        (Decision(State.OPEN), "decision"),
        (Decision(State.CLAIMED), "decision"),
        (Decision(State.REJECTED), "reason"),
        (Decision(State.REJECTED, "  "), "reason"),
        (Decision(State.EDITED, "wrong"), "text"),
        (Decision(State.OVERRIDDEN, "wrong", " "), "text"),
        (Decision(State.APPROVED, "", "other words"), "text"),
        (Decision(State.REJECTED, "wrong", "other words"), "text"),
        (Decision(State.REJECTED, "r" * (MAX_REASON + 1)), "reason"),
        (Decision(State.EDITED, "wrong", "t" * (MAX_TEXT + 1)), "text"),
        (Decision(State.REJECTED, "nul \x00"), "reason"),
        (Decision(State.EDITED, "wrong", "nul \x00"), "text"),
    ],
)
def test_what_a_decision_lacks_is_named(decision: Decision, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(decision)
    assert refused.value.param == param


def test_the_most_urgent_reason_says_when_an_item_is_due() -> None:
    assert due_at([Reason.SAMPLE], NOW) == NOW + timedelta(days=7)
    assert due_at([Reason.SAMPLE, Reason.HELD, Reason.FLAG], NOW) == NOW + timedelta(minutes=15)
    assert list(DUE_IN) == list(Reason)
    assert sorted(DUE_IN.values()) == list(DUE_IN.values())


def test_only_the_same_reviewers_same_key_repeats_a_decision() -> None:
    item = Standing(State.APPROVED, 3, "anna", None, "key")
    assert item.repeats("anna", "key")
    assert not item.repeats("ben", "key")
    assert not item.repeats("anna", "other")
    assert not Standing(State.CLAIMED, 3, "anna", NOW, "key").repeats("anna", "key")


@pytest.mark.parametrize(
    ("item", "code", "words"),
    [
        (Standing(State.APPROVED, 3, "anna"), "review_decided", "you have decided"),
        (Standing(State.EDITED, 3, "ben"), "review_decided", "another reviewer has"),
        (Standing(State.OPEN, 3), "review_not_claimed", "claim it first"),
        (Standing(State.CLAIMED, 3, "ben", NOW), "review_not_claimed", "claim it first"),
        (Standing(State.CLAIMED, 3, "anna", NOW), "review_changed", "version 2; it is at 3"),
    ],
)
def test_a_reviewer_learns_why_a_decision_was_not_taken(
    item: Standing, code: str, words: str
) -> None:
    refusal = why_not_decided(item, "anna", 2)
    assert refusal.code == code
    assert words in refusal.message


def test_a_reviewer_learns_why_an_item_cannot_be_claimed() -> None:
    assert why_not_claimed(Standing(State.REJECTED, 3, "ben")).code == "review_decided"
    claimed = why_not_claimed(Standing(State.CLAIMED, 2, "ben", NOW))
    assert claimed.code == "review_claimed"
    assert "12:00:00 UTC" in claimed.message
    assert "ben" not in claimed.message
