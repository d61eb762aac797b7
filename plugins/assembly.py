"""Builds everything once per worker, and lists the stages in the order a call meets them.

Read this first: `STAGES` is the way of a call, in code.
"""

import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.agents.abilities import Abilities
from plugins.agents.rules import Catalogue
from plugins.agents.stage import AgentsStage
from plugins.alerts.claims import Claims
from plugins.alerts.configuration import AlertsPolicy
from plugins.alerts.delivery import Delivery
from plugins.alerts.dispatch import Dispatcher
from plugins.alerts.families import QUEUE
from plugins.alerts.http import HttpPost, Undeliverable
from plugins.alerts.notice import Outgoing
from plugins.breaker import signals
from plugins.breaker.changes import telling
from plugins.breaker.rules import is_providers_fault
from plugins.breaker.stage import UNCOUNTED, BreakerStage
from plugins.breaker.store import Circuits
from plugins.cache.copies import Copies
from plugins.cache.forgetting import CacheForgetting
from plugins.cache.rules import Sealer
from plugins.cache.sharing import Sharing
from plugins.cache.stage import CacheStage
from plugins.cache.store import CacheStore
from plugins.confidence import learned
from plugins.confidence.labels import Labels
from plugins.confidence.learned import Calibration
from plugins.confidence.schema_stage import SchemaStage
from plugins.confidence.stage import ConfidenceStage
from plugins.core import apart
from plugins.core.asking import LateAsker
from plugins.core.call import Attempt, Call
from plugins.core.chain import Seals
from plugins.core.clock import Clock, SystemClock
from plugins.core.events import EventPort
from plugins.core.limit import RateLimit
from plugins.core.lineage import NoWitness, Witness
from plugins.core.metrics import Metrics, among
from plugins.core.money import ZERO
from plugins.core.stage import Stage
from plugins.cost.drain import Drain
from plugins.cost.rules import Price
from plugins.cost.spool import Spool
from plugins.cost.stage import LedgerStage
from plugins.cost.store import LedgerStore, SettlementLog, is_behind
from plugins.drift import families as drift_families
from plugins.drift.rules import Signal
from plugins.drift.stage import DriftStage
from plugins.drift.telling import Telling
from plugins.drift.watch import Watch
from plugins.events.otel import OtelEvents
from plugins.feedback import quality
from plugins.feedback.finding import Finder
from plugins.feedback.forgetting import FeedbackForgetting
from plugins.feedback.recorder import Recorder
from plugins.feedback.rules import Kind, Statement
from plugins.feedback.store import FeedbackStore, Thumb
from plugins.grounding.stage import GroundingStage
from plugins.limits.readings import used_ratios
from plugins.limits.stage import LimitPolicy, LimitsStage
from plugins.limits.store import Limiter
from plugins.lineage.erasure import Eraser
from plugins.lineage.keys import KeyBox, TenantKeys
from plugins.lineage.retention import Retention
from plugins.lineage.stage import LineageStage
from plugins.lineage.transit import KeyTransfer, TransitBox
from plugins.lineage.trees import LineageStore
from plugins.lineage.vault import TextVault
from plugins.metrics import slots
from plugins.metrics.families import (
    BUILD,
    DOOR_REFUSALS,
    LIMIT_USED,
    LIMITS_ALONE,
    RESERVED_ALONE,
    SETTLEMENTS_WAITING,
    SPOOL_ENTRIES,
    STORE_AWAY,
)
from plugins.metrics.files import FileMetrics, NoMetrics
from plugins.metrics.polling import Poll, Poller
from plugins.metrics.sampler import Reading, Sampler
from plugins.metrics.stage import Known, MetricsStage
from plugins.metrics.words import DOOR_CODES
from plugins.moderation.api_client import ModerationClient
from plugins.moderation.api_stage import ModerationStage, outage
from plugins.moderation.configuration import endpoint_of, stated
from plugins.moderation.length import CountTokens
from plugins.moderation.output_stage import OutputStage
from plugins.moderation.stage import InputChecksStage
from plugins.prompt_caching.stage import PromptCachingStage
from plugins.quota import watch as quota_watch
from plugins.quota.store import QuotaStore
from plugins.quota.watch import QuotaWatch
from plugins.replicas.board import Board
from plugins.replicas.scrape import Scraper, metrics_urls
from plugins.replicas.stage import ReplicasStage
from plugins.review import backlog
from plugins.review.backlog import Backlog
from plugins.review.delivering import Carrier, Deliveries, Reply
from plugins.review.docket import ReviewDocket
from plugins.review.forgetting import ReviewForgetting
from plugins.review.outbox import Outbox
from plugins.review.retention import ReviewRetention
from plugins.review.rules import State
from plugins.review.stage import ReviewStage
from plugins.review.store import ReviewStore
from plugins.review.work import Work
from plugins.settings import Configuration, ConfigurationError, Deployment, Environment
from plugins.store.database import create_engine
from plugins.store.redis import RedisAway, RedisLink
from plugins.tenancy.rules import KeyHasher
from plugins.tenancy.store import KeyDirectory, TenantStore
from plugins.tracing import sdk
from plugins.tracing.attributes import Upstream
from plugins.tracing.measures import Measures
from plugins.tracing.stage import CapturingStage, MeasuringStage, SilentStage, TracingStage
from plugins.tracing.telemetry import Telemetry, telemetry

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


def build(
    configuration: Configuration,
    environment: Environment,
    prices: Mapping[str, Price],
    abilities: Mapping[str, Abilities],
    count_tokens: CountTokens,
) -> Parts:
    """Make one worker's parts; nothing connects before its first use.

    Args:
        configuration: what `proxy_config.yaml` says.
        environment: where the stores are.
        prices: by deployment.
        abilities: by model group.
        count_tokens: counts a text's tokens exactly; blocks.
    """
    clock = SystemClock()
    sys.setswitchinterval(apart.GIVE_WAY_S)
    engine = create_engine(environment.database_url)
    link = RedisLink(environment.redis_url, clock)
    spool = Spool(environment.data_dir / "spool")
    hasher = KeyHasher(environment.secret)
    seals = Seals(environment.secret)
    transit = TransitBox(environment.secret)
    tenant_keys = TenantKeys(engine, KeyBox(environment.secret), clock)
    ledger = LedgerStore(engine, seals, KeyTransfer(transit, tenant_keys))
    replicas, scraper = _replicas(configuration, clock)
    metrics, metrics_folder = _metrics(environment.data_dir / "metrics")
    alerts = _alerts(configuration.policy.alerts, link, metrics, clock)
    ways = _telemetry(configuration, metrics)
    circuits = _circuits(configuration, link, clock, metrics, alerts, OtelEvents(ways.logs))
    directory = KeyDirectory(engine, hasher, clock)
    limiter = Limiter(link, clock, workers=environment.workers)
    drain = Drain(link, spool, ledger, engine, clock)
    readings = [
        *_readings(configuration, circuits, link, directory, spool, alerts, limiter),
        *_readings_of_redis(configuration, limiter, drain),
    ]
    reviews = ReviewStore(engine)
    feedback = _feedback(configuration, engine, link, clock, metrics)
    drift = Watch(configuration.modes, clock)
    telling = Telling(link, metrics, alerts)
    heard = _heard(drift, telling) if "drift" in configuration.plugins else None
    calibration = Calibration(
        Labels(engine, practice=bool(environment.practice)),
        configuration.agents,
        configuration.modes,
        clock,
    )
    polls = (
        Poll(
            "quality",
            quality.EVERY_S,
            quality.Quality(feedback.store, frozenset(configuration.modes), clock, heard).read,
        ),
        Poll(
            "quotas",
            quota_watch.EVERY_S,
            QuotaWatch(QuotaStore(engine), link, alerts, clock).read,
        ),
        Poll("the review queue", backlog.EVERY_S, Backlog(engine).read),
        Poll("labels of confidence", learned.EVERY_S, calibration.read),
    )
    readings.append(Reading(drift_families.DETECTED, _shown(drift)))
    sealer = Sealer(environment.secret)
    own = environment.cache_redis_url
    cached = CacheStore(
        RedisLink(own, clock) if own else link, sealer, configuration.policy.cache.policy, clock
    )
    stated = configuration.policy.reviews
    work = Work(reviews, TextVault(tenant_keys), _stated(feedback), metrics=metrics)
    return Parts(
        configuration=configuration,
        environment=environment,
        prices=prices,
        abilities=abilities,
        count_tokens=count_tokens,
        clock=clock,
        engine=engine,
        link=link,
        spool=spool,
        catalogue=Catalogue(configuration.agents, configuration.modes, configuration.text_only),
        directory=directory,
        tenants=TenantStore(engine, hasher),
        ledger=ledger,
        drain=drain,
        circuits=circuits,
        sealer=sealer,
        cached=cached,
        sharing=Sharing(cached, Copies(clock), clock),
        replicas=replicas,
        scraper=scraper,
        alerts=alerts,
        metrics=metrics,
        metrics_folder=metrics_folder,
        sampler=Sampler(metrics, readings),
        limiter=limiter,
        listener=LineageStage(tenant_keys, configuration.policy.lineage.policy),
        tenant_keys=tenant_keys,
        lineage=LineageStore(engine),
        reviews=reviews,
        review_work=work,
        docket=ReviewDocket(transit, stated.sample, stated.payload_bytes, metrics),
        deliveries=Deliveries(
            Outbox(engine),
            work,
            _carrier(HttpPost()),
            environment.secret,
            alerts,
            metrics,
            clock,
            random.random,
            patience_s=stated.webhook_hours * 3600,
        ),
        review_retention=ReviewRetention(engine, stated.keep_days),
        eraser=Eraser(
            engine,
            seals,
            CacheForgetting(cached, sealer),
            clock,
            FeedbackForgetting(feedback.store),
            ReviewForgetting(engine),
        ),
        retention=Retention(engine, clock),
        feedback=feedback,
        drift=drift,
        drift_telling=telling,
        moderation=_moderation(configuration, clock, metrics, alerts),
        calibration=calibration,
        poller=Poller(metrics, polls),
        telemetry=ways,
        host_spans=_host_spans(configuration, ways),
        asker=LateAsker(),
    )


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


def _moderation(
    configuration: Configuration, clock: Clock, metrics: Metrics, alerts: Dispatcher
) -> ModerationClient:
    """Make the client of the moderation endpoint: the deployment of its own model group.

    Raises:
        ConfigurationError: when the gate is on and there is no such group.
    """
    model = configuration.policy.moderation.model
    deployments = configuration.deployments.values()
    found = next((d for d in deployments if d.model_name == model), None)
    if found is None and "moderation" in configuration.plugins:
        raise ConfigurationError(
            [
                f"sluice.moderation.model: no model group {model!r} in model_list; add it, or take"
                " the gate `moderation` out of `guardrails`"
            ]
        )
    url = endpoint_of(found.api_base if found else None, os.environ)
    key = stated(found.api_key if found else None, os.environ)
    name = found.model.rpartition("/")[2] if found else model
    return ModerationClient(
        url, key, name, clock, metrics, lambda away: alerts.send(outage(away=away))
    )


def _replicas(configuration: Configuration, clock: Clock) -> tuple[Board, Scraper]:
    deployments = configuration.deployments.values()
    board = Board({d.id: d.model_name for d in deployments}, clock.monotonic_s, random.random)
    bases = {d.id: d.api_base for d in deployments if d.provider == "vllm"}
    return board, Scraper(board, metrics_urls(bases, os.environ), random.random)


def _metrics(folder: Path) -> tuple[Metrics, Path | None]:
    """Open this worker's metrics; without room on the disk calls go on, unmeasured."""
    try:
        return FileMetrics(slots.take(folder)), folder
    except OSError as error:
        _log.error("metrics are off: %s: %s", folder, error.strerror)
        return NoMetrics(), None


def _telemetry(configuration: Configuration, metrics: Metrics) -> Telemetry:
    known = upstreams(tuple(configuration.deployments.values()), os.environ)
    try:
        return telemetry(metrics, known)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None


def _host_spans(configuration: Configuration, ways: Telemetry) -> "HostSpans | None":
    on = configuration.policy.tracing.host_spans and "tracing" in configuration.plugins
    if not on or ways.traces is None:
        return None
    from plugins.tracing.host_spans import HostSpans

    return HostSpans(ways.traces)


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


def _alerts(policy: AlertsPolicy, link: RedisLink, metrics: Metrics, clock: Clock) -> Dispatcher:
    post = HttpPost()
    deliveries = [
        Delivery(target, post, metrics, clock, random.random) for target in policy.targets()
    ]
    return Dispatcher(Claims(link, clock, policy.repeat_s), deliveries, metrics, clock)


def _carrier(post: HttpPost) -> Carrier:
    """Let the way of alerts carry decisions to tenants' webhooks too."""

    async def carry(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            return Reply((await post(Outgoing(url, body, headers))).status)
        except Undeliverable as error:
            return Reply(None, str(error))

    return carry


def _circuits(
    configuration: Configuration,
    link: RedisLink,
    clock: Clock,
    metrics: Metrics,
    alerts: Dispatcher,
    events: EventPort,
) -> Circuits:
    listeners = (
        signals.logged,
        signals.counted(metrics),
        signals.traced(events),
        signals.alerted(alerts),
    )
    policy = configuration.policy.breaker.policy
    return Circuits(link, clock, policy, random.random, telling(listeners))


def _feedback(
    configuration: Configuration,
    engine: AsyncEngine,
    link: RedisLink,
    clock: Clock,
    metrics: Metrics,
) -> Recorder:
    store = FeedbackStore(engine)

    async def behind() -> bool:
        return await is_behind(link, clock.now())

    finder = Finder(store.calls, behind, clock)
    agents, models = frozenset(configuration.agents), frozenset(configuration.modes)
    return Recorder(store, finder, metrics, agents, models)


def _stated(feedback: Recorder) -> Callable[[Mapping[str, Any]], Awaitable[None]]:
    """Let each reviewer's decision be a statement about its call."""

    async def stated(item: Mapping[str, Any]) -> None:
        approved = item["state"] == State.APPROVED.value
        statement = Statement(
            item["call_id"],
            Kind.ACCEPTED if approved else Kind.OVERRIDDEN,
            reviewer=item["claimed_by"],
            key=f"review {item['id']}",
        )
        await feedback.state(item["tenant_id"], [statement])

    return stated


def _heard(drift: Watch, telling: Telling) -> Callable[[Thumb], Awaitable[None]]:
    """Watch people's satisfaction as well, which every worker reads whole from PostgreSQL."""

    async def heard(thumb: Thumb) -> None:
        change = drift.replay(thumb.model, Signal.SATISFACTION, thumb.score, thumb.at)
        if change is not None:
            await telling.tell(change)

    return heard


def _shown(drift: Watch) -> Callable[[], Awaitable[Mapping[tuple[str, ...], float]]]:
    async def shown() -> Mapping[tuple[str, ...], float]:
        return drift.shown()

    return shown


def _readings(
    configuration: Configuration,
    circuits: Circuits,
    link: RedisLink,
    directory: KeyDirectory,
    spool: Spool,
    alerts: Dispatcher,
    limiter: Limiter,
) -> list[Reading]:
    """List what is read once a second rather than counted."""

    async def stores() -> Mapping[tuple[str, ...], float]:
        return {("redis",): float(link.is_away), ("postgres",): float(directory.away)}

    async def spooled() -> Mapping[tuple[str, ...], float]:
        return {(): float(await spool.entries())}

    async def alone() -> Mapping[tuple[str, ...], float]:
        return {(): float(not limiter.shared)}

    async def reserved_alone() -> Mapping[tuple[str, ...], float]:
        return {(): float(limiter.degraded)}

    async def build_info() -> Mapping[tuple[str, ...], float]:
        return {(version(),): 1.0}

    providers = frozenset(d.provider for d in configuration.deployments.values())
    return [
        Reading(signals.STATE, signals.states(circuits, providers)),
        Reading(STORE_AWAY, stores),
        Reading(SPOOL_ENTRIES, spooled),
        Reading(QUEUE, alerts.waiting),
        Reading(LIMITS_ALONE, alone),
        Reading(RESERVED_ALONE, reserved_alone),
        Reading(BUILD, build_info),
    ]


def _readings_of_redis(
    configuration: Configuration, limiter: Limiter, drain: Drain
) -> list[Reading]:
    """List what Redis is asked for; after all the others, because it may keep them waiting."""

    async def unrecorded() -> Mapping[tuple[str, ...], float]:
        try:
            return {(): float(await drain.waiting())}
        except RedisAway:
            # The last figure stays; `sluice_store_away` says that nobody knows.
            return {}

    limits = configuration.policy.rate_limits.of_providers
    return [
        Reading(LIMIT_USED, used_ratios(limiter, limits)),
        Reading(SETTLEMENTS_WAITING, unrecorded),
    ]


def version() -> str:
    """Give this gateway's version, or `unknown` where it runs without having been installed."""
    try:
        return metadata.version("sluice-gateway")
    except metadata.PackageNotFoundError:
        return "unknown"
