"""What is done about what a check finds: by check and agent, as policy says (SPEC 10.4). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plugins.core.verdict import Action


class Mode(StrEnum):
    """How far a check goes."""

    OFF = "off"
    """It is not run."""
    OBSERVE = "observe"
    """What it finds is recorded, and nothing follows."""
    FLAG = "flag"
    """The call goes on, marked, and a person looks at it."""
    MASK = "mask"
    """What it finds is replaced by a placeholder that names its kind."""
    BLOCK = "block"
    """The call is refused, or its answer kept back."""


class OnFailure(StrEnum):
    """What becomes of a call whose check failed or took too long."""

    OPEN = "open"
    """It goes on, and the finding `check_failed` says what was not checked."""
    CLOSED = "closed"
    """It is refused."""


@dataclass(frozen=True, slots=True)
class CheckRule:
    """What one check does for one agent.

    Args:
        mode: how far it goes.
        on_failure: what becomes of a call that it cannot judge.
        timeout_s: how long it may take, seconds.
    """

    mode: Mode = Mode.OFF
    on_failure: OnFailure = OnFailure.OPEN
    timeout_s: float = 2.0

    @property
    def is_on(self) -> bool:
        """Tell whether the check is run."""
        return self.mode is not Mode.OFF

    @property
    def action(self) -> Action:
        """Give what is done about a finding."""
        return Action.OBSERVE if self.mode is Mode.OFF else Action(self.mode.value)


Checks = Mapping[str, CheckRule]
"""Rules by the check's name."""

DEFAULTS: Final[Checks] = {
    "length": CheckRule(Mode.BLOCK, OnFailure.CLOSED),
    "pii": CheckRule(Mode.BLOCK, OnFailure.CLOSED),
    "sql_injection": CheckRule(Mode.BLOCK, OnFailure.CLOSED),
    "profanity": CheckRule(Mode.OBSERVE),
    "prompt_injection": CheckRule(Mode.FLAG),
    "moderation": CheckRule(Mode.BLOCK, OnFailure.OPEN, 3.0),
    "groundedness": CheckRule(Mode.FLAG),
    "toxicity": CheckRule(Mode.FLAG),
    # Secrets and numbers of persons in an answer that the prompt does not have.
    "pii_output": CheckRule(Mode.FLAG),
    "bias": CheckRule(Mode.FLAG),
    "schema": CheckRule(Mode.OBSERVE),
    "confidence": CheckRule(Mode.FLAG),
}
"""Every check, and what it does where policy says nothing (SPEC 10.1, 10.2)."""

_OFF: Final = CheckRule()


class CheckBook:
    """The rules of all agents.

    Args:
        default: for plain models, and for what an agent says nothing about.
        agents: what each agent has otherwise.
    """

    def __init__(
        self, default: Checks = DEFAULTS, agents: Mapping[str, Checks] | None = None
    ) -> None:
        self._default: Final = dict(default)
        self._agents: Final = {
            name: {**self._default, **own} for name, own in (agents or {}).items()
        }

    def of(self, agent: str | None) -> Checks:
        """Give the rules that hold for an agent, or for a plain model (None)."""
        return self._agents.get(agent or "", self._default)

    def rule(self, agent: str | None, check: str) -> CheckRule:
        """Give one check's rule; an unknown check is off."""
        return self.of(agent).get(check, _OFF)
