"""What being observed costs: Sluice with metrics and traces beside Sluice without; one run.

`python -m bench.observed` runs this part alone. Traces go over OTLP to a receiver in this process
that reads and forgets them: every call is traced, none is sampled away.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml
from rich.console import Console

from bench.figures import Figure, compared, ratio
from bench.load import Load, LoadError, closed_loop
from bench.measure import cpu_s
from bench.rounds import BUSY, CHAT, HITS_BUSY, STREAMS, Mode, Plan
from bench.servers import ROOT, ServerError, System, sluice
from bench.workloads import ANSWER, STREAM_CHUNKS

MODES: Final = (BUSY, STREAMS, HITS_BUSY)
OBSERVERS: Final = ("metrics", "tracing")
FULL: Final = Plan(rounds=6, round_s=4.0, warm_s=3.0)
_HOST: Final = "127.0.0.1"
_ENDS: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What observation does to one load.

    Args:
        calls_per_s: without and with.
        cpu_ms: processor time of the proxy for one call, likewise.
    """

    calls_per_s: Figure
    cpu_ms: Figure


class Sink:
    """Receives over OTLP/HTTP, and forgets; `received` counts bytes."""

    def __init__(self) -> None:
        self.received = 0
        self.url = ""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, _HOST, 0)
        self.url = f"http://{_HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                self.received += len(await reader.readexactly(length))
                writer.write(_ENDS)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()  # also when the run is over: asyncio would complain of a cancelled one


def measured(
    plan: Plan,
    folder: Path,
    say: Callable[[str], None],
    *,
    modes: Sequence[Mode] = MODES,
    host_spans: bool = False,
) -> dict[str, Cost]:
    """Run both gateways, one under load at a time, in alternating order.

    Args:
        plan: how much.
        folder: an empty one.
        say: told what is being done.
        modes: the loads.
        host_spans: compare, with metrics and traces on, LiteLLM's own spans with none of them.

    Raises:
        LoadError: when any call fails, or nothing was exported.
        ServerError: when a gateway does not come up.
    """
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sink = Sink()
        runner.run(sink.open())
        here = {_ENDPOINT: sink.url}
        if host_spans:
            say("starting Sluice with LiteLLM's own spans, and Sluice without them")
            config = _with_host_spans(folder / "host_spans.yaml")
            seen = stack.enter_context(gateway(folder / "seen", here, config))
            unseen = stack.enter_context(gateway(folder / "unseen", here))
        else:
            say("starting Sluice with metrics and traces, and Sluice without")
            seen = stack.enter_context(gateway(folder / "seen", here))
            config = _unobserved(folder / "unobserved.yaml")
            unseen = stack.enter_context(gateway(folder / "unseen", {}, config))
        found = runner.run(_rounds(plan, modes, unseen, seen, say))
        if not sink.received:
            raise LoadError("no trace was exported: the comparison would say nothing")
        return found


_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


@contextmanager
def gateway(
    folder: Path, variables: Mapping[str, str], config: Path = ROOT / "proxy_config.yaml"
) -> Generator[System]:
    """Start a gateway whose providers say what the workloads want."""
    folder.mkdir(parents=True)
    with sluice(folder, config, variables=variables) as started:
        started.answer_with(ANSWER, STREAM_CHUNKS)
        yield started.system


def _unobserved(path: Path) -> Path:
    """Write the shipped configuration without the plugins that observe."""
    shipped: dict[str, Any] = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    settings = shipped["litellm_settings"]
    settings["callbacks"] = [
        name for name in settings["callbacks"] if name.rpartition(".")[2] not in OBSERVERS
    ]
    path.write_text(yaml.safe_dump(shipped))
    return path


def _with_host_spans(path: Path) -> Path:
    """Write the shipped configuration with LiteLLM's own spans switched on."""
    shipped: dict[str, Any] = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    shipped["sluice"]["tracing"]["host_spans"] = True
    path.write_text(yaml.safe_dump(shipped))
    return path


async def _rounds(
    plan: Plan, modes: Sequence[Mode], unseen: System, seen: System, say: Callable[[str], None]
) -> dict[str, Cost]:
    for mode in modes:
        for system in (unseen, seen):
            await loaded(mode, system, plan.warm_s)
    calls: dict[tuple[str, bool], list[float]] = {}
    cpu: dict[tuple[str, bool], list[float]] = {}
    for number in range(plan.rounds):
        say(f"observed and not, round {number + 1} of {plan.rounds}")
        for mode in modes:
            pair = (unseen, seen) if number % 2 == 0 else (seen, unseen)
            for system in pair:
                before_s = cpu_s(system.proxy_pid)
                load = await loaded(mode, system, plan.round_s)
                await asyncio.sleep(1.5)  # what is exported later is part of the cost
                key = (mode.name, system is seen)
                calls.setdefault(key, []).append(load.calls / load.elapsed_s)
                used_ms = (cpu_s(system.proxy_pid) - before_s) * 1000
                cpu.setdefault(key, []).append(used_ms / load.calls)
    return {
        mode.name: Cost(
            compared(calls[mode.name, False], calls[mode.name, True], ratio),
            compared(cpu[mode.name, False], cpu[mode.name, True], ratio),
        )
        for mode in modes
    }


async def loaded(mode: Mode, system: System, duration_s: float) -> Load:
    """Put a load on a gateway for a while."""
    work = mode.workload
    requests = work.requests(system.place, system.key, work.agent, CHAT)
    return await closed_loop(system.place, requests, mode.connections, duration_s)


def summary(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Give the last line's figures: throughput with observation as a share of that without."""
    named = {
        "observability_throughput_ratio": BUSY,
        "observability_stream_ratio": STREAMS,
        "observability_hit_ratio": HITS_BUSY,
    }
    return {
        name: round(costs[mode.name].calls_per_s.change, 3)
        for name, mode in named.items()
        if mode.name in costs
    }


def show(costs: Mapping[str, Cost], console: Console) -> None:
    """Write a line for each load."""
    console.print("Observed beside unobserved (in brackets: 95 % interval of the pairs' median):")
    for name, cost in costs.items():
        calls, cpu = cost.calls_per_s, cost.cpu_ms
        console.print(
            f"  {name}: {calls.bare:.1f} -> {calls.sluice:.1f} calls/s, {_change(calls)};"
            f" CPU/call {cpu.bare:.3f} -> {cpu.sluice:.3f} ms, {_change(cpu)}",
            soft_wrap=True,
        )


def _change(figure: Figure) -> str:
    low, high = figure.sure
    return f"ratio {figure.change:.3f} ({low:.3f} .. {high:.3f})"


def main() -> int:
    """Run this part alone; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.observed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--seconds", type=float, default=FULL.round_s)
    parser.add_argument(
        "--host-spans", action="store_true", help="what LiteLLM's own spans cost besides"
    )
    parser.add_argument("--busy", action="store_true", help="new calls alone, 8 at a time")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    plan = Plan(options.rounds, options.seconds, FULL.warm_s)
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-observed-") as name:
            costs = measured(
                plan,
                Path(name),
                lambda text: console.print(text, style="dim"),
                modes=(BUSY,) if options.busy else MODES,
                host_spans=options.host_spans,
            )
    except (LoadError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    show(costs, console)
    print(json.dumps(summary(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
