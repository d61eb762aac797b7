"""What the findings of a judge make of an answer, the same for all judges (SPEC 10.2)."""

import re
from collections.abc import Sequence
from typing import Final

from plugins.core.call import Call
from plugins.core.checks import CheckRule, Mode
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.review import Reason
from plugins.core.verdict import Action, Finding

BLOCKED: Final = "content_blocked"
"""Code of the refusal that stands in the place of an answer."""
_NOT_IN_NAMES: Final = re.compile(r"[^\w.\[\]$-]")
_LONGEST_PATH: Final = 120


def place_of(choice: int) -> str:
    """Name a choice of an answer as `Finding.where` does: `answer`, then `answer[1]`."""
    return f"answer[{choice}]" if choice else "answer"


def field_of(place: str, path: str) -> str:
    """Name a field of a structured answer as `Finding.where` does.

    Args:
        place: of the choice.
        path: as people read it, `$` for the whole. A model's keys may be anything: what is no part
            of a name becomes a star, and what is too long is cut.
    """
    name = _NOT_IN_NAMES.sub("*", path[:_LONGEST_PATH])
    if name in ("", "$"):
        return place
    return f"{place}{name}" if name[0] == "[" else f"{place}.{name}"


def action_of(rule: CheckRule) -> Action:
    """Give what is done about a finding of a check that has nothing to put in its place.

    A doubtful sentence cannot be masked: `mask` is then as `flag`.
    """
    return Action.FLAG if rule.mode is Mode.MASK else rule.action


def judged(call: Call, findings: Sequence[Finding]) -> GatewayError | None:
    """Write findings down, and have a person look at what was flagged or blocked.

    Args:
        call: that is answered.
        findings: of its answer.

    Returns:
        The refusal that takes the answer's place, when one of them blocks; else None.
    """
    call.note(*findings)
    blocking = next((found for found in findings if found.action is Action.BLOCK), None)
    if blocking is not None:
        call.ask_review(Reason.BLOCK)
        return refusal(blocking)
    if any(found.action is Action.FLAG for found in findings):
        call.ask_review(Reason.FLAG)
    return None


def refusal(found: Finding) -> GatewayError:
    """Say that an answer is kept back, and never what was in it."""
    return InvalidRequest(
        f"the answer is kept back: check `{found.check}` found `{found.code}` in it; ask again in"
        " other words, or wait for the person who looks at it",
        code=BLOCKED,
    )
