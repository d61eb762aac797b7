"""One worker's values, in memory-mapped files that every worker can read.

A sample costs less than a microsecond and never waits: the kernel writes the pages when it likes.
Called from the event loop's thread alone.
"""

import logging
import mmap
import os
import struct
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from prometheus_client.mmap_dict import (
    MmapedDict,
    mmap_key,  # pyright: ignore[reportUnknownVariableType] - not fully annotated
)
from prometheus_client.utils import (
    floatToGoString,  # pyright: ignore[reportUnknownVariableType] - not fully annotated
)

from plugins.core.metrics import ABSENT, OTHER, Counter, Family, Gauge, Histogram, Merge
from plugins.metrics.exemplars import ExemplarFile
from plugins.metrics.slots import Slot

FILE_BYTES: Final = 4 << 20
"""Of each file; taken from the disk at once, because writing to a page that the disk has no room
for would kill the worker (SIGBUS)."""
SERIES_LIMIT: Final = 3_000
"""Label sets of one family in one worker; what comes later is counted under `other`."""
_HEAD: Final = 8
_INT: Final = struct.Struct("i")
_DOUBLE: Final = 8
_VALUES: Final = struct.Struct("dd")
_log: Final = logging.getLogger("sluice.metrics")
_Cell = tuple["memoryview[float]", tuple[int, ...]]
"""A file's doubles, and where a label set's are: the one, or a histogram's sum and its buckets."""


class FileMetrics:
    """Writes samples to this worker's files.

    Args:
        slot: this worker's place.
        now_s: gives seconds of the Unix epoch, for exemplars.

    Raises:
        OSError: when the disk has no room for them.
    """

    def __init__(self, slot: Slot, now_s: Callable[[], float] = time.time) -> None:
        self._slot: Final = slot
        self._files: Final[dict[str, _File]] = {}
        self._cells: Final[dict[tuple[str, tuple[str, ...]], _Cell | None]] = {}
        self._series: Final[Tally[str]] = Tally()
        self._told: Final[set[str]] = set()
        for kind in ("counter", "histogram", "gauge_livesum", "gauge_livemax"):
            self._files[kind] = _File(slot.path(kind))
        self._exemplars: Final = ExemplarFile(slot.exemplars, now_s)

    def add(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        """Count."""
        cell = self._cells.get((counter.name, labels), ...)
        if cell is ...:
            cell = self._new_cell("counter", counter, labels)
        if cell is not None:
            values, (place,) = cell
            values[place] += by

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """State this worker's value."""
        cell = self._cell(f"gauge_{gauge.merge}", gauge, labels)
        if cell is not None:
            values, (place,) = cell
            values[place] = value

    def clear(self, gauge: Gauge, *labels: str) -> None:
        """State nothing any more."""
        if gauge.merge is not Merge.MOST:
            self._say_once(gauge.name, "is a sum and cannot be absent")
        elif (gauge.name, labels) in self._cells:
            self.set(gauge, ABSENT, *labels)

    def observe(self, histogram: Histogram, value: float, *labels: str, trace_id: str = "") -> None:
        """Note one value."""
        cell = self._cells.get((histogram.name, labels), ...)
        if cell is ...:
            cell = self._new_cell("histogram", histogram, labels)
        if cell is not None:
            values, places = cell
            values[places[0]] += value
            place = places[bisect_left(histogram.bounds, value) + 1]
            values[place] += 1.0
            if trace_id:
                self._exemplars.note(place * _DOUBLE, trace_id, value)

    def close(self) -> None:
        """Leave the files and the place to the next worker; a process that ends needs no call."""
        for file in self._files.values():
            file.close()
        self._exemplars.close()
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
        places = file.take(_keys(family, labels))
        cell = (file.values, tuple(p // _DOUBLE for p in places)) if places is not None else None
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

    def observe(self, histogram: Histogram, value: float, *labels: str, trace_id: str = "") -> None:
        """Note nothing."""


class _File:
    """A file of doubles by key, of a size that is never exceeded.

    It is laid out as prometheus_client's `MmapedDict` says: the bytes in use, then each key with
    its length, padded to eight bytes, its value and an unused time. It is written here and not by
    that class, because a worker then knows the place of each value and needs no key to change it.
    """

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, FILE_BYTES)
            self._memory: Final = mmap.mmap(file, FILE_BYTES)
        finally:
            os.close(file)
        # Each is read and written in one piece: `struct.pack_into` would show a reader a 0 for a
        # moment. The layout keeps them at multiples of eight bytes.
        self.values: Final = memoryview(self._memory).cast("d")
        self._used: int = max(_INT.unpack_from(self._memory, 0)[0], _HEAD)
        self._memory[: _INT.size] = _INT.pack(self._used)
        there = cast("Any", MmapedDict).read_all_values_from_file(str(path))
        self._places: Final[dict[str, int]] = {key: place for key, _, _, place in there}

    def take(self, keys: Sequence[str]) -> list[int] | None:
        """Make room for all these keys, or take over what they count already; None when full."""
        new = [_entry(key) for key in keys if key not in self._places]
        if self._used + sum(map(len, new)) > FILE_BYTES:
            return None
        return [self._places.get(key) or self._append(key) for key in keys]

    def _append(self, key: str) -> int:
        entry = _entry(key)
        end = self._used + len(entry)
        self._memory[self._used : end] = entry
        # Only now, so that a reader never meets half an entry.
        self._used = end
        self._memory[: _INT.size] = _INT.pack(end)
        self._places[key] = end - _VALUES.size
        return self._places[key]

    def close(self) -> None:
        self.values.release()
        self._memory.close()


def _entry(key: str) -> bytes:
    encoded = key.encode()
    padding = b" " * (8 - (len(encoded) + _INT.size) % 8)
    return _INT.pack(len(encoded)) + encoded + padding + _VALUES.pack(0.0, 0.0)


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
