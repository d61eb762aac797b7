"""`python -m bench`: compare Sluice with bare LiteLLM; a table, then one line of JSON."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from rich.console import Console

from bench import observed
from bench.load import Load, LoadError, closed_loop
from bench.measure import RedisMeter
from bench.report import Result, Starts
from bench.rounds import BUSY, CHAT, Course, Plan
from bench.servers import Cache, ServerError, System, bare, sluice
from bench.wire import Place, connect
from bench.workloads import ANSWER, SHORT, STREAM_CHUNKS
from selfhosted.engines import EmbeddedRedis

FULL = Plan(rounds=6, round_s=4.5, warm_s=3.0)
QUICK = Plan(rounds=2, round_s=1.0, warm_s=1.0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: does it run at all?")
    parser.add_argument("--rounds", type=int, help="per load and system (6)")
    parser.add_argument("--seconds", type=float, help="of each round (4.5)")
    parser.add_argument(
        "--rate",
        type=float,
        help="calls a second of the open loop (half of what bare LiteLLM can do)",
    )
    parser.add_argument("--out", type=Path, help="write every round there, as JSON")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    return replace(
        plan,
        rounds=options.rounds or plan.rounds,
        round_s=options.seconds or plan.round_s,
        rate=options.rate,
    )


def machine() -> str:
    """Describe the machine, and how busy it is with other things."""
    one, five, _ = os.getloadavg()
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}; load average before the run {one:.2f} (1 min), "
        f"{five:.2f} (5 min)"
    )


async def _first_call(system: System, model: str) -> float:
    """Make the first call that a proxy ever gets; gives its latency, connecting included."""
    began_s = time.monotonic()
    line = await connect(system.place)
    try:
        reply = await line.ask(next(SHORT.requests(system.place, system.key, model, CHAT)))
    finally:
        line.close()
    if not reply.ok:
        raise LoadError(f"the first call to {system.name} was answered {reply.status}")
    return time.monotonic() - began_s


async def _straight(place: Place, duration_s: float, connections: int) -> Load:
    requests = SHORT.requests(place, "practice", SHORT.model, "/openai" + CHAT)
    return await closed_loop(place, requests, connections, duration_s)


def _saying(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, style="dim")


def _compare(plan: Plan, folder: Path, console: Console) -> Result:
    say = _saying(console)
    described = machine()
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        say("starting Sluice")
        gateway = stack.enter_context(sluice(folder))
        sluice_first_s = runner.run(_first_call(gateway.system, SHORT.agent))
        say("starting bare LiteLLM")
        practice = Place("127.0.0.1", urlsplit(gateway.practice_url).port or 80)
        plain = stack.enter_context(bare(folder / "bare", practice.port))
        bare_first_s = runner.run(_first_call(plain, SHORT.model))
        say("starting bare LiteLLM with its cache")
        store = stack.enter_context(EmbeddedRedis(folder / "cache"))
        cache = Cache(store.url, store.pid or 0)
        cached = stack.enter_context(bare(folder / "cached", practice.port, cache))
        gateway.answer_with(ANSWER, STREAM_CHUNKS)
        straight = runner.run(_straight(practice, plan.warm_s, 1))
        used_s = time.process_time()
        busy = runner.run(_straight(practice, plan.warm_s, BUSY.connections))
        used_s = time.process_time() - used_s
        starts = Starts(bare_first_s, sluice_first_s, straight, busy, used_s, described)
        system = replace(gateway.system, key=gateway.new_key())
        course = Course(plan, plain, cached, system, RedisMeter(gateway.redis_url), say)
        return Result(runner.run(course.run()), starts, plain, cached, system)


def main() -> int:
    """Run the comparison; give the exit code."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
            plan, folder = _plan(options), Path(name)
            result = _compare(plan, folder, console)
            watched = observed.measured(plan, folder / "observed", _saying(console))
    except (LoadError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.out:
        result.save(options.out)
    result.print(console)
    observed.show(watched, console)
    print(json.dumps(result.summary() | observed.summary(watched)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
