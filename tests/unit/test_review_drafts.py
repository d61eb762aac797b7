"""A decision as it is being written: what makes it whole, and what is said when it is not."""

import pytest

from plugins.core.errors import InvalidRequest
from plugins.review.drafts import Draft, draft_of, first_text
from plugins.review.rules import MAX_REASON, MAX_TEXT, Decision, State

ANSWER = "She worked\nat Acme."


@pytest.mark.parametrize(
    ("draft", "decision"),
    [
        (Draft("approved", "", ANSWER), Decision(State.APPROVED)),
        (Draft("approved", " fine ", ""), Decision(State.APPROVED, "fine")),
        (Draft("rejected", "made up", ANSWER), Decision(State.REJECTED, "made up")),
        (Draft("edited", "year", "Since 2017."), Decision(State.EDITED, "year", "Since 2017.")),
        (Draft("overridden", "no", "No."), Decision(State.OVERRIDDEN, "no", "No.")),
    ],
)
def test_a_whole_draft_is_a_decision(draft: Draft, decision: Decision) -> None:
    assert draft.decided(ANSWER) == decision


@pytest.mark.parametrize(
    ("draft", "field", "words"),
    [
        (Draft("", "r", ANSWER), "decision", "Choose"),
        (Draft("open", "r", ANSWER), "decision", "Choose"),
        (Draft("nonsense", "r", ANSWER), "decision", "Choose"),
        (Draft("rejected", " ", ANSWER), "reason", "Say in a few words why"),
        (Draft("edited", "year", ANSWER), "text", "still the model's own"),
        (Draft("edited", "year", f"  {ANSWER}\n"), "text", "still the model's own"),
        (Draft("overridden", "year", " "), "text", "Write what is to take"),
        (Draft("edited", "", "Since 2017."), "reason", "Say in a few words why"),
        (Draft("approved", "", "Since 2017."), "decision", "throw the change away"),
        (Draft("rejected", "bad", "Since 2017."), "decision", "throw the change away"),
        (Draft("edited", "r" * (MAX_REASON + 1), "x"), "reason", "shorten"),
        (Draft("edited", "r", "x" * (MAX_TEXT + 1)), "text", "shorten"),
    ],
)
def test_what_a_draft_lacks_is_said_in_plain_words(draft: Draft, field: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        draft.decided(ANSWER)
    assert refused.value.param == field
    assert words in refused.value.message


def test_an_answer_erased_meanwhile_can_be_approved_or_rejected_still() -> None:
    assert Draft("approved", "", ANSWER).decided(None).state is State.APPROVED
    assert Draft("rejected", "gone", ANSWER).decided(None).text is None


def test_ends_of_lines_are_the_models_again_after_their_way_through_a_browser() -> None:
    sent = draft_of("edited", "a\r\nb", "She worked\r\nat Acme since 2017.")
    assert sent.decided(ANSWER).text == "She worked\nat Acme since 2017."
    assert sent.reason == "a\nb"
    unchanged = draft_of("approved", "", ANSWER.replace("\n", "\r\n"))
    assert unchanged.decided(ANSWER.replace("\n", "\r")).state is State.APPROVED
    without_nul = draft_of("approved", "", "a\ufffdb")
    assert without_nul.decided("a\x00b").state is State.APPROVED


def test_the_form_starts_with_the_answer_unless_that_is_too_long_to_be_sent_back() -> None:
    assert first_text("a\r\nb") == "a\nb"
    assert first_text(None) == ""
    assert first_text("x" * MAX_TEXT) != ""
    assert first_text("x" * (MAX_TEXT + 1)) == ""


@pytest.mark.parametrize(
    ("draft", "empty"),
    [
        (Draft(), True),
        (Draft("", " ", "\n"), True),
        (Draft("approved"), False),
        (Draft(reason="x"), False),
        (Draft(text="x"), False),
    ],
)
def test_a_draft_knows_whether_there_is_anything_to_lose(draft: Draft, *, empty: bool) -> None:
    assert draft.is_empty is empty
