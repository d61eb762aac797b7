"""What a check found in a text, what was done about it, and what that makes of the call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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
        where: the place: the text's path in the request, such as `messages[0].content`, or
            `answer`, `answer[1]` for a further choice, `answer.skills[0]` for a field; then, where
            it is a stretch, `:` and its first and the one behind its last character, `:12-40`.
        excerpt: a few characters around it, masked; never what was found itself.
        score: how sure the check is, 0..1; None where it does not say.
    """

    check: str
    code: str
    action: Action
    where: str = ""
    excerpt: str = ""
    score: float | None = None


_FOLLOWS: Final = {Action.FLAG: Verdict.FLAG, Action.BLOCK: Verdict.BLOCK}
_STRICTNESS: Final = {verdict: rank for rank, verdict in enumerate(Verdict)}


def stricter(one: Verdict, other: Verdict) -> Verdict:
    """Give the stricter of two verdicts."""
    return max(one, other, key=_STRICTNESS.__getitem__)


def verdict_of(finding: Finding) -> Verdict:
    """Tell what a finding makes of its call; what was masked or only observed is allowed."""
    return _FOLLOWS.get(finding.action, Verdict.ALLOW)
