"""What may become of an item, and in which order items are worked; pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugins.core.errors import Conflict, InvalidRequest
from plugins.core.review import Reason


class State(StrEnum):
    """Where an item stands; the last four are decisions and final."""

    OPEN = "open"
    CLAIMED = "claimed"
    APPROVED = "approved"
    """The output is good as it is."""
    EDITED = "edited"
    """The reviewer's wording takes its place."""
    OVERRIDDEN = "overridden"
    """The reviewer decides otherwise than the model did."""
    REJECTED = "rejected"
    """The output is not to be used, and nothing takes its place."""


DECISIONS: Final = frozenset({State.APPROVED, State.EDITED, State.OVERRIDDEN, State.REJECTED})
REPLACING: Final = frozenset({State.EDITED, State.OVERRIDDEN})
"""Decisions that need a text of the reviewer's."""


DUE_IN: Final = MappingProxyType(
    {
        Reason.HELD: timedelta(minutes=15),
        Reason.MODERATION: timedelta(hours=1),
        Reason.BLOCK: timedelta(hours=4),
        Reason.SOFT_REJECT: timedelta(hours=8),
        Reason.FLAG: timedelta(days=1),
        Reason.SAMPLE: timedelta(days=7),
    }
)
"""How soon an item of each reason is to be decided."""

MAX_TEXT: Final = 200_000
"""Longest text of a reviewer's, characters."""
MAX_REASON: Final = 2_000


def due_at(reasons: Collection[Reason], created_at: datetime) -> datetime:
    """Tell when an item is due.

    Args:
        reasons: at least one; the most urgent counts.
        created_at: when its call was answered.
    """
    return created_at + min(DUE_IN[reason] for reason in reasons)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer decided.

    Args:
        state: one of `DECISIONS`.
        reason: why, for the candidate, the auditor and whoever improves the prompt.
        text: what takes the output's place, for those of `REPLACING`.
    """

    state: State
    reason: str = ""
    text: str | None = None


def checked(decision: Decision) -> Decision:
    """Give the decision back when it is whole.

    Raises:
        InvalidRequest: naming what is missing or too much.
    """
    if decision.state not in DECISIONS:
        known = ", ".join(sorted(DECISIONS))
        raise InvalidRequest(
            f"{decision.state.value!r} is no decision; choose one of {known}", param="decision"
        )
    if decision.state is not State.APPROVED and not decision.reason.strip():
        raise InvalidRequest(
            f"say in `reason` why the output is {decision.state.value}", param="reason"
        )
    _check_text(decision)
    for name, text, limit in (
        ("reason", decision.reason, MAX_REASON),
        ("text", decision.text or "", MAX_TEXT),
    ):
        if len(text) > limit:
            raise InvalidRequest(
                f"`{name}` has {len(text)} characters; at most {limit}: shorten it", param=name
            )
        if "\x00" in text:
            raise InvalidRequest(f"`{name}` holds a NUL character; remove it", param=name)
    return decision


def _check_text(decision: Decision) -> None:
    replaces = decision.state in REPLACING
    if replaces and not (decision.text or "").strip():
        raise InvalidRequest(
            f"give in `text` what takes the place of an output that is {decision.state.value}",
            param="text",
        )
    if not replaces and decision.text is not None:
        raise InvalidRequest(
            f"an output that is {decision.state.value} has no `text` of the reviewer's; leave it"
            " out, or decide `edited`",
            param="text",
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Who holds an item, as the database has it.

    Args:
        state: where it stands.
        version: changes with every change of the item.
        holder: key of the reviewer who claimed it or decided, or None.
        held_until: end of the lease of a claimed one.
        decision_key: by which its decision can be repeated.
    """

    state: State
    version: int
    holder: str | None = None
    held_until: datetime | None = None
    decision_key: str | None = None

    def repeats(self, reviewer: str, decision_key: str) -> bool:
        """Tell whether this very decision was taken already."""
        return (
            self.state in DECISIONS
            and self.holder == reviewer
            and self.decision_key == decision_key
        )


def why_not_claimed(item: Standing) -> Conflict:
    """Say why an item cannot be claimed."""
    if item.state in DECISIONS:
        return Conflict(
            f"the item is {item.state.value} already; take the next one",
            code="review_decided",
        )
    until = f" until {item.held_until:%H:%M:%S} UTC" if item.held_until else ""
    return Conflict(
        f"another reviewer works on the item{until}; take the next one", code="review_claimed"
    )


def why_not_decided(item: Standing, reviewer: str, version: int) -> Conflict:
    """Say why a decision was not taken."""
    if item.state in DECISIONS:
        who = "you have" if item.holder == reviewer else "another reviewer has"
        return Conflict(
            f"{who} decided the item already: it is {item.state.value}", code="review_decided"
        )
    if item.holder != reviewer or item.state is not State.CLAIMED:
        return Conflict(
            "the item is not yours to decide; claim it first", code="review_not_claimed"
        )
    return Conflict(
        f"the item has changed since you saw version {version}; it is at {item.version}: read it"
        " again",
        code="review_changed",
    )
