"""One worker's values, in memory-mapped files that every worker can read.

A sample costs about two microseconds and never waits: the kernel writes the pages when it likes.
Called from the event loop's thread alone.
"""

import logging
import os
import struct
from collections import Counter as Tally
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from prometheus_client.mmap_dict import (
    MmapedDict,
    mmap_key,  # pyright: ignore[reportUnknownVariableType] - not fully annotated
)
from prometheus_client.utils import (
    floatToGoString,  # pyright: ignore[reportUnknownVariableType] - not fully annotated
)

from plugins.core.metrics import ABSENT, OTHER, Counter, Family, Gauge, Histogram, Merge
from plugins.metrics.slots import Slot

FILE_BYTES: Final = 4 << 20
"""Of each file; taken from the disk at once, because writing to a page that the disk has no room
for would kill the worker (SIGBUS)."""
SERIES_LIMIT: Final = 1_000
"""Label sets of one family in one worker; what comes later is counted under `other`."""
_OVERHEAD: Final = 4 + 8 + 16
_log: Final = logging.getLogger("sluice.metrics")
_Cell = tuple["_File", list[str]]


class FileMetrics:
    """Writes samples to this worker's files.

    Args:
        slot: this worker's place.

    Raises:
        OSError: when the disk has no room for them.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot: Final = slot
        self._files: Final[dict[str, _File]] = {}
        self._cells: Final[dict[tuple[str, tuple[str, ...]], _Cell | None]] = {}
        self._series: Final[Tally[str]] = Tally()
        self._told: Final[set[str]] = set()
        for kind in ("counter", "histogram", "gauge_livesum", "gauge_livemax"):
            self._files[kind] = _File(slot.path(kind))

    def add(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        """Count."""
        cell = self._cell("counter", counter, labels)
        if cell is not None:
            file, (key,) = cell
            file.add(key, by)

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """State this worker's value."""
        cell = self._cell(f"gauge_{gauge.merge}", gauge, labels)
        if cell is not None:
            file, (key,) = cell
            file.set(key, value)

    def clear(self, gauge: Gauge, *labels: str) -> None:
        """State nothing any more."""
        if gauge.merge is not Merge.MOST:
            self._say_once(gauge.name, "is a sum and cannot be absent")
        elif (gauge.name, labels) in self._cells:
            self.set(gauge, ABSENT, *labels)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Note one value."""
        cell = self._cell("histogram", histogram, labels)
        if cell is not None:
            file, (total, *buckets) = cell
            file.add(total, value)
            below = sum(value > bound for bound in histogram.bounds)
            file.add(buckets[below], 1.0)

    def close(self) -> None:
        """Leave the files and the place to the next worker; a process that ends needs no call."""
        for file in self._files.values():
            file.close()
        self._slot.release()

    def _cell(self, kind: str, family: Family, labels: tuple[str, ...]) -> _Cell | None:
        found = self._cells.get((family.name, labels), ...)
        return self._new_cell(kind, family, labels) if found is ... else found

    def _new_cell(self, kind: str, family: Family, labels: tuple[str, ...]) -> _Cell | None:
        if len(labels) != len(family.labels):
            self._say_once(family.name, f"is given {len(labels)} labels: {family.labels}")
            return None
        if self._series[family.name] >= SERIES_LIMIT and set(labels) != {OTHER}:
            self._say_once(family.name, f"has {SERIES_LIMIT} label sets; more go under {OTHER!r}")
            # Not remembered: what has no end must not fill the memory either.
            return self._cell(kind, family, (OTHER,) * len(labels))
        file = self._files[kind]
        keys = _keys(family, labels)
        cell = (file, keys) if file.take(keys) else None
        if cell is None:
            self._say_once(family.name, f"has no room left in {FILE_BYTES} bytes and is cut short")
        self._series[family.name] += 1
        self._cells[family.name, labels] = cell
        return cell

    def _say_once(self, name: str, what: str) -> None:
        if name not in self._told:
            self._told.add(name)
            _log.error("the metric %s %s", name, what)


class NoMetrics:
    """Takes samples and keeps none; for when the disk has no room."""

    def add(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        """Count nothing."""

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """State nothing."""

    def clear(self, gauge: Gauge, *labels: str) -> None:
        """There is nothing to clear."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Note nothing."""


class _File:
    """A file of doubles by key, of a size that is never exceeded."""

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, FILE_BYTES)
            self._used = struct.unpack("i", os.pread(file, 4, 0))[0]
        finally:
            os.close(file)
        self._values: Final[Any] = MmapedDict(str(path))
        self._taken_over: Final = {key for key, *_ in self._values.read_all_values()}
        self._held: Final[dict[str, float]] = {}

    def take(self, keys: Sequence[str]) -> bool:
        """Make room for these keys, or take over what they count already."""
        new = [key for key in keys if key not in self._taken_over]
        needed = sum(len(key.encode()) + _OVERHEAD for key in new)
        if self._used + needed > FILE_BYTES:
            return False
        self._used += needed
        for key in keys:
            self._held[key] = self._values.read_value(key)[0]
        return True

    def close(self) -> None:
        self._values.close()

    def add(self, key: str, by: float) -> None:
        self.set(key, self._held[key] + by)

    def set(self, key: str, value: float) -> None:
        self._held[key] = value
        self._values.write_value(key, value, 0.0)


def _keys(family: Family, labels: tuple[str, ...]) -> list[str]:
    """Name what a label set consists of, as prometheus_client's own metrics do."""
    names = list(family.labels)
    if isinstance(family, Counter):
        plain = family.name.removesuffix("_total")
        return [mmap_key(plain, f"{plain}_total", names, list(labels), family.help)]
    if not isinstance(family, Histogram):
        return [mmap_key(family.name, family.name, names, list(labels), family.help)]
    bounds = [floatToGoString(bound) for bound in (*family.bounds, float("inf"))]
    buckets = [
        mmap_key(family.name, f"{family.name}_bucket", [*names, "le"], [*labels, le], family.help)
        for le in bounds
    ]
    total = mmap_key(family.name, f"{family.name}_sum", names, list(labels), family.help)
    return [total, *buckets]
