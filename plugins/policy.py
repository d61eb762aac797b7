"""The `sluice:` section of `proxy_config.yaml`, as frozen models. Pure."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from plugins.alerts.configuration import AlertsPolicy
from plugins.breaker.rules import BreakerPolicy
from plugins.cache.rules import CachePolicy
from plugins.confidence.configuration import ConfidenceIn
from plugins.confidence.rules import ConfidencePolicy
from plugins.core.agent import TimeLimits
from plugins.core.checks import DEFAULTS as CHECKS
from plugins.core.checks import CheckBook, CheckRule, Mode, OnFailure
from plugins.core.limit import MOST, RateLimit
from plugins.core.metrics import NONE, OTHER
from plugins.cost.rules import GpuHour
from plugins.grounding.configuration import GroundingIn
from plugins.grounding.policy import GroundingPolicy, policy_of
from plugins.lineage.texts import TextPolicy
from plugins.moderation.configuration import ModerationIn
from plugins.review.sampling import Sample
from plugins.tracing.sampling import Sampling

LONGEST_SILENCE_S: Final = 600.0
LONGEST_TTL_S: Final = 30 * 86_400
MOST_MEASURED_TENANTS: Final = 50
"""Each has its own series in every store of metrics."""


class Frozen(BaseModel):
    """A section of the configuration; what it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


TenantName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Silence = Annotated[float, Field(gt=0, le=LONGEST_SILENCE_S)]


class TimeLimitsIn(Frozen):
    """How long one try of a provider may be silent, seconds; what is left out is the default."""

    connect_s: Silence | None = None
    first_byte_s: Silence | None = None
    between_chunks_s: Silence | None = None
    answer_s: Silence | None = None

    def over(self, default: TimeLimits) -> TimeLimits:
        """Give the limits that hold: these, and the default where these say nothing."""
        return replace(default, **self.model_dump(exclude_none=True))


class AgentCache(Frozen):
    """What an agent has otherwise than `sluice.cache`; what is left out is as there."""

    enabled: bool | None = None
    ttl_s: int | None = Field(default=None, ge=1, le=LONGEST_TTL_S)
    coalesce: bool | None = None
    wait_s: float | None = Field(default=None, gt=0, le=LONGEST_SILENCE_S)
    keep_tool_calls: bool | None = None
    keep_truncated: bool | None = None

    def over(self, default: CachePolicy) -> CachePolicy:
        """Give the policy that holds."""
        return replace(default, **self.model_dump(exclude_none=True))


class Cache(Frozen):
    """The response cache; seconds and bytes (SPEC 8.1)."""

    enabled: bool = True
    ttl_s: int = Field(default=3600, ge=1, le=LONGEST_TTL_S)
    fallback_ttl_s: int = Field(default=60, ge=1, le=LONGEST_TTL_S)
    largest_entry_bytes: int = Field(default=1_000_000, ge=1024, le=16_000_000)
    tenant_bytes: int = Field(default=64 * 2**20, ge=2**20)
    redis_memory_bytes: int = Field(default=2**30, ge=2**20)
    coalesce: bool = True
    wait_s: float = Field(default=60.0, gt=0, le=LONGEST_SILENCE_S)
    keep_tool_calls: bool = False
    keep_truncated: bool = False

    @model_validator(mode="after")
    def _fits(self) -> "Cache":
        if self.largest_entry_bytes > self.tenant_bytes:
            raise ValueError("largest_entry_bytes is over tenant_bytes: no such entry would fit")
        return self

    @property
    def policy(self) -> CachePolicy:
        """Give it as the cache's rules take it."""
        return CachePolicy(**self.model_dump())


class CheckRuleIn(Frozen):
    """What one check does (`core.checks.CheckRule`); a bare word is its action."""

    action: Mode
    on_failure: OnFailure | None = None
    timeout_s: float | None = Field(default=None, gt=0, le=60)

    @model_validator(mode="before")
    @classmethod
    def _a_word_is_its_action(cls, value: object) -> object:
        # YAML reads `off` as false.
        return {"action": "off" if value is False else value} if _is_word(value) else value

    @field_validator("action", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return "off" if value is False else value

    def over(self, default: CheckRule) -> CheckRule:
        """Give the rule that holds."""
        return CheckRule(
            self.action,
            self.on_failure or default.on_failure,
            self.timeout_s or default.timeout_s,
        )


def _is_word(value: object) -> bool:
    return value is False or isinstance(value, str)


def _known_checks(value: dict[str, CheckRuleIn]) -> dict[str, CheckRuleIn]:
    if unknown := sorted(value.keys() - CHECKS.keys()):
        raise ValueError(f"no check {unknown[0]!r}; known: {', '.join(sorted(CHECKS))}")
    return value


ChecksIn = Annotated[dict[str, CheckRuleIn], AfterValidator(_known_checks)]


class AgentPolicy(Frozen):
    """One agent of SPEC section 2: the model groups tried in order."""

    tiers: tuple[str, ...] = Field(min_length=1)
    time_limits: TimeLimitsIn = TimeLimitsIn()
    cache: AgentCache = AgentCache()
    checks: ChecksIn = {}
    grounding: GroundingIn = GroundingIn()
    confidence: ConfidenceIn = ConfidenceIn()


class GpuHourRow(Frozen):
    """What a replica of a self-hosted model costs to rent, and how many tokens a second it does.

    The formula and the units are those of `cost.rules.GpuHour`.
    """

    usd_per_hour: Decimal = Field(gt=0, allow_inf_nan=False)
    gpus: int = Field(default=1, ge=1, le=1024)
    input_tokens_per_s: Decimal = Field(gt=0, allow_inf_nan=False)
    output_tokens_per_s: Decimal = Field(gt=0, allow_inf_nan=False)
    busy_share: Decimal = Field(default=Decimal(1), gt=0, le=1)

    @property
    def rule(self) -> GpuHour:
        """Give it as the rules of prices take it."""
        return GpuHour(
            usd_per_hour=self.usd_per_hour,
            gpus=self.gpus,
            input_tokens_per_s=self.input_tokens_per_s,
            output_tokens_per_s=self.output_tokens_per_s,
            busy_share=self.busy_share,
        )


class PriceRow(Frozen):
    """A price of one deployment, in US dollars, over LiteLLM's list.

    Either prices per unit, or `gpu_hour` for what runs on rented machines, or `free_because`, which
    states why a deployment costs nothing, so that a zero is never a surprise.
    """

    input_per_million_usd: Decimal | None = Field(default=None, ge=0)
    output_per_million_usd: Decimal | None = Field(default=None, ge=0)
    cached_input_per_million_usd: Decimal | None = Field(default=None, ge=0)
    cache_write_per_million_usd: Decimal | None = Field(default=None, ge=0)
    per_thousand_characters_usd: Decimal | None = Field(default=None, ge=0)
    per_minute_usd: Decimal | None = Field(default=None, ge=0)
    gpu_hour: GpuHourRow | None = None
    free_because: str | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "PriceRow":
        priced = self.model_dump(exclude={"free_because", "gpu_hour"}, exclude_none=True)
        if [bool(priced), self.gpu_hour is not None, bool(self.free_because)].count(True) != 1:
            raise ValueError("give prices, or `gpu_hour`, or say `free_because`: one of the three")
        return self


class Limits(Frozen):
    """Bounds of what one request may bring: bytes, and tokens of a prompt (SPEC 10.1)."""

    body_bytes: int = Field(default=2_000_000, gt=0, le=50_000_000)
    audio_bytes: int = Field(default=26_214_400, gt=0, le=100_000_000)
    prompt_tokens: int = Field(default=10_000, ge=1, le=1_000_000)


class Breaker(Frozen):
    """When a provider's circuit opens and how long it stays so; seconds."""

    failures_to_open: int = Field(default=3, ge=1, le=1000)
    cool_off_s: float = Field(default=5.0, gt=0, le=3600)
    longest_cool_off_s: float = Field(default=300.0, gt=0, le=86_400)
    when_all_open: Literal["refuse", "probe"] = "refuse"

    @property
    def policy(self) -> BreakerPolicy:
        """Give it as the breaker's rules take it."""
        return BreakerPolicy(
            failures_to_open=self.failures_to_open,
            cool_off_s=self.cool_off_s,
            longest_cool_off_s=max(self.longest_cool_off_s, self.cool_off_s),
        )


class Rate(Frozen):
    """Requests (`rpm`) and tokens (`tpm`) a minute; what is left out has no limit."""

    rpm: int | None = Field(default=None, ge=1, le=MOST)
    tpm: int | None = Field(default=None, ge=1, le=MOST)

    @property
    def limit(self) -> RateLimit:
        """Give it as the limits' rules take it."""
        return RateLimit(self.rpm, self.tpm)


class RateLimits(Frozen):
    """Limits of each provider, pooled over its deployments, and defaults of tenants and keys.

    `answer_tokens` is what an answer is taken to need for which a call names no bound;
    `agents_answer_tokens` the same for some agents.
    """

    providers: dict[str, Rate] = {}
    tenant: Rate | None = None
    key: Rate | None = None
    answer_tokens: int = Field(default=500, ge=1, le=1_000_000)
    agents_answer_tokens: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = {}

    @field_validator("tenant", "key", mode="before")
    @classmethod
    def _none_is_a_word(cls, value: object) -> object:
        return None if value == "none" else value

    @property
    def of_providers(self) -> dict[str, RateLimit]:
        """Give the providers' limits as the rules take them."""
        return {name: rate.limit for name, rate in self.providers.items()}


class MetricsPolicy(Frozen):
    """What is measured beyond the usual: calls, tokens and dollars of some tenants by name."""

    tenants: tuple[TenantName, ...] = Field(default=(), max_length=MOST_MEASURED_TENANTS)

    @field_validator("tenants")
    @classmethod
    def _each_tells_one_tenant(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a tenant stands twice; name each once")
        if taken := set(value) & {OTHER, NONE}:
            raise ValueError(f"{taken.pop()!r} is what all the others are counted under")
        return value


class Tracing(Frozen):
    """Which traces are kept, and what of a call's content they may hold.

    Args:
        share: of ordinary calls, 0..1; errors, flagged, slow and dear ones are always kept.
        slower_than_s: calls that take longer are always kept, seconds.
        dearer_than_usd: calls that cost more likewise, US dollars.
        capture_content: tenants whose prompts and answers are recorded, masked.
        host_spans: record LiteLLM's own spans too.
    """

    share: float = Field(default=1.0, ge=0, le=1)
    slower_than_s: float | None = Field(default=10.0, gt=0)
    dearer_than_usd: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    capture_content: frozenset[str] = frozenset()
    host_spans: bool = False

    @property
    def sampling(self) -> Sampling:
        """Give it as tracing's rules take it."""
        return Sampling(self.share, self.slower_than_s, self.dearer_than_usd)


class Lineage(Frozen):
    """Whether the text of calls is kept, sealed; tenants may say otherwise (SPEC 14)."""

    keep_text: bool = False
    keep_text_days: int = Field(default=30, ge=1, le=3650)
    text_bytes: int = Field(default=262_144, ge=1024, le=4_000_000)

    @property
    def policy(self) -> TextPolicy:
        """Give it as lineage's rules take it."""
        return TextPolicy(**self.model_dump())


Share = Annotated[float, Field(ge=0, le=1)]


class Reviews(Frozen):
    """What comes into the review queue, and how decisions leave it.

    Args:
        sample_share: of answered calls that are drawn at random for a person to look at.
        agents_sample_share: the share of agents that have another.
        payload_bytes: characters kept of what a reviewer reads of one call; an answer that its
            caller waits for is kept whole all the same.
        webhook_hours: for how long a decision is sent to a tenant's webhook that does not take it.
        keep_days: after its decision an item's texts are deleted; longer than any webhook is tried.
    """

    sample_share: Share = 0.0
    agents_sample_share: dict[str, Share] = {}
    payload_bytes: int = Field(default=131_072, ge=4096, le=1_000_000)
    webhook_hours: float = Field(default=24.0, gt=0, le=720)
    keep_days: int = Field(default=180, ge=31, le=3650)

    @property
    def sample(self) -> Sample:
        """Give the draw as the queue's rules take it."""
        return Sample(self.sample_share, self.agents_sample_share)


class Policy(Frozen):
    """The `sluice:` section."""

    agents: dict[str, AgentPolicy] = Field(min_length=1)
    prices: dict[str, PriceRow] = {}
    retired: dict[str, date] = {}
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    cache: Cache = Cache()
    alerts: AlertsPolicy = AlertsPolicy()
    rate_limits: RateLimits = RateLimits()
    metrics: MetricsPolicy = MetricsPolicy()
    tracing: Tracing = Tracing()
    lineage: Lineage = Lineage()
    reviews: Reviews = Reviews()
    moderation: ModerationIn = ModerationIn()
    time_limits: TimeLimitsIn = TimeLimitsIn()
    checks: ChecksIn = {}
    confidence: ConfidenceIn = ConfidenceIn()

    @property
    def grounding_policies(self) -> dict[str, GroundingPolicy]:
        """Give what each agent's answers must rest on."""
        return {
            name: agent.grounding.over(policy_of({}, name)) for name, agent in self.agents.items()
        }

    @property
    def confidence_policies(self) -> dict[str, ConfidencePolicy]:
        """Give what each agent does with doubtful answers; under the empty name plain models."""
        default = self.confidence.over(ConfidencePolicy())
        own = {name: agent.confidence.over(default) for name, agent in self.agents.items()}
        return {"": default, **own}

    @property
    def check_book(self) -> CheckBook:
        """Give what the checks do, by agent."""
        stated = {name: check.over(CHECKS[name]) for name, check in self.checks.items()}
        default = {**CHECKS, **stated}
        agents = {
            name: {check: own.over(default[check]) for check, own in agent.checks.items()}
            for name, agent in self.agents.items()
        }
        return CheckBook(default, agents)
