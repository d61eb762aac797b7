"""Fields that more than one endpoint has, with the ranges that the providers publish."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

SAFE_INTEGER = 2**53
"""Largest integer that every JSON reader on the way keeps exact."""

Model = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9._:/@-]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
ToolName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]*\Z")]
Identifier = Annotated[str, Meta(min_length=1, max_length=512)]
Label = Annotated[str, Meta(max_length=512)]
"""A short free text: a user, a cache key, a file name."""
Text = Annotated[str, Meta(min_length=1)]

Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-SAFE_INTEGER, le=SAFE_INTEGER)]
Choices = Annotated[int, Meta(ge=1, le=128)]
TopLogprobs = Annotated[int, Meta(ge=0, le=20)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Logprob = Annotated[float, Meta(ge=-1e6, le=1e6)]
TopK = Annotated[int, Meta(ge=-1, le=1_000_000)]
RepetitionPenalty = Annotated[float, Meta(gt=0, le=2)]
LogitBias = Annotated[
    dict[Annotated[str, Meta(pattern=r"^[0-9]{1,9}\Z")], Annotated[float, Meta(ge=-100, le=100)]],
    Meta(max_length=2048),
]
Stop = str | Annotated[list[str], Meta(max_length=4)] | None

# Only what is charged at the listed price: the ledger prices no other tier, place or speed.
ServiceTier = Literal["auto", "default"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Level = Literal["low", "medium", "high"]
Detail = Literal["auto", "low", "high", "original"]
Retention = Literal["in_memory", "24h"]


class Strict(Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object that has these fields and no others."""


class StreamOptions(Strict):
    """What a stream says besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ModerationMode(Strict):
    """What the provider does with a finding."""

    mode: Literal["score", "block"]


class ModerationPolicy(Strict):
    """What the provider does with findings, by direction."""

    input: ModerationMode | None = None
    output: ModerationMode | None = None


class Moderation(Strict):
    """The provider's own moderation of this call."""

    model: Model
    policy: ModerationPolicy | None = None


class PromptCacheOptions(Strict):
    """How the provider caches the prompt."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class Breakpoint(Strict):
    """The end of a cacheable prefix."""

    mode: Literal["explicit"]


class CacheControl(Strict):
    """The end of a cacheable prefix, in Anthropic's words."""

    type: Literal["ephemeral"]
    ttl: Literal["5m"] | None = None  # an hour is charged at another price than the ledger's


Guardrails = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(min_length=1, max_length=32)
]
"""Names of guardrails that are added for this call; those that are on by default stay on."""

MAX_SOURCES = 32


class SourceDocument(Strict):
    """A document that the answer must rest on; it is checked against and never sent on."""

    name: Name
    text: Text
    about: Literal["candidate", "job"] | None = None


Sources = Annotated[list[SourceDocument], Meta(max_length=MAX_SOURCES)]
