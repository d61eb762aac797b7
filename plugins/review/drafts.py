"""A decision as it is written in a browser: kept through every error, and made whole; pure."""

from dataclasses import dataclass
from typing import Final

from plugins.core.errors import InvalidRequest
from plugins.review.rules import DECISIONS, MAX_TEXT, REPLACING, Decision, State, checked

_NO_DECISION: Final = "Choose what is to become of the answer."
_NO_REASON: Final = "Say in a few words why. The next reader of this item needs it."
_NO_TEXT: Final = "Write what is to take the answer's place."
_SAME: Final = "The text is still the model's own: change it, or choose that it is good as it is."
_LOST: Final = (
    "You have changed the text, and your choice would throw the change away: choose that your"
    " wording is used, or put the text back."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is in the form.

    Args:
        decision: the state chosen, or "".
        reason: why.
        text: what is to take the answer's place; the form starts with the answer itself.
    """

    decision: str = ""
    reason: str = ""
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to lose."""
        return not (self.decision or self.reason.strip() or self.text.strip())

    def decided(self, answer: str | None) -> Decision:
        """Make a decision of it.

        Args:
            answer: what the model wrote, as the form showed it; None when it is not kept.

        Raises:
            InvalidRequest: saying what is missing, with the field in `param`.
        """
        if self.decision not in DECISIONS:
            raise InvalidRequest(_NO_DECISION, param="decision")
        state = State(self.decision)
        changed = self.text.strip() not in {"", unfolded(answer or "").strip()}
        if changed and answer is not None and state not in REPLACING:
            raise InvalidRequest(_LOST, param="decision")
        if state in REPLACING and not changed:
            raise InvalidRequest(_SAME if self.text.strip() else _NO_TEXT, param="text")
        if state is not State.APPROVED and not self.reason.strip():
            raise InvalidRequest(_NO_REASON, param="reason")
        return checked(
            Decision(state, self.reason.strip(), self.text if state in REPLACING else None)
        )


def draft_of(decision: str, reason: str, text: str) -> Draft:
    """Read a form; browsers send every end of a line as CR LF."""
    return Draft(decision, unfolded(reason), unfolded(text))


def first_text(answer: str | None) -> str:
    """Give what the form's text starts with; nothing when the answer is longer than one may be."""
    return unfolded(answer) if answer and len(answer) <= MAX_TEXT else ""


def unfolded(text: str) -> str:
    """Give a text as a browser's field would keep it: LF ends its lines, and NUL is no character.

    Source: HTML Living Standard, 13.2.5 (NUL in RCDATA) and 4.10.11 (a textarea's API value).
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
