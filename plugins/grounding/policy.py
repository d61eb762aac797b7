"""What an agent's answers must rest on, and who decides where words do not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Basis(StrEnum):
    """Which documents an answer must rest on."""

    GIVEN = "given"
    """Those that the caller names as `sources`; without them nothing is checked."""
    PROMPT = "prompt"
    """Those, or else what the user and the tools say in the prompt."""
    OFF = "off"


class Form(StrEnum):
    """How an answer is read."""

    EXTRACTION = "extraction"
    """Field by field, wherever in it JSON stands."""
    EXPLANATION = "explanation"
    """Sentence by sentence; field by field only when all of it is JSON."""
    AUTO = "auto"
    """As an extraction where it begins with JSON or a fence, else as an explanation."""


@dataclass(frozen=True, slots=True)
class GroundingPolicy:
    """How one agent's answers are held against documents.

    Args:
        sources: which documents.
        kind: how the answer is read.
        judge: agent or model group that is asked about doubtful sentences; None for nobody.
        judges_people: its answers are read for bias.
    """

    sources: Basis = Basis.GIVEN
    kind: Form = Form.AUTO
    judge: str | None = None
    judges_people: bool = False


DEFAULT: Final = GroundingPolicy()
"""For plain models and agents that are not named below."""
BY_AGENT: Final[Mapping[str, GroundingPolicy]] = {
    "resume_parsing": GroundingPolicy(Basis.PROMPT, Form.EXTRACTION),
    "explanation": GroundingPolicy(Basis.PROMPT, Form.EXPLANATION, judges_people=True),
    "matching": GroundingPolicy(Basis.PROMPT, Form.EXPLANATION, judges_people=True),
    "screening": GroundingPolicy(judges_people=True),
    "decision": GroundingPolicy(judges_people=True),
}
"""What the agents of SPEC section 2 have where the configuration says nothing."""


def policy_of(agents: Mapping[str, GroundingPolicy], agent: str | None) -> GroundingPolicy:
    """Give the policy of an agent, or of plain models (None).

    Args:
        agents: what some have of their own.
        agent: whose.
    """
    return agents.get(agent or "", BY_AGENT.get(agent or "", DEFAULT))
