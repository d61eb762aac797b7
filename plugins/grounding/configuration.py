"""`sluice.agents.NAME.grounding` of `proxy_config.yaml`: what an agent's answers must rest on."""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plugins.grounding.policy import Basis, Form, GroundingPolicy


class GroundingIn(BaseModel):
    """How answers are held against documents; what is left out is the agent's default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Basis | None = None
    kind: Form | None = None
    judge: str | None = Field(default=None, min_length=1)
    judges_people: bool | None = None

    @field_validator("sources", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        # YAML reads `off` as false.
        return "off" if value is False else value

    def over(self, default: GroundingPolicy) -> GroundingPolicy:
        """Give the policy that holds."""
        stated: dict[str, Any] = self.model_dump(exclude_none=True)
        return replace(default, **stated)
