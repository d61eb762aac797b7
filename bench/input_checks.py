"""What the input checks cost a call: `python -m bench.input_checks [lines.txt]`.

Runs the stage alone, with the shipped policy, over prompts put together from lines of ordinary
text, and prints the CPU time of a whole check (median and 95th percentile) and the longest stretch
for which the event loop was held.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule, Mode
from plugins.core.clock import SystemClock
from plugins.core.identifiers import new_call_id
from plugins.core.tenant import Principal
from plugins.moderation.stage import InputChecksStage

SIZES: Final = (400, 4_000, 40_000)
"""Characters of a prompt: about 100, 1,000 and 10,000 tokens."""
RUNS: Final = 200
_LINES: Final = (
    "Led a team of five engineers who moved a hiring platform to PostgreSQL 15.",
    "10 years of SQL: SELECT, JOIN, DROP TABLE; Python, Go and some Rust.",
    "Born in Scunthorpe, studied mathematics at Leeds, graduated in 2014 with honours.",
    "Reach me at applicant@example.org or +44 1724 555 0199 in the afternoon.",
)


def prompts(lines: Sequence[str], characters: int) -> Iterator[str]:
    """Give prompts of a size, each of other lines."""
    endless = itertools.cycle(lines)
    while True:
        text = ""
        while len(text) < characters:
            text += next(endless) + "\n"
        yield text[:characters]


def a_call(prompt: str) -> Call:
    """Make a chat call."""
    clock = SystemClock()
    return Call(
        id=new_call_id(),
        endpoint=Endpoint.CHAT,
        principal=Principal("bench", "bench"),
        model_asked="gpt-4o",
        body={"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]},
        started_at=clock.now(),
        started_s=clock.monotonic_s(),
    )


async def measured(stage: InputChecksStage, calls: list[Call]) -> tuple[list[float], list[float]]:
    """Check calls one after the other beside a task that does nothing but take its turns.

    Returns:
        CPU seconds of each check, and CPU seconds between the other task's turns.
    """
    took: list[float] = []
    held: list[float] = []

    async def turns() -> None:
        last_s = time.process_time()
        while True:
            await asyncio.sleep(0)
            now_s = time.process_time()
            held.append(now_s - last_s)
            last_s = now_s

    other = asyncio.create_task(turns())
    for call in calls:
        await asyncio.sleep(0)
        began_s = time.process_time()
        await stage.check_input(call)
        took.append(time.process_time() - began_s)
    other.cancel()
    return took, held


def main() -> None:
    """Measure each size and print a line."""
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines() if sys.argv[1:] else _LINES
    book = CheckBook({**CheckBook().of(None), "length": CheckRule(Mode.OFF)})
    stage = InputChecksStage(book, len)
    for size in SIZES:
        calls = [a_call(text) for text in itertools.islice(prompts(lines, size), RUNS)]
        asyncio.run(measured(stage, calls[:20]))
        took, held = asyncio.run(measured(stage, calls))
        median, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        print(
            f"{size:6} characters: median {median * 1e3:.3f} ms, p95 {p95 * 1e3:.3f} ms,"
            f" loop held at most {max(held) * 1e3:.2f} ms"
        )


if __name__ == "__main__":
    main()
