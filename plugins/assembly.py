"""Lists the stages in the order a call meets them, and what they are made of.

Read this first: `STAGES` is the way of a call, in code. `building.py` makes the parts.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.agents.abilities import Abilities
from plugins.agents.rules import Catalogue
from plugins.agents.stage import AgentsStage
from plugins.alerts.dispatch import Dispatcher
from plugins.breaker.rules import is_providers_fault
from plugins.breaker.stage import UNCOUNTED, BreakerStage
from plugins.breaker.store import Circuits
from plugins.cache.rules import Sealer
from plugins.cache.sharing import Sharing
from plugins.cache.stage import CacheStage
from plugins.cache.store import CacheStore
from plugins.confidence.learned import Calibration
from plugins.confidence.schema_stage import SchemaStage
from plugins.confidence.stage import ConfidenceStage
from plugins.core.asking import LateAsker
from plugins.core.call import Attempt, Call
from plugins.core.clock import Clock
from plugins.core.limit import RateLimit
from plugins.core.lineage import NoWitness, Witness
from plugins.core.metrics import Metrics, among
from plugins.core.money import ZERO
from plugins.core.stage import Stage
from plugins.cost.drain import Drain
from plugins.cost.rules import Price
from plugins.cost.spool import Spool
from plugins.cost.stage import LedgerStage
from plugins.cost.store import LedgerStore, SettlementLog
from plugins.drift.stage import DriftStage
from plugins.drift.telling import Telling
from plugins.drift.watch import Watch
from plugins.feedback.recorder import Recorder
from plugins.grounding.stage import GroundingStage
from plugins.limits.stage import LimitPolicy, LimitsStage
from plugins.limits.store import Limiter
from plugins.lineage.erasure import Eraser
from plugins.lineage.keys import TenantKeys
from plugins.lineage.retention import Retention
from plugins.lineage.stage import LineageStage
from plugins.lineage.trees import LineageStore
from plugins.metrics.families import (
    DOOR_REFUSALS,
)
from plugins.metrics.polling import Poller
from plugins.metrics.sampler import Sampler
from plugins.metrics.stage import Known, MetricsStage
from plugins.metrics.words import DOOR_CODES
from plugins.moderation.api_client import ModerationClient
from plugins.moderation.api_stage import ModerationStage
from plugins.moderation.length import CountTokens
from plugins.moderation.output_stage import OutputStage
from plugins.moderation.stage import InputChecksStage
from plugins.prompt_caching.stage import PromptCachingStage
from plugins.replicas.board import Board
from plugins.replicas.scrape import Scraper
from plugins.replicas.stage import ReplicasStage
from plugins.review.delivering import Deliveries
from plugins.review.docket import ReviewDocket
from plugins.review.retention import ReviewRetention
from plugins.review.stage import ReviewStage
from plugins.review.store import ReviewStore
from plugins.review.work import Work
from plugins.settings import Configuration, Deployment, Environment
from plugins.store.redis import RedisLink
from plugins.tenancy.store import KeyDirectory, TenantStore
from plugins.tracing import sdk
from plugins.tracing.attributes import Upstream
from plugins.tracing.measures import Measures
from plugins.tracing.stage import CapturingStage, MeasuringStage, SilentStage, TracingStage
from plugins.tracing.telemetry import Telemetry

if TYPE_CHECKING:
    from plugins.tracing.host_spans import HostSpans


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages and routes are made of; one set a worker."""

    configuration: Configuration
    environment: Environment
    prices: Mapping[str, Price]
    abilities: Mapping[str, Abilities]
    count_tokens: CountTokens
    clock: Clock
    engine: AsyncEngine
    link: RedisLink
    spool: Spool
    catalogue: Catalogue
    directory: KeyDirectory
    tenants: TenantStore
    ledger: LedgerStore
    drain: Drain
    circuits: Circuits
    sealer: Sealer
    cached: CacheStore
    sharing: Sharing
    replicas: Board
    scraper: Scraper
    alerts: Dispatcher
    metrics: Metrics
    metrics_folder: Path | None
    sampler: Sampler
    limiter: Limiter
    listener: LineageStage
    tenant_keys: TenantKeys
    lineage: LineageStore
    eraser: Eraser
    reviews: ReviewStore
    review_work: Work
    docket: ReviewDocket
    deliveries: Deliveries
    review_retention: ReviewRetention
    retention: Retention

    feedback: Recorder
    drift: Watch
    drift_telling: Telling
    moderation: ModerationClient
    calibration: Calibration
    poller: Poller
    telemetry: Telemetry
    host_spans: "HostSpans | None"
    asker: LateAsker

    @property
    def witness(self) -> Witness:
        """Give who says what was asked and answered; with the plugin off, nobody does."""
        return self.listener if "lineage" in self.configuration.plugins else NoWitness()

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """Give all deployments of `model_list`."""
        return tuple(self.configuration.deployments.values())

    @property
    def providers(self) -> frozenset[str]:
        """Name who runs the deployments."""
        return frozenset(deployment.provider for deployment in self.deployments)

    def catalogue_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Give the agents and the plain models that exist."""
        return frozenset(self.catalogue.agents), frozenset(self.catalogue.modes)

    def models(self) -> dict[str, str]:
        """Tell what stands behind each model group, practice providers told from real ones."""
        practice = self.environment.practice
        found: dict[str, set[str]] = {}
        for d in self.deployments:
            told = f"{d.model} (practice)" if d.provider in practice else d.model
            found.setdefault(d.model_name, set()).add(told)
        return {group: ", ".join(sorted(told)) for group, told in found.items()}

    def price_of(self, call: Call) -> Decimal:
        """Price the answer of a call."""
        price = self.prices.get(call.deployment or "")
        return price.of(call.usage) if price else ZERO

    def saved_by_provider(self, call: Call) -> Decimal:
        """Tell what a provider's own prompt cache saved in a call."""
        price = self.prices.get(call.deployment or "")
        return price.saved_of(call.usage) if price else ZERO

    @property
    def logprob_groups(self) -> frozenset[str]:
        """Name the model groups all of whose deployments give their tokens' probabilities."""
        silent = {d.model_name for d in self.deployments if not _tells_logprobs(d)}
        return frozenset(d.model_name for d in self.deployments) - silent

    def count_refusal(self, code: str) -> None:
        """Count a request that was refused before it was a call."""
        self.metrics.add(DOOR_REFUSALS, among(code, DOOR_CODES))


def _tells_logprobs(deployment: Deployment) -> bool:
    # Anthropic has no such thing; `model_info: {supports_logprobs: false}` says it of others.
    stated = deployment.stated.get("supports_logprobs", True) is not False
    return stated and deployment.mode == "chat" and deployment.provider in _WITH_LOGPROBS


_WITH_LOGPROBS: Final = frozenset({"openai", "azure", "vllm"})


def _is_servers_fault(attempt: Attempt) -> bool:
    return attempt.error_class not in UNCOUNTED and is_providers_fault(attempt.status)


STAGES: Final[Mapping[str, Callable[[Parts], Stage]]] = {
    "agents": lambda parts: AgentsStage(parts.catalogue, parts.abilities),
    # Gates stand under `guardrails:`; what they find holds before anything is sent or kept.
    "input_checks": lambda parts: InputChecksStage(
        parts.configuration.policy.check_book,
        parts.count_tokens,
        parts.configuration.policy.limits.prompt_tokens,
    ),
    "limits": lambda parts: LimitsStage(
        parts.limiter,
        limit_policy(parts.configuration),
        {d.model_name: d.provider for d in parts.deployments},
        parts.clock,
    ),
    "breaker": lambda parts: BreakerStage(
        parts.circuits,
        {d.model_name: d.provider for d in parts.deployments},
        parts.replicas.other_is_well,
        probe_anyway=parts.configuration.policy.breaker.when_all_open == "probe",
    ),
    "prompt_caching": lambda parts: PromptCachingStage(
        {d.model_name: d.provider for d in parts.deployments},
        parts.environment.secret,
        parts.clock,
    ),
    "replicas": lambda parts: ReplicasStage(parts.replicas, _is_servers_fault),
    "ledger": lambda parts: LedgerStage(
        parts.prices, SettlementLog(parts.link, parts.spool), parts.witness, parts.docket
    ),
    "metrics": lambda parts: MetricsStage(
        parts.metrics, known_names(parts.configuration), parts.saved_by_provider
    ),
    "tracing": lambda parts: _tracing(parts),
    "drift": lambda parts: DriftStage(parts.drift, parts.drift_telling),
    # Begins before a provider is asked, and judges the answer after all that may mend it.
    "moderation": lambda parts: ModerationStage(
        parts.configuration.policy.check_book,
        parts.configuration.policy.moderation.policy,
        parts.moderation,
        parts.alerts,
    ),
    # The judges, in order: each sees the answer as those before it have left it.
    "schema": lambda parts: SchemaStage(
        parts.configuration.policy.check_book,
        parts.configuration.policy.confidence_policies,
        parts.asker,
    ),
    "toxicity": lambda parts: OutputStage(parts.configuration.policy.check_book),
    "grounding": lambda parts: GroundingStage(
        parts.configuration.policy.check_book,
        parts.configuration.policy.grounding_policies,
        parts.asker,
    ),
    "confidence": lambda parts: ConfidenceStage(
        parts.configuration.policy.check_book,
        parts.configuration.policy.confidence_policies,
        parts.calibration,
        parts.asker,
        parts.logprob_groups,
    ),
    # These two hear answers as they are given.
    "review": lambda parts: ReviewStage(
        parts.configuration.policy.reviews.sample, parts.configuration.policy.reviews.payload_bytes
    ),
    "lineage": lambda parts: parts.listener,
    # The last: it keeps answers as all the others have left them.
    "cache": lambda parts: CacheStage(
        parts.sharing,
        parts.sealer,
        parts.configuration.cache_policies,
        parts.models(),
        parts.price_of,
        parts.clock,
    ),
}

_log: Final = logging.getLogger("sluice")


def limit_policy(configuration: Configuration) -> LimitPolicy:
    """Give the rate limits that `proxy_config.yaml` states."""
    stated = configuration.policy.rate_limits
    return LimitPolicy(
        providers=stated.of_providers,
        tenant=stated.tenant.limit if stated.tenant else RateLimit(),
        key=stated.key.limit if stated.key else RateLimit(),
        usual_answer_tokens=stated.answer_tokens,
        answer_tokens=stated.agents_answer_tokens,
    )


def known_names(configuration: Configuration) -> Known:
    """Give the names that a metric's label may hold."""
    return Known(
        agents=frozenset(configuration.agents),
        models=frozenset(configuration.modes),
        providers=frozenset(d.provider for d in configuration.deployments.values()),
        stages=frozenset(STAGES),
        tenants=frozenset(configuration.policy.metrics.tenants),
    )


def _tracing(parts: Parts) -> Stage:
    ways = parts.telemetry
    if ways.traces is None:
        measured = isinstance(ways.measures, Measures)
        return MeasuringStage(ways.measures) if measured else SilentStage()
    policy = parts.configuration.policy.tracing
    tenants = policy.capture_content
    make = partial(CapturingStage, tenants) if tenants else TracingStage
    return make(
        ways.traces,
        policy.sampling,
        upstreams(parts.deployments, os.environ),
        parts.metrics,
        measures=ways.measures,
        host_spans=parts.host_spans,
        older_names=sdk.wants_older_names(os.environ),
    )


def upstreams(deployments: Sequence[Deployment], environ: Mapping[str, str]) -> dict[str, Upstream]:
    """Say what stands behind each deployment, for those who read traces."""
    found: dict[str, Upstream] = {}
    for deployment in deployments:
        base = deployment.api_base or ""
        if base.startswith("os.environ/"):
            base = environ.get(base.removeprefix("os.environ/"), "")
        model = deployment.model.partition("/")[2] or deployment.model
        try:
            parts = urlsplit(base)
            found[deployment.id] = Upstream(model, parts.hostname or "", parts.port or 0)
        except ValueError:  # no address that anybody can reach, which is LiteLLM's to say
            found[deployment.id] = Upstream(model)
    return found


def version() -> str:
    """Give this gateway's version, or `unknown` where it runs without having been installed."""
    try:
        return metadata.version("sluice-gateway")
    except metadata.PackageNotFoundError:
        return "unknown"
