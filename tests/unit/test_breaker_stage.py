"""What the breaker says to a tier, and what happens when every circuit is open."""

import pytest

from plugins.breaker.rules import Circuit, Permit, State
from plugins.breaker.stage import BreakerStage
from plugins.core.errors import Unavailable
from tests.making import a_call

PROVIDERS = {"gpt-4o": "openai", "claude": "anthropic", "llama-3": "vllm"}
TIERS = ("gpt-4o", "claude", "llama-3")


class Circuits:
    """Circuits that are what the test says, and remember who was given a probe."""

    def __init__(self, probes: bool = True, **found: Circuit) -> None:
        self.found = found
        self.probes = probes
        self.probed: list[str] = []

    def get(self, provider: str) -> Circuit:
        return self.found.get(provider, Circuit())

    def permit(self, provider: str) -> Permit:
        return self.get(provider).permit(100.0)

    def wait_s(self, providers: list[str]) -> float:
        return max(min(self.get(p).until_s for p in providers) - 100.0, 0.0)

    async def take_probe(self, provider: str) -> bool:
        self.probed.append(provider)
        return self.probes


def _open(until_s: float) -> Circuit:
    return Circuit(State.OPEN, failures=3, openings=1, until_s=until_s)


def _stage(circuits: Circuits, *, probe_anyway: bool = False) -> BreakerStage:
    return BreakerStage(circuits, PROVIDERS, lambda _: False, probe_anyway=probe_anyway)  # type: ignore[arg-type]


async def _routes(circuits: Circuits, *, probe_anyway: bool = False) -> list[bool]:
    stage = _stage(circuits, probe_anyway=probe_anyway)
    call = a_call(tiers=TIERS)
    return [await stage.route(call, group) is None for group in TIERS]


@pytest.mark.spec("8.3")
async def test_an_open_circuit_is_skipped_with_its_wait_and_named_as_people_name_it() -> None:
    refusal = await _stage(Circuits(openai=_open(107.0))).route(a_call(tiers=TIERS), "gpt-4o")
    assert isinstance(refusal, Unavailable)
    assert (refusal.code, refusal.retry_after_s) == ("providers_unavailable", 7.0)
    assert refusal.message.startswith("OpenAI has failed lately")


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("given", [True, False])
async def test_after_the_cool_off_a_tier_is_tried_by_whoever_gets_the_probe(given: bool) -> None:
    circuits = Circuits(given, openai=_open(99.0))
    assert await _routes(circuits) == [given, True, True]
    assert circuits.probed == ["openai"]


@pytest.mark.spec("8.3")
async def test_with_every_circuit_open_all_are_refused_or_the_soonest_is_tried_by_policy() -> None:
    circuits = Circuits(openai=_open(130.0), anthropic=_open(110.0), vllm=_open(120.0))
    assert await _routes(circuits) == [False, False, False]
    assert await _routes(circuits, probe_anyway=True) == [False, True, False]


async def test_what_an_operator_has_opened_is_never_tried_anyway() -> None:
    by_hand = Circuit().pin(State.OPEN)
    circuits = Circuits(openai=_open(130.0), anthropic=by_hand, vllm=by_hand)
    assert await _routes(circuits, probe_anyway=True) == [True, False, False]
    assert await _routes(
        Circuits(openai=by_hand, anthropic=by_hand, vllm=by_hand), probe_anyway=True
    ) == [False, False, False]


async def test_nobody_is_tried_anyway_while_a_tier_is_well() -> None:
    circuits = Circuits(openai=_open(101.0))
    assert await _routes(circuits, probe_anyway=True) == [False, True, True]
