"""Spans on their way out: a bounded queue, and one thread that exports it in batches.

The SDK's BatchSpanProcessor is not used: it bounds its queue by spans alone, so that captured
content could fill the memory; it pushes the oldest spans out one by one, which leaves traces
without their root; it logs a line for each; it counts what it drops nowhere but in a meter of its
own; and it forgets what an exporter failed to deliver.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from plugins.core.metrics import Metrics
from plugins.tracing.families import EXPORT_FAILED, QUEUE, QUEUE_FULL, SPANS_DROPPED
from plugins.tracing.wire import Envelope

PUBLISH_EVERY_S: Final = 1.0

_log: Final = logging.getLogger("sluice.tracing")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much waits, and for how long.

    Args:
        spans: at most so many wait.
        size_bytes: at most so many bytes of them.
        batch: about so many leave together.
        batch_bytes: about so many bytes likewise; a collector takes 4 MiB at once over gRPC.
        delay_s: a batch that is not full leaves after so long.
        farewell_s: at the end, what waits has so long to leave.
    """

    spans: int = 20_000
    size_bytes: int = 32 * 2**20
    batch: int = 1_000
    batch_bytes: int = 2_000_000
    delay_s: float = 1.0
    farewell_s: float = 3.0


class Exporter(Protocol):
    """What takes a batch away; the SDK's exporters do."""

    def send(self, body: bytes, count: int) -> bool:
        """Send a request.

        Args:
            body: an `ExportTraceServiceRequest`.
            count: of the spans in it.

        Returns:
            Whether it was taken.
        """
        ...

    def shutdown(self) -> None:
        """Give up what is being sent."""
        ...


class Outbox:
    """One worker's spans on their way out.

    Args:
        exporter: sends them.
        envelope: makes a request of them.
        metrics: hears what waits and what is lost.
        bounds: of what waits.
    """

    def __init__(
        self,
        exporter: Exporter,
        envelope: Envelope,
        metrics: Metrics,
        bounds: Bounds | None = None,
    ) -> None:
        self._exporter: Final = exporter
        self._envelope: Final = envelope
        self._metrics: Final = metrics
        self._bounds: Final = bounds or Bounds()
        self._waiting: Final[deque[tuple[list[bytes], int]]] = deque()
        self._lock: Final = threading.Lock()
        self._spans = 0
        self._bytes = 0
        self._lost: Final = {QUEUE_FULL: 0, EXPORT_FAILED: 0}
        self._told: Final = dict(self._lost)
        self._awake: Final = threading.Event()
        self._closing = False
        self._failing = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Count the spans that wait or are being sent."""
        return self._spans

    @property
    def lost(self) -> dict[str, int]:
        """Count the spans that were dropped, by reason."""
        return dict(self._lost)

    def put(self, spans: list[bytes]) -> None:
        """Take a call's spans over, written by `wire.span_bytes`, all or none; never waits."""
        size = sum(map(len, spans))
        bounds = self._bounds
        with self._lock:
            full = self._spans + len(spans) > bounds.spans or self._bytes + size > bounds.size_bytes
            if full or self._closing:
                self._lost[QUEUE_FULL] += len(spans)
                return
            self._waiting.append((spans, size))
            self._spans += len(spans)
            self._bytes += size
        if self._thread is None:
            self._start()
        if self._spans >= bounds.batch:
            self._awake.set()

    async def run(self) -> None:
        """Tell the metrics every second, for ever."""
        while True:
            await asyncio.sleep(PUBLISH_EVERY_S)
            self.publish()

    def publish(self) -> None:
        """Tell the metrics what waits and what was lost since the last time."""
        self._metrics.set(QUEUE, self._spans)
        for reason, lost in self._lost.items():
            self._metrics.add(SPANS_DROPPED, reason, by=lost - self._told[reason])
            self._told[reason] = lost

    def close(self) -> None:
        """Send what waits, for `farewell_s` at most; what is left then counts as lost.

        Not for the event loop: it waits.
        """
        if self._closing:
            return
        self._closing = True
        self._awake.set()
        if self._thread is not None:
            self._thread.join(self._bounds.farewell_s)
        with self._lock:
            self._lost[EXPORT_FAILED] += sum(len(spans) for spans, _ in self._waiting)
            self._waiting.clear()
        # Not waited for: an exporter may be in the middle of a request that never ends.
        threading.Thread(target=self._exporter.shutdown, daemon=True).start()
        self.publish()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="sluice-traces", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._closing:
            self._awake.wait(self._bounds.delay_s)
            self._awake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := self._next():
            spans = [span for several, _ in batch for span in several]
            ok = self._sent(spans)
            with self._lock:
                self._spans -= len(spans)
                self._bytes -= sum(size for _, size in batch)
                if not ok:
                    self._lost[EXPORT_FAILED] += len(spans)

    def _next(self) -> list[tuple[list[bytes], int]]:
        """Take whole traces from the queue, about a batch."""
        found: list[tuple[list[bytes], int]] = []
        count = size = 0
        with self._lock:
            while self._waiting and count < self._bounds.batch and size < self._bounds.batch_bytes:
                found.append(self._waiting.popleft())
                count += len(found[-1][0])
                size += found[-1][1]
        return found

    def _sent(self, spans: Sequence[bytes]) -> bool:
        began_s = time.monotonic()
        try:
            ok = self._exporter.send(self._envelope.request(spans), len(spans))
        except Exception:  # noqa: BLE001 - whatever an exporter does, the next batch has its turn
            _log.exception("%s spans could not be exported", len(spans))
            ok = False
        if ok and self._failing:
            _log.warning("traces are exported again")
        if not ok and not self._failing:
            _log.warning(
                "traces cannot be exported: %s spans lost after %.1f s; calls go on, and"
                " sluice_trace_spans_dropped_total counts",
                len(spans),
                time.monotonic() - began_s,
            )
        self._failing = not ok
        return ok
