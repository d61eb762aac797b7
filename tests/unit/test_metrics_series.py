"""How many series there can be: counted by giving the stage every kind of call that can come."""

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from plugins.assembly import STAGES, known_names
from plugins.core import errors
from plugins.core.agent import Agent
from plugins.core.call import Attempt, Call, Endpoint, Outcome, Skip, Step, Usage
from plugins.core.metrics import Counter, Family, Histogram, among
from plugins.core.stage import Phase
from plugins.core.verdict import Action, Finding, Verdict
from plugins.metrics import families
from plugins.metrics.exemplars import MOST
from plugins.metrics.files import FILE_BYTES, SERIES_LIMIT, _entry, _keys
from plugins.metrics.stage import MetricsStage
from plugins.metrics.words import (
    CACHE_WORDS,
    CHECK_FAILURE_REASONS,
    CHECKS,
    DOOR_CODES,
    ERROR_CLASSES,
    REFUSAL_KINDS,
    SKIP_REASONS,
)
from plugins.policy import MOST_MEASURED_TENANTS
from plugins.proxy import schema
from plugins.settings import load
from tests.making import a_call
from tests.remembering import RememberedMetrics

ROOT = Path(__file__).parents[2]
CONFIGURATION = load(ROOT / "proxy_config.yaml", {})
ENDPOINTS = {
    "chat": (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES),
    "embedding": (Endpoint.EMBEDDINGS,),
    "moderation": (Endpoint.MODERATIONS,),
    "audio_transcription": (Endpoint.TRANSCRIPTIONS,),
    "audio_speech": (Endpoint.SPEECH,),
}
"""What a model of each kind can be asked at."""
UNKNOWN = "a client's text"
ALL_SERIES = 12_000
"""Bound of what one gateway with the shipped configuration can ever show, whatever is sent."""


class Kinds(RememberedMetrics):
    """Remembers the label sets of each family."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[Family, set[tuple[str, ...]]] = defaultdict(set)

    def _key(self, family: Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        self.sets[family].add(labels)
        return super()._key(family, labels)


def served() -> Iterator[tuple[Agent | None, str, str, Endpoint]]:
    """Each agent's tiers, and each model by itself, at each endpoint."""
    modes = CONFIGURATION.modes
    providers = {d.model_name: d.provider for d in CONFIGURATION.deployments.values()}
    agents = [(agent, agent.tiers) for agent in CONFIGURATION.agents.values()]
    for agent, groups in ((None, tuple(modes)), *agents):
        for group in groups:
            for endpoint in ENDPOINTS[modes[group]]:
                yield agent, group, providers[group], endpoint


EVERYTHING = {
    "usage": Usage(9, 9, 9, 9, 9, Decimal(9)),
    "cost_usd": Decimal(1),
    "saved_usd": Decimal(1),
    "cost_note": "unpriced",
    "stream": True,
    "first_byte_s": 100.1,
    "closed_s": 101.0,
    "confidence": 0.5,
}
KNOWN_ANSWERS = {"hit", "coalesced"}


def endings() -> Iterator[dict[str, object]]:
    """How a call that was served can end: what is known already is given and nothing else."""
    for outcome, cache in product((*Outcome, None), CACHE_WORDS):
        if cache not in KNOWN_ANSWERS or outcome is Outcome.ANSWERED:
            yield {"outcome": outcome, "cache": cache}


def calls_with_an_answer() -> Iterator[Call]:
    """Each that differs in a label, of all that a provider was asked for."""
    for agent, group, provider, endpoint in served():
        here = {"agent": agent, "endpoint": endpoint}
        for ending in endings():
            tries = [Attempt("d", provider, group, 100.0, 100.5)]
            yield a_call(**here, **ending, **EVERYTHING, attempts=tries, deployment="d")
        for error in (*ERROR_CLASSES, UNKNOWN):
            tries = [Attempt("d", provider, group, 100.0, 100.5, error)]
            yield a_call(**here, attempts=tries, deployment=None, outcome=Outcome.FAILED)


def calls_without() -> Iterator[Call]:
    """Each that differs in a label, of all that no provider answered."""
    nobody = {"attempts": [], "deployment": None}
    agents = (None, *CONFIGURATION.agents.values())
    for agent, endpoint, ending in product(agents, Endpoint, endings()):
        if ending["outcome"] is not Outcome.ANSWERED:
            yield a_call(agent=agent, endpoint=endpoint, **ending, **nobody)
    for agent, kind in product(agents, (*REFUSAL_KINDS, UNKNOWN)):
        yield a_call(agent=agent, outcome=Outcome.REFUSED, error_class=kind, **nobody)
    refused = {"outcome": Outcome.REFUSED, "error_class": "NotFound", **nobody}
    for agent, check, action in product(agents, (*CHECKS, UNKNOWN), Action):
        yield a_call(agent=agent, findings=[Finding(check, "x", action)], **refused)
    for check, reason in product((*CHECKS, UNKNOWN), (*CHECK_FAILURE_REASONS, UNKNOWN)):
        yield a_call(failed_checks=[(check, reason)], **refused)
    for agent, verdict in product(agents, Verdict):
        yield a_call(agent=agent, verdict=verdict, **refused)
    for agent, reason in product(agents, (*SKIP_REASONS, UNKNOWN)):
        groups = agent.tiers if agent else ("x",)
        yield a_call(agent=agent, skipped=[Skip(group, reason) for group in groups], **refused)
    yield a_call(steps=list(steps()), **refused)


def steps() -> Iterator[Step]:
    """Each stage in each phase, whether it has it or not, and what nobody knows."""
    stages, phases = (*STAGES, "", UNKNOWN), (*Phase, "auth", "read", UNKNOWN)
    return (Step(phase, stage, 1.0, 2.0) for stage, phase in product(stages, phases))


@pytest.fixture(scope="module")
async def kinds() -> Kinds:
    metrics = Kinds()
    stage = MetricsStage(metrics, known_names(CONFIGURATION), lambda _: Decimal(1))
    for call in (*calls_with_an_answer(), *calls_without()):
        await stage.observe(call)
    for code in (*DOOR_CODES, UNKNOWN):
        metrics.add(families.DOOR_REFUSALS, among(code, DOOR_CODES))
    return metrics


def lines(family: Family, sets: int) -> int:
    """Lines of the text: a histogram has its buckets, a count and a sum for each label set."""
    return sets * (len(family.bounds) + 3 if isinstance(family, Histogram) else 1)


def test_no_family_of_the_shipped_configuration_is_ever_cut_short(kinds: Kinds) -> None:
    sizes = {family.name: len(sets) for family, sets in kinds.sets.items()}
    print(sizes)
    assert max(sizes.values()) <= SERIES_LIMIT, sizes
    counted = {f for f in vars(families).values() if isinstance(f, Counter | Histogram)}
    unseen = {family.name for family in counted - kinds.sets.keys()}
    assert {name for name in unseen if "tenant" not in name} == set()


def test_all_series_have_a_bound(kinds: Kinds) -> None:
    tenants = (MOST_MEASURED_TENANTS + 1) * (len(Outcome) + 1 + 4 + 1)
    series = sum(lines(family, len(sets)) for family, sets in kinds.sets.items())
    print(f"at most {series} series, and {tenants} of tenants")
    assert series + tenants <= ALL_SERIES


def test_a_workers_files_have_room_for_all_of_them(kinds: Kinds) -> None:
    for kind in (Counter, Histogram):
        keys = [
            key
            for family, sets in kinds.sets.items()
            if isinstance(family, kind)
            for labels in sets
            for key in _keys(family, labels)
        ]
        needed = sum(len(_entry(key)) for key in keys)
        print(f"{kind.__name__}: {len(keys)} values, {needed} bytes")
        assert needed < FILE_BYTES / 2
    assert sum(len(family.bounds) + 1 for family in traced(kinds)) < MOST


def traced(kinds: Kinds) -> Iterator[Histogram]:
    """The family of each label set that has exemplars."""
    for family, sets in kinds.sets.items():
        if family in (families.DURATION, families.FIRST_BYTE, families.TRY_DURATION):
            yield from (family for _ in sets)
        if family is families.OVERHEAD:
            yield from (family for _ in sets)


def test_every_code_that_the_door_refuses_with_is_a_label_of_its_own() -> None:
    folder = ROOT / "plugins" / "proxy"
    files = [folder / name for name in ("door.py", "inbound.py", "forms.py", "metrics_page.py")]
    files += [*(folder / "schema").glob("*.py"), ROOT / "plugins" / "tenancy" / "rules.py"]
    stated = {
        code
        for path in files
        for code in re.findall(r'\bcode="([a-z_]+)"', path.read_text(encoding="utf-8"))
    }
    stated |= set(re.findall(r"`([a-z_]+)`", (schema.__doc__ or "").partition("Codes:")[2]))
    stated |= {kind.default_code for kind in (errors.GatewayError, errors.Unauthenticated)}
    stated |= {kind.default_code for kind in (errors.Unavailable, errors.BodyTooLarge)}
    assert len(stated) > 20
    assert stated - DOOR_CODES == set()
    assert DOOR_CODES - stated == set()
