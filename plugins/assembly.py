"""Builds everything once per worker, and lists the stages in the order a call meets them.

Read this first: `STAGES` is the way of a call, in code.
"""

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from plugins.agents.abilities import Abilities
from plugins.agents.rules import Catalogue
from plugins.agents.stage import AgentsStage
from plugins.alerts.log import LogSender
from plugins.breaker.alerting import told
from plugins.breaker.rules import is_providers_fault
from plugins.breaker.stage import UNCOUNTED, BreakerStage
from plugins.breaker.store import Circuits
from plugins.cache.copies import Copies
from plugins.cache.rules import Sealer
from plugins.cache.sharing import Sharing
from plugins.cache.stage import CacheStage
from plugins.cache.store import CacheStore
from plugins.core.call import Attempt, Call
from plugins.core.clock import Clock, SystemClock
from plugins.core.money import ZERO
from plugins.core.stage import Stage
from plugins.cost.drain import Drain
from plugins.cost.rules import Price
from plugins.cost.spool import Spool
from plugins.cost.stage import LedgerStage
from plugins.cost.store import LedgerStore, SettlementLog
from plugins.prompt_caching.stage import PromptCachingStage
from plugins.replicas.board import Board
from plugins.replicas.scrape import Scraper, metrics_urls
from plugins.replicas.stage import ReplicasStage
from plugins.settings import Configuration, Deployment, Environment
from plugins.store.database import create_engine
from plugins.store.redis import RedisLink
from plugins.tenancy.rules import KeyHasher
from plugins.tenancy.store import KeyDirectory, TenantStore


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages and routes are made of; one set a worker."""

    configuration: Configuration
    environment: Environment
    prices: Mapping[str, Price]
    abilities: Mapping[str, Abilities]
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

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """Give all deployments of `model_list`."""
        return tuple(self.configuration.deployments.values())

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


def _is_servers_fault(attempt: Attempt) -> bool:
    return attempt.error_class not in UNCOUNTED and is_providers_fault(attempt.status)


STAGES: Final[Mapping[str, Callable[[Parts], Stage]]] = {
    "agents": lambda parts: AgentsStage(parts.catalogue, parts.abilities),
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
    "ledger": lambda parts: LedgerStage(parts.prices, SettlementLog(parts.link, parts.spool)),
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


def build(
    configuration: Configuration,
    environment: Environment,
    prices: Mapping[str, Price],
    abilities: Mapping[str, Abilities],
) -> Parts:
    """Make one worker's parts; nothing connects before its first use.

    Args:
        configuration: what `proxy_config.yaml` says.
        environment: where the stores are.
        prices: by deployment.
        abilities: by model group.
    """
    clock = SystemClock()
    engine = create_engine(environment.database_url)
    link = RedisLink(environment.redis_url, clock)
    spool = Spool(environment.data_dir / "spool")
    hasher = KeyHasher(environment.secret)
    ledger = LedgerStore(engine)
    alerts = LogSender()
    sealer = Sealer(environment.secret)
    own = environment.cache_redis_url
    cached = CacheStore(
        RedisLink(own, clock) if own else link, sealer, configuration.policy.cache.policy, clock
    )
    deployments = configuration.deployments.values()
    replicas = Board({d.id: d.model_name for d in deployments}, clock.monotonic_s, random.random)
    figures = metrics_urls(
        {d.id: d.api_base for d in deployments if d.provider == "vllm"}, os.environ
    )
    return Parts(
        configuration=configuration,
        environment=environment,
        prices=prices,
        abilities=abilities,
        clock=clock,
        engine=engine,
        link=link,
        spool=spool,
        catalogue=Catalogue(configuration.agents, configuration.modes, configuration.text_only),
        directory=KeyDirectory(engine, hasher, clock),
        tenants=TenantStore(engine, hasher),
        ledger=ledger,
        drain=Drain(link, spool, ledger, engine, clock),
        circuits=Circuits(
            link,
            clock,
            configuration.policy.breaker.policy,
            random.random,
            lambda provider, before, after: told(alerts, provider, before, after),
        ),
        sealer=sealer,
        cached=cached,
        sharing=Sharing(cached, Copies(clock), clock),
        replicas=replicas,
        scraper=Scraper(replicas, figures, random.random),
    )
