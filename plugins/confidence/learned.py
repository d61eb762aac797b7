"""What confidence is worth, learned from labels: one fit per agent and model, in every worker.

All workers fit on the same labels and come to the same lines. While PostgreSQL is away the last
ones stay; a worker that has none yet says `uncalibrated`.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from plugins.confidence.calibration import Calibrator, calibrate
from plugins.confidence.families import CALIBRATED, ERROR, LABELS
from plugins.confidence.labels import Labelled, Pair
from plugins.core.clock import Clock
from plugins.core.metrics import NONE, Gauge

EVERY_S: Final = 180.0


class LabelSource(Protocol):
    """Where labels come from."""

    async def read(self) -> Mapping[Pair, Labelled]:
        """Give the newest labels of each agent and model."""
        ...


@dataclass(frozen=True, slots=True)
class Learned:
    """What was fitted for one agent and model, and when."""

    agent: str | None
    model: str
    calibrator: Calibrator
    fitted_at: datetime


class Calibration:
    """Fits calibrators now and then, and gives them to whoever asks.

    Args:
        labels: what people said.
        agents: names that may stand in a metric's label.
        models: likewise.
        clock: says when.
    """

    def __init__(
        self,
        labels: LabelSource,
        agents: Collection[str],
        models: Collection[str],
        clock: Clock,
    ) -> None:
        self._labels: Final = labels
        self._agents: Final = frozenset(agents)
        self._models: Final = frozenset(models)
        self._clock: Final = clock
        self._seen: dict[Pair, Labelled] = {}
        self._learned: dict[Pair, Learned] = {}

    def of(self, agent: str | None, model: str | None) -> Calibrator | None:
        """Give what was fitted for an agent (None for plain models) and a model group."""
        learned = self._learned.get((agent, model or ""))
        return learned.calibrator if learned else None

    @property
    def learned(self) -> list[Learned]:
        """Give all fits, by agent and model."""
        return sorted(self._learned.values(), key=lambda one: (one.agent or "", one.model))

    async def read(self) -> Mapping[Gauge, Mapping[tuple[str, ...], float]]:
        """Fit again where labels have come, and give the figures.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        found = await self._labels.read()
        for pair, labelled in found.items():
            if labelled != self._seen.get(pair):
                # 35 ms for 1,000 labels: not on the loop.
                made = await asyncio.to_thread(calibrate, labelled.raw, labelled.right)
                self._learned[pair] = Learned(*pair, made, self._clock.now())
                self._seen[pair] = labelled
        for gone in self._learned.keys() - found.keys():
            del self._learned[gone], self._seen[gone]
        return self._figures()

    def _figures(self) -> Mapping[Gauge, Mapping[tuple[str, ...], float]]:
        shown = {
            (one.agent or NONE, one.model): one.calibrator
            for one in self._learned.values()
            if one.model in self._models and (one.agent is None or one.agent in self._agents)
        }
        errors: dict[tuple[str, ...], float] = {}
        for pair, held in shown.items():
            if held.error is not None:
                errors[*pair, "estimate"] = held.error.error
                errors[*pair, "lower"] = held.error.lower
                errors[*pair, "upper"] = held.error.upper
        return {
            LABELS: {pair: float(held.labels) for pair, held in shown.items()},
            CALIBRATED: {pair: float(held.is_calibrated) for pair, held in shown.items()},
            ERROR: errors,
        }
