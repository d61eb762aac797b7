"""The newest trace of each histogram's bucket, in a small file beside a worker's values.

prometheus_client's files have no room for exemplars. Here each has a record of its own, written
over by the next one of its bucket; a checksum tells one that is read while it is being written.
"""

import mmap
import os
import struct
from binascii import crc32
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST: Final = 8_192
"""Buckets of one worker that have one; with the shipped configuration 3,400 can."""
_RECORD: Final = struct.Struct("<I16sdd")
_SUM: Final = struct.Struct("<I")
_STEP: Final = _RECORD.size + _SUM.size
_TRACE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A value and the trace that shows it.

    Args:
        trace_id: 32 hexadecimal digits.
        value: in the histogram's unit.
        at_s: when, seconds of the Unix epoch.
    """

    trace_id: str
    value: float
    at_s: float


class ExemplarFile:
    """Writes one worker's; a microsecond each.

    Args:
        path: taken over with what it holds when it is there.
        now_s: gives seconds of the Unix epoch.

    Raises:
        OSError: when the disk has no room for it.
    """

    def __init__(self, path: Path, now_s: Callable[[], float]) -> None:
        self._now_s: Final = now_s
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, MOST * _STEP)
            self._memory: Final = mmap.mmap(file, MOST * _STEP)
        finally:
            os.close(file)
        # One that was left half written is overwritten, because its place is kept.
        self._at: Final = {place: at for at, place, _ in _records(bytes(self._memory))}

    def note(self, place: int, trace_id: str, value: float) -> None:
        """Keep a trace as its bucket's newest; what is no trace, and a full file, do nothing.

        Args:
            place: of the bucket's count in the worker's file of histograms, above 0.
            trace_id: 32 hexadecimal digits.
            value: that fell into the bucket.
        """
        try:
            trace = bytes.fromhex(trace_id)
        except ValueError:
            return
        at = self._at.get(place, len(self._at) * _STEP)
        if len(trace) == _TRACE_BYTES and at < MOST * _STEP:
            self._at[place] = at
            record = _RECORD.pack(place, trace, value, self._now_s())
            self._memory[at : at + _STEP] = record + _SUM.pack(crc32(record))

    def close(self) -> None:
        """Leave the file to the next worker."""
        self._memory.close()


def exemplars_in(path: Path) -> dict[int, Exemplar]:
    """Read a worker's exemplars by their buckets' places; none where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    return {place: found for _, place, found in _records(content) if found is not None}


def _records(content: bytes) -> Iterator[tuple[int, int, Exemplar | None]]:
    """Give each record's offset and place, and what it holds if that is whole."""
    for at in range(0, len(content) - _STEP + 1, _STEP):
        place, trace, value, at_s = _RECORD.unpack_from(content, at)
        if not place:
            return
        (told,) = _SUM.unpack_from(content, at + _RECORD.size)
        whole = told == crc32(content[at : at + _RECORD.size])
        yield at, place, Exemplar(trace.hex(), value, at_s) if whole else None
