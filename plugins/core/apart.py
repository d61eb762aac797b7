"""Work that would hold the event loop for too long, done beside it, one piece at a time.

One thread a worker: these are computations in Python, of which two at once are no sooner done. For
the loop to go on beside them, threads must give way often; `building.build` sees to that
(`GIVE_WAY_S`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

GIVE_WAY_S: Final = 0.0005
"""For `sys.setswitchinterval`: with Python's own 5 ms, each of these adds that to other calls."""

_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="sluice-judge")
T = TypeVar("T")


async def apart(work: Callable[[], T], *, size: int, at_once: int) -> T:
    """Do a piece of work.

    Args:
        work: touches nothing that the loop changes meanwhile.
        size: how much there is to do, in a unit that its time grows with, such as characters.
        at_once: the greatest size that is done right here, because it takes a fraction of a
            millisecond.
    """
    if size <= at_once:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)
