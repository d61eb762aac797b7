"""`sluice.confidence` of `proxy_config.yaml`, and of single agents: what doubt leads to."""

from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plugins.confidence.rules import ConfidencePolicy, Logprobs, SoftReject

MOST_SAMPLES: Final = 5
"""Each is a call of its own."""


class ConfidenceIn(BaseModel):
    """What is done with doubtful answers; what is left out is the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float | None = Field(default=None, ge=0, le=1)
    soft_reject: SoftReject | None = None
    samples: int | None = Field(default=None, ge=1, le=MOST_SAMPLES)
    sample_within: float | None = Field(default=None, ge=0, le=1)
    logprobs: Logprobs | None = None
    repair: bool | None = None
    buffer: bool | None = None

    @field_validator("logprobs", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        # YAML reads `off` as false.
        return "off" if value is False else value

    def over(self, default: ConfidencePolicy) -> ConfidencePolicy:
        """Give the policy that holds."""
        stated: dict[str, Any] = self.model_dump(exclude_none=True)
        return replace(default, **stated)
