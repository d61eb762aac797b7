"""Processes that ask one limit for all they can get; run as a program it is one of them."""

import asyncio
import json
import sys
import time
from collections import Counter as Tally
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from plugins.core.clock import SystemClock
from plugins.core.limit import RateLimit
from plugins.limits.rules import SLOTS, STEPS, TENANT, Counter, Limited
from plugins.limits.store import Limiter
from plugins.store.redis import RedisLink
from tests.making import PATIENT_S

ROOT = Path(__file__).parents[2]
TOGETHER = 16


@dataclass(frozen=True)
class Found:
    """What two processes got.

    Args:
        asked: calls.
        admitted: of them.
        most: admitted in the fullest window; of slots, so that it covers any true window.
        least: in the emptiest `SLOTS` + 1 slots between the first and the last whole ones.
        share: of the limit, over all windows that have passed.
        us_per_call: microseconds of wall time a call, in each process.
    """

    asked: int
    admitted: int
    most: int
    least: int
    share: float
    us_per_call: float


async def hammered(url: str, *, window_s: float, limit: int, for_s: float) -> Found:
    """Let two processes hammer, and look at what they got."""
    arguments = (url, str(window_s), str(limit), str(for_s))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.stores.hammering",
            *arguments,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    told = [json.loads(output) for output in outputs]
    slots: Tally[int] = Tally()
    for one in told:
        assert one["alone"] == 0, "Redis was away"
        slots.update({int(slot): count for slot, count in one["slots"].items()})
    first, last = min(slots), max(one["last"] for one in told)
    sums = [0, *accumulate(slots[slot] for slot in range(first, last + 1))]
    windows = [sums[i + SLOTS] - sums[i] for i in range(len(sums) - SLOTS)]
    whole = (last - first) // SLOTS
    asked = sum(one["asked"] for one in told)
    return Found(
        asked=asked,
        admitted=sums[-1],
        most=max(windows),
        least=min(sums[i + SLOTS + 1] - sums[i] for i in range(len(sums) - SLOTS - 1)),
        share=sums[whole * SLOTS] / (whole * SLOTS / STEPS * limit),
        us_per_call=for_s * 1e6 / (asked / 2),
    )


async def _hammer(url: str, window_s: float, limit: int, for_s: float) -> None:
    link = RedisLink(url, SystemClock(), timeout_s=PATIENT_S)
    limiter = Limiter(link, SystemClock(), window_s=window_s)
    await limiter.refresh()
    limited = [Limited(Counter(TENANT, "hammered"), RateLimit(limit))]
    slots: Tally[int] = Tally()
    asked = 0
    until_s = time.monotonic() + for_s

    async def one() -> None:
        nonlocal asked
        while time.monotonic() < until_s:
            made = await limiter.reserve(limited, (), 1)
            asked += 1
            slots.update(hold.slot for hold in made.holds if hold.slot is not None)

    await asyncio.gather(*(one() for _ in range(TOGETHER)))
    last = int(time.time() * 1e6) // round(window_s * 1e6 / STEPS) - 1
    told = {"asked": asked, "alone": limiter.degraded, "slots": slots, "last": last}
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(_hammer(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
