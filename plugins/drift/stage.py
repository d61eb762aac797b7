"""Looks at every call and try after the client has its answer."""

from typing import Final

from typing_extensions import override

from plugins.core.call import HOST_REFUSED, Attempt, Call, Endpoint, Outcome
from plugins.core.stage import Stage
from plugins.drift.rules import Change, Signal
from plugins.drift.telling import Telling
from plugins.drift.watch import Watch

ABANDONED: Final = frozenset({"ClientDisconnected", HOST_REFUSED})
"""Endings of a try that say nothing of the model."""
WRITERS: Final = frozenset(
    {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES}
)
"""Endpoints whose answers have a length of the model's choosing."""


class DriftStage(Stage):
    """Drift's part in every call; a few microseconds, and a round trip when something is found.

    Args:
        watch: this worker's detectors.
        telling: who hears of a change.
    """

    name: str = "drift"

    def __init__(self, watch: Watch, telling: Telling) -> None:
        self._watch: Final = watch
        self._telling: Final = telling

    @override
    async def observe(self, call: Call) -> None:
        """Look at the tries, and at an answer that a model has just given."""
        found = [change for attempt in call.attempts for change in self._tried(attempt)]
        if call.outcome is Outcome.ANSWERED and call.recalled is None:
            found += self._answered(call)
        for change in found:
            await self._telling.tell(change)

    def _tried(self, attempt: Attempt) -> list[Change]:
        if attempt.ended_s is None or attempt.error_class in ABANDONED:
            return []
        failed = attempt.error_class is not None
        found = [self._watch.see(attempt.group, Signal.ERRORS, float(failed))]
        if not failed:
            took_s = attempt.ended_s - attempt.started_s
            found.append(self._watch.see(attempt.group, Signal.LATENCY, took_s))
        return [change for change in found if change is not None]

    def _answered(self, call: Call) -> list[Change]:
        model = call.model_served
        found: list[Change | None] = []
        if call.endpoint in WRITERS:
            tokens = float(call.usage.output_tokens)
            found.append(self._watch.see(model, Signal.OUTPUT_TOKENS, tokens))
        if call.confidence is not None:
            found.append(self._watch.see(model, Signal.CONFIDENCE, call.confidence))
        return [change for change in found if change is not None]
