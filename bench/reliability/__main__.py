"""`python -m bench.reliability`: run the matrix and the outages, write `docs/reliability.md`."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench.reliability import report
from bench.reliability.farm import NEVER_OPENS, Server, farm, write_config
from bench.reliability.matrix import Matrix, Result
from bench.reliability.outage import Outage, Outcome, Plan, run_outage
from bench.servers import ServerError, Sluice, sluice

OUTAGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("connections refused", {"kind": "refuse"}),
    ("answers 503", {"kind": "status", "status": 503}),
)
_RECOVERY_S: Final = 120.0

Say = Callable[[str], None]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.reliability", description=__doc__)
    parser.add_argument("--only", choices=("matrix", "outage"), help="one of the two")
    parser.add_argument("--times", type=int, default=9, help="calls a cell (%(default)s)")
    parser.add_argument("--rate", type=float, default=30.0, help="calls a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of an outage (%(default)s)")
    parser.add_argument("--healthy", type=float, default=20.0, help="before it (%(default)s)")
    return parser.parse_args()


def machine() -> str:
    """Describe the run: when, where, how busy."""
    today = datetime.now(UTC).strftime("%-d %B %Y")
    return (
        f"{today}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python"
        f" {platform.python_version()}, load average before the run {os.getloadavg()[0]:.2f}"
    )


@contextmanager
def _stand(workers: int, **breaker: float) -> Generator[tuple[Sluice, tuple[Server, ...], Path]]:
    with tempfile.TemporaryDirectory(prefix="sluice-reliability-") as name:
        folder = Path(name)
        with farm(folder) as servers:
            config = write_config(folder / "reliability.yaml", servers, **breaker)
            with sluice(folder, config, workers) as gateway:
                yield gateway, servers, folder / "data" / "logs" / "proxy.log"


def _matrix(times: int, say: Say) -> list[Result]:
    with _stand(1, **NEVER_OPENS) as (gateway, servers, _):
        matrix = Matrix(_url(gateway), gateway.system.key, servers)
        matrix.warm_up()
        results = matrix.run_all(times, say)
        matrix.close()
        return results


def _outages(options: argparse.Namespace, say: Say) -> list[tuple[str, Outcome]]:
    outcomes: list[tuple[str, Outcome]] = []
    for name, fault in OUTAGES:
        say(f"outage: {name}")
        plan = Plan(options.rate, options.healthy, options.seconds, _RECOVERY_S, fault)
        with _stand(2) as (gateway, servers, log):
            for _ in range(3):
                matrix = Matrix(_url(gateway), gateway.system.key, servers)
                matrix.warm_up()
                matrix.close()
            outage = Outage(
                base_url=_url(gateway),
                key=gateway.system.key,
                admin_key=gateway.admin_key,
                primary=servers[0],
                log=log,
                plan=plan,
            )
            outcomes.append((name, run_outage(outage, say)))
    return outcomes


def _url(gateway: Sluice) -> str:
    return f"http://{gateway.system.place.host}:{gateway.system.place.port}"


def _failures(results: Sequence[Result], outcomes: Sequence[tuple[str, Outcome]]) -> int:
    cells = sum(bool(result.failed) for result in results)
    return cells + sum(len(outcome.failed) for _, outcome in outcomes)


def main() -> int:
    """Run it all; the exit code is 1 when a client would have noticed."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)
    results: list[Result] = []
    outcomes: list[tuple[str, Outcome]] = []
    try:
        if options.only != "outage":
            described = machine()
            results = _matrix(options.times, console.print)
            report.write("matrix", report.matrix_table(results, described))
        if options.only != "matrix":
            described = machine()
            outcomes = _outages(options, console.print)
            table = report.outage_table(outcomes, described)
            report.write("outage", table)
            console.print(table)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    failures = _failures(results, outcomes)
    console.print(f"written to {report.PAGE}; {failures} not as promised")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
