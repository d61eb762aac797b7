"""That a person shall look at a call's answer, and why."""

from dataclasses import dataclass, field
from enum import StrEnum

from plugins.core.identifiers import new_call_id


class Reason(StrEnum):
    """Why an output is looked at, from the most to the least urgent."""

    HELD = "held"
    """Its caller waits for the decision."""
    MODERATION = "moderation"
    BLOCK = "block"
    SOFT_REJECT = "soft_reject"
    FLAG = "flag"
    SAMPLE = "sample"
    """Drawn at random, to see how good the rest is (SPEC 5.3)."""


@dataclass(slots=True)
class ReviewRequest:
    """Asks for a person to look at a call.

    Args:
        reasons: at least one, in the order in which they arose; each once.
        id: of the item in the queue, told to the client as `x-sluice-review-id`.
    """

    reasons: list[Reason]
    id: str = field(default_factory=new_call_id)

    @property
    def holds(self) -> bool:
        """Tell whether the caller waits for the decision."""
        return Reason.HELD in self.reasons
