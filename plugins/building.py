"""Makes everything that the stages and routes of one worker are made of; see `assembly.py`."""

import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.agents.abilities import Abilities
from plugins.agents.rules import Catalogue
from plugins.alerts.claims import Claims
from plugins.alerts.configuration import AlertsPolicy
from plugins.alerts.delivery import Delivery
from plugins.alerts.dispatch import Dispatcher
from plugins.alerts.families import QUEUE
from plugins.alerts.http import HttpPost, Undeliverable
from plugins.alerts.notice import Outgoing
from plugins.assembly import Parts, upstreams, version
from plugins.breaker import signals
from plugins.breaker.changes import telling
from plugins.breaker.store import Circuits
from plugins.cache.copies import Copies
from plugins.cache.forgetting import CacheForgetting
from plugins.cache.rules import Sealer
from plugins.cache.sharing import Sharing
from plugins.cache.store import CacheStore
from plugins.confidence import learned
from plugins.confidence.labels import Labels
from plugins.confidence.learned import Calibration
from plugins.core import apart
from plugins.core.asking import LateAsker
from plugins.core.chain import Seals
from plugins.core.clock import Clock, SystemClock
from plugins.core.events import EventPort
from plugins.core.metrics import Metrics
from plugins.cost.drain import Drain
from plugins.cost.rules import Price
from plugins.cost.spool import Spool
from plugins.cost.store import LedgerStore, is_behind
from plugins.drift import families as drift_families
from plugins.drift.rules import Signal
from plugins.drift.telling import Telling
from plugins.drift.watch import Watch
from plugins.events.otel import OtelEvents
from plugins.feedback import quality
from plugins.feedback.finding import Finder
from plugins.feedback.forgetting import FeedbackForgetting
from plugins.feedback.recorder import Recorder
from plugins.feedback.rules import Kind, Statement
from plugins.feedback.store import FeedbackStore, Thumb
from plugins.limits.readings import used_ratios
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
from plugins.moderation.api_client import ModerationClient
from plugins.moderation.api_stage import outage
from plugins.moderation.configuration import endpoint_of, stated
from plugins.moderation.length import CountTokens
from plugins.quota import watch as quota_watch
from plugins.quota.store import QuotaStore
from plugins.quota.watch import QuotaWatch
from plugins.replicas.board import Board
from plugins.replicas.scrape import Scraper, metrics_urls
from plugins.review import backlog
from plugins.review.backlog import Backlog
from plugins.review.delivering import Carrier, Deliveries, Reply
from plugins.review.docket import ReviewDocket
from plugins.review.forgetting import ReviewForgetting
from plugins.review.outbox import Outbox
from plugins.review.retention import ReviewRetention
from plugins.review.rules import State
from plugins.review.store import ReviewStore
from plugins.review.work import Work
from plugins.settings import Configuration, ConfigurationError, Environment
from plugins.store.database import create_engine
from plugins.store.redis import RedisAway, RedisLink
from plugins.tenancy.rules import KeyHasher
from plugins.tenancy.store import KeyDirectory, TenantStore
from plugins.tracing.telemetry import Telemetry, telemetry

if TYPE_CHECKING:
    from plugins.tracing.host_spans import HostSpans


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
