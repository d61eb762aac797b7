"""What checks cost: Sluice as it is shipped beside Sluice without gates; one run.

`python -m bench.checked`. The moderation endpoint is the practice provider's, which answers at
once: a real one takes its own time, beside the provider's call.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml
from rich.console import Console

from bench.figures import Figure, added, compared, percentile, ratio
from bench.load import Load, LoadError
from bench.measure import cpu_s
from bench.observed import gateway, loaded
from bench.rounds import BUSY, LONG, Mode, Plan
from bench.servers import ROOT, ServerError, System
from bench.workloads import STREAM

ONE_STREAM: Final = Mode("streams, one at a time", STREAM, 1)
MODES: Final = (BUSY, LONG, ONE_STREAM)
FULL: Final = Plan(rounds=8, round_s=4.0, warm_s=3.0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What checks do to one load.

    Args:
        calls_per_s: without and with.
        cpu_ms: processor time of the proxy for one call, likewise.
        first_ms: to the first byte of the answer, 95th percentile, likewise; its change is a
            difference.
    """

    calls_per_s: Figure
    cpu_ms: Figure
    first_ms: Figure


@dataclass(slots=True)
class _Round:
    load: Load
    used_s: float


def measured(plan: Plan, folder: Path, say: Callable[[str], None]) -> dict[str, Cost]:
    """Run both gateways, one under load at a time, in alternating order.

    Args:
        plan: how much.
        folder: an empty one.
        say: told what is being done.

    Raises:
        LoadError: when any call fails.
        ServerError: when a gateway does not come up.
    """
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        say("starting Sluice with its gates, and Sluice without")
        config = _without_gates(folder / "ungated.yaml")
        gated = stack.enter_context(gateway(folder / "gated", {}))
        ungated = stack.enter_context(gateway(folder / "plain", {}, config))
        return runner.run(_rounds(plan, ungated, gated, say))


def _without_gates(path: Path) -> Path:
    shipped: dict[str, Any] = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    path.write_text(yaml.safe_dump(shipped | {"guardrails": []}))
    return path


async def _rounds(
    plan: Plan, ungated: System, gated: System, say: Callable[[str], None]
) -> dict[str, Cost]:
    for mode in MODES:
        for system in (ungated, gated):
            await loaded(mode, system, plan.warm_s)
    done: dict[tuple[str, bool], list[_Round]] = {}
    for number in range(plan.rounds):
        say(f"checked and not, round {number + 1} of {plan.rounds}")
        pair = (ungated, gated) if number % 2 == 0 else (gated, ungated)
        for mode in MODES:
            for system in pair:
                before_s = cpu_s(system.proxy_pid)
                load = await loaded(mode, system, plan.round_s)
                used_s = cpu_s(system.proxy_pid) - before_s
                done.setdefault((mode.name, system is gated), []).append(_Round(load, used_s))
    return {mode.name: _cost(done[mode.name, False], done[mode.name, True]) for mode in MODES}


def _cost(without: list[_Round], with_them: list[_Round]) -> Cost:
    def both(figure: Callable[[_Round], float]) -> tuple[list[float], list[float]]:
        return list(map(figure, without)), list(map(figure, with_them))

    return Cost(
        compared(*both(lambda r: r.load.calls / r.load.elapsed_s), ratio),
        compared(*both(lambda r: r.used_s * 1000 / r.load.calls), ratio),
        compared(*both(lambda r: percentile(r.load.firsts_s, 0.95) * 1000), added),
    )


def summary(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Give the last line's figures."""
    return {
        "checks_throughput_ratio": round(costs[BUSY.name].calls_per_s.change, 3),
        "checks_resume_throughput_ratio": round(costs[LONG.name].calls_per_s.change, 3),
        "checks_first_byte_added_p95_ms": round(costs[ONE_STREAM.name].first_ms.change, 2),
    }


def _shown(name: str, cost: Cost) -> str:
    calls, cpu, first = cost.calls_per_s, cost.cpu_ms, cost.first_ms
    return (
        f"  {name}: {calls.bare:.1f} -> {calls.sluice:.1f} calls/s, ratio {calls.change:.3f}"
        f" ({calls.sure[0]:.3f} .. {calls.sure[1]:.3f}); CPU/call {cpu.bare:.2f} ->"
        f" {cpu.sluice:.2f} ms; first byte p95 {first.bare:.1f} -> {first.sluice:.1f} ms,"
        f" {first.change:+.1f} ({first.sure[0]:+.1f} .. {first.sure[1]:+.1f})"
    )


def main() -> int:
    """Run it; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.checked", description=__doc__)
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--seconds", type=float, default=FULL.round_s)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    plan = Plan(options.rounds, options.seconds, FULL.warm_s)
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-checked-") as name:
            costs = measured(plan, Path(name), lambda text: console.print(text, style="dim"))
    except (LoadError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print("With gates beside without (in brackets: 95 % interval of the pairs' median):")
    for name, cost in costs.items():
        console.print(_shown(name, cost), soft_wrap=True)
    print(json.dumps(summary(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
