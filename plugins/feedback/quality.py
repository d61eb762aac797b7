"""The quality gauge, and thumbs in their order for whoever watches them for drift."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from plugins.core.clock import Clock
from plugins.core.metrics import Gauge
from plugins.feedback.families import QUALITY
from plugins.feedback.store import FeedbackStore, Thumb

EVERY_S: Final = 30.0
REPLAYED: Final = timedelta(days=90)
"""How far back a worker reads thumbs when it starts."""
PAGE: Final = 500
"""A page takes the event loop a millisecond or two."""
PAGES: Final = 20
"""In one read; a worker that has just started catches up over several."""


class Quality:
    """Reads what PostgreSQL knows of quality; every worker reads the same.

    Args:
        store: what people said.
        models: names that may stand in a label; the rest has no gauge.
        clock: tells how far back to begin.
        heard: told of every thumb once, in order.
    """

    def __init__(
        self,
        store: FeedbackStore,
        models: frozenset[str],
        clock: Clock,
        heard: Callable[[Thumb], Awaitable[None]] | None = None,
    ) -> None:
        self._store: Final = store
        self._models: Final = models
        self._clock: Final = clock
        self._heard: Final = heard
        self._last = 0

    async def read(self) -> Mapping[Gauge, Mapping[tuple[str, ...], float]]:
        """Give each model's score.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        scores = await self._store.scores()
        await self._listen()
        return {QUALITY: {(m,): score for m, score in scores.items() if m in self._models}}

    async def _listen(self) -> None:
        """Pass new thumbs on."""
        if self._heard is None:
            return
        since = self._clock.now() - REPLAYED
        for _ in range(PAGES):
            page = await self._store.thumbs(self._last, since, PAGE)
            for thumb in page:
                self._last = thumb.feedback_id
                await self._heard(thumb)
            if len(page) < PAGE:
                break
