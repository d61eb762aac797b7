"""What reviewers are told, in words that need no knowledge of the gateway; pure."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from plugins.core.errors import Conflict, GatewayError, Unavailable


class Why(NamedTuple):
    """A reason for which an output is looked at.

    Args:
        name: for a label.
        sentence: what it means.
    """

    name: str
    sentence: str


WHY: Final = MappingProxyType(
    {
        "held": Why("Caller waits", "The answer is kept back until you decide."),
        "moderation": Why("Moderation", "The moderation service calls it harmful."),
        "block": Why("Blocked", "A check has blocked it."),
        "soft_reject": Why("Doubtful", "The gateway is not sure enough of it."),
        "flag": Why("Flagged", "A check found something in it."),
        "sample": Why("Sample", "It was drawn at random, to see how good answers are."),
    }
)

_CHECKS: Final = MappingProxyType(
    {
        "bias": "Unfair wording",
        "confidence": "Confidence",
        "groundedness": "Not in the sources",
        "length": "Length",
        "moderation": "Moderation",
        "pii": "Personal data",
        "profanity": "Rude words",
        "prompt_injection": "Instructions hidden in a text",
        "schema": "Form of the answer",
        "sql_injection": "Database commands",
        "toxicity": "Hostile language",
    }
)
_DECIDED: Final = MappingProxyType(
    {
        "approved": "You approved",
        "edited": "You reworded",
        "overridden": "You decided otherwise about",
        "rejected": "You rejected",
    }
)
_STATES: Final = MappingProxyType(
    {
        "open": "Nobody works on it",
        "claimed": "Claimed",
        "approved": "Approved",
        "edited": "Reworded",
        "overridden": "Decided otherwise",
        "rejected": "Rejected",
    }
)
_MESSAGE: Final = re.compile(r"(messages|sources|input|answer)\[(\d{1,6})\].*", re.S)
_IN: Final = MappingProxyType(
    {"messages": "in message {}", "sources": "in source {}", "input": "in input {}"}
    | {"answer": "in a further answer, {}"}
)
LONGEST: Final = 120


def why(reason: str) -> Why:
    """Put a reason into words; one that is not known here keeps its own."""
    return WHY.get(reason) or Why(code_words(reason).capitalize(), "")


def agent_name(agent: str | None) -> str:
    """Put an agent's name into words."""
    return agent.replace("_", " ") if agent else "a plain model"


def state_name(state: str) -> str:
    """Put where an item stands into words."""
    return _STATES.get(state, state)


def you_did(state: str) -> str:
    """Say to a reviewer what they have just done, in front of what they did it to."""
    return _DECIDED.get(state, "You decided")


def gist(findings: Sequence[Mapping[str, Any]]) -> str:
    """Say in one line what was found; empty for nothing."""
    if not findings:
        return ""
    first = f"{check_name(findings[0].get('check'))}: {code_words(findings[0].get('code'))}"
    return first if len(findings) == 1 else f"{first}, and {len(findings) - 1} more"


def check_name(check: object) -> str:
    """Put a check's name into words."""
    known = _CHECKS.get(str(check))
    return known or (code_words(check).capitalize() if check else "Finding")


def code_words(code: object) -> str:
    """Put a finding's code into words."""
    return str(code or "").replace("_", " ")[:LONGEST]


def place_words(where: object) -> str:
    """Put a place outside of the shown answer into words."""
    place = str(where or "")
    found = _MESSAGE.fullmatch(place)
    if found is None:
        return f"at {place[:LONGEST]}" if place and place != "answer" else ""
    return _IN[found.group(1)].format(int(found.group(2)) + 1)


class Told(NamedTuple):
    """What a page says about something that did not work.

    Args:
        title: the fact.
        text: what follows from it, and the way out.
        field: of the form, that it is about; empty for none.
    """

    title: str
    text: str
    field: str = ""


_TOLD: Final = MappingProxyType(
    {
        "review_claimed": Told(
            "Another reviewer is working on this item",
            "You can read it, but not decide it. Take the next one.",
        ),
        "review_decided": Told(
            "This item is decided already",
            "The first decision stands and yours was not taken. It is shown below.",
        ),
        "review_not_claimed": Told(
            "You do not hold this item any more",
            "Its time was over, so nothing was decided. Claim it again and then decide;"
            " what you wrote is kept.",
        ),
        "review_changed": Told(
            "This item has changed since you opened it",
            "Nothing was decided. Read it once more and decide again; what you wrote is kept.",
        ),
        "review_erased": Told(
            "The texts of this item have just been erased",
            "It cannot be reworded any more: approve it or reject it.",
        ),
        "review_output_cut": Told(
            "This answer is too long to be given as it is",
            "Only its beginning is kept: choose other words for it, or that it is not to be used.",
        ),
        "review_not_found": Told(
            "There is no such item for you",
            "It may belong to another tenant, or the address is not complete.",
        ),
        "form_expired": Told(
            "You have signed in anew since this page was opened",
            "Nothing was done. What you wrote is kept: look at it and press the button again.",
        ),
    }
)
_AWAY: Final = Told(
    "The queue cannot be reached just now",
    "Nothing is lost and nothing was decided as far as we know. Try again in a minute; sending"
    " the same decision twice counts once.",
)
_REFUSED: Final = "Nothing was decided yet"


def told(error: GatewayError) -> Told:
    """Put a refusal into words."""
    if isinstance(error, Unavailable):
        return _AWAY
    known = _TOLD.get(error.code)
    if known is not None:
        return known
    title = "That did not work" if isinstance(error, Conflict) else _REFUSED
    return Told(title, error.message, error.param or "")
