"""What a check found in a text, what was done about it, and what that makes of the call."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a call's content, from the mildest to the strictest."""

    ALLOW = "allow"
    FLAG = "flag"
    """Delivered, marked, and given to a person to look at."""
    SOFT_REJECT = "soft_reject"
    """Not good enough to be used unseen: annotated, held or asked again, as policy says."""
    BLOCK = "block"


class Action(StrEnum):
    """What a check did about what it found."""

    OBSERVE = "observe"
    FLAG = "flag"
    MASK = "mask"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Args:
        check: the check's stable name, such as `pii`.
        code: what it is, such as `card_number`.
        action: what was done about it.
        where: the place: message and offset, or the field of the answer.
        excerpt: a few characters around it, masked; never what was found itself.
        score: how sure the check is, 0..1; None where it does not say.
    """

    check: str
    code: str
    action: Action
    where: str = ""
    excerpt: str = ""
    score: float | None = None
