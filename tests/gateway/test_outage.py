"""An outage of the primary under steady load, two workers: counts are asserted, speed is not.

`python -m bench.reliability` runs a minute of it, with timings, into docs/reliability.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.reliability.farm import Server, farm, write_config
from bench.reliability.outage import Outage, Outcome, Plan
from tests.gateway.running import Gateway, running

COOL_OFF_S = 2.0
JITTER = 1.2
REFUSED = {"kind": "refuse"}


@dataclass
class Stand:
    gateway: Gateway
    servers: tuple[Server, ...]

    async def outage(self, plan: Plan) -> Outcome:
        return await Outage(
            base_url=self.gateway.base_url,
            key=self.gateway.demo_key,
            admin_key=self.gateway.admin_key,
            primary=self.servers[0],
            log=self.gateway.data_dir / "logs" / "proxy.log",
            plan=plan,
        ).run()


@pytest.fixture(scope="module")
def stand(new_folder: Callable[[str], Path]) -> Iterator[Stand]:
    folder = new_folder("outage")
    with farm(folder) as servers:
        config = write_config(folder / "outage.yaml", servers, cool_off_s=COOL_OFF_S)
        with running(folder, workers=2, config=config) as gateway:
            for _ in range(12):  # both workers
                gateway.chat(model="matrix_chat").raise_for_status()
            yield Stand(gateway, servers)


def _assert_unnoticed(outcome: Outcome, probes: int) -> None:
    assert [call.told for call in outcome.failed] == []
    assert outcome.tries_to_open <= 3 + outcome.in_flight
    assert outcome.probes <= probes
    assert (outcome.fired, outcome.resolved) == (1, 1)
    # A probe goes with a call: the first one after the cool-off.
    assert outcome.noticed_s <= outcome.cool_off_s + 1.0
    assert {call.tier for call in outcome.healthy} == {"primary"}
    assert {call.tier for call in outcome.during} <= {"primary", "secondary"}


@pytest.mark.spec("8.3", "2.10")
async def test_a_short_outage_costs_no_call_and_few_tries(stand: Stand) -> None:
    outcome = await stand.outage(Plan(15.0, 1.0, 5.0, 30.0, REFUSED))
    # Cool-offs of 2 and 4 s: at most two probes fail in 5 s, and the third succeeds.
    _assert_unnoticed(outcome, probes=2)


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.spec("8.3", "2.10")
@pytest.mark.parametrize("fault", [REFUSED, {"kind": "status", "status": 503}, {"kind": "cut"}])
async def test_a_minute_without_the_primary_costs_no_call(
    stand: Stand, fault: dict[str, object]
) -> None:
    outcome = await stand.outage(Plan(30.0, 10.0, 60.0, 120.0, fault))
    _assert_unnoticed(outcome, probes=6)
