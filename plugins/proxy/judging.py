"""Lets the stages judge what a model wrote, whole or running, on every endpoint alike."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from plugins.core.answer import Answer, Fate, Mended
from plugins.core.call import Call
from plugins.core.errors import GatewayError
from plugins.core.review import ReviewRequest
from plugins.core.stage import Phase, Rota, Stage
from plugins.core.verdict import Finding, Verdict, stricter
from plugins.proxy.answering import TEXTUAL, choices_of
from plugins.proxy.steps import timed

T = TypeVar("T")

_log: Final = logging.getLogger("sluice.door")
_SERVERS_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is thought of a call at one moment, to be gone back to."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    confidence: float | None
    calibrated: bool
    signals: dict[str, float]
    answer: Answer | None
    review: ReviewRequest | None
    shareable: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the judges said of one answer.

    Args:
        refusal: that ended their round.
        fate: what they want done with it; to hold it comes before to ask another tier.
        texts: what takes the place of its own; None where nothing was mended.
        opinion: of the call, once they had all been asked.
    """

    refusal: GatewayError | None = None
    fate: Fate | None = None
    texts: tuple[str, ...] | None = None
    opinion: Opinion | None = None

    @property
    def confidence(self) -> float:
        """Give how sure the answer is; 0 where nothing told."""
        return (self.opinion and self.opinion.confidence) or 0.0


class Judging:
    """The output checks' part in one call.

    Args:
        call: that is answered; what another check asked for is not judged.
        rota: the stages of each phase.
    """

    def __init__(self, call: Call, rota: Rota) -> None:
        self._call: Final = call
        textual = call.endpoint in TEXTUAL and not call.inner
        self._judges: Final = rota.judge if textual else ()
        self._listeners: Final = rota.listen if textual else ()
        self._confirmers: Final = () if call.inner else rota.confirm
        self._confirmed = False
        self._before: Opinion | None = None
        self.more_tiers = False
        """Another model is left that could be asked."""
        self.best = 0.0
        """How sure the best answer is that has been set aside."""

    @property
    def judges(self) -> bool:
        """Tell whether anybody wants to see whole answers."""
        return bool(self._judges)

    @property
    def listens(self) -> bool:
        """Tell whether anybody wants to hear running ones."""
        return bool(self._listeners)

    async def confirm(self) -> GatewayError | None:
        """Wait, once in a call, for what runs beside the provider; then an answer may be judged."""
        if not self._confirmed:
            self._confirmed = True
            for stage in self._confirmers:
                work = timed(self._call, Phase.CONFIRM, stage, stage.confirm(self._call))
                refusal = await self._guarded(stage, Phase.CONFIRM, work)
                if refusal is not None:
                    return self._blocked(refusal)
        if self._judges or self._listeners:
            self._before = opinion_of(self._call)
        return None

    def keeps_back(self) -> int | None:
        """Tell how many characters a client's stream must lag behind; None for all of it.

        Listeners hear the first choice alone, so that of several none is given unheard.
        """
        if self._listeners and choices_of(self._call.body) > 1:
            return None
        most = 0
        for stage in dict.fromkeys((*self._listeners, *self._judges)):
            kept = stage.keeps_back(self._call)
            if kept is None:
                return None
            most = max(most, kept)
        return most

    def listen(self, text: str, new: int) -> GatewayError | None:
        """Let the listeners hear the end of a running text."""
        for stage in self._listeners:
            try:
                refusal = stage.listen(self._call, text, new)
            except Exception:  # noqa: BLE001 - a check's bug must not let a text pass unheard
                refusal = _failed(self._call, stage, Phase.LISTEN)
            if refusal is not None:
                return self._blocked(refusal)
        return None

    async def judge(self, answer: Answer | None) -> Ruling:
        """Ask all judges in order, each after those before it have mended.

        Args:
            answer: what was written; None where it is no text.
        """
        call = self._call
        if answer is None:
            return Ruling()
        call.answer = answer
        texts: tuple[str, ...] | None = None
        fates: set[Fate] = set()
        for stage in self._judges:
            work = timed(call, Phase.JUDGE, stage, stage.judge(call, answer))
            said = await self._guarded(stage, Phase.JUDGE, work)
            if isinstance(said, GatewayError):
                return Ruling(refusal=self._blocked(said), opinion=opinion_of(call))
            if isinstance(said, Mended):
                texts = said.texts
                answer = replace(answer, texts=texts)
                call.answer = answer
            elif said is not None:
                fates.add(said)
        if fates or call.verdict is not Verdict.ALLOW:
            call.shareable = False
        fate = next((fate for fate in (Fate.HOLD, Fate.ESCALATE) if fate in fates), None)
        return Ruling(fate=fate, texts=texts, opinion=opinion_of(call))

    def escalates(self, ruling: Ruling) -> bool:
        """Tell whether an answer is set aside, be it for a better one that is set aside already."""
        if ruling.fate is not Fate.ESCALATE:
            return False
        return self.more_tiers or self.best > ruling.confidence

    def set_aside(self, ruling: Ruling) -> None:
        """Forget what was found of an answer that is not given, for now."""
        self.best = max(self.best, ruling.confidence)
        if self._before is not None:
            adopt(self._call, self._before)

    async def _guarded(self, stage: Stage, phase: Phase, work: Awaitable[T]) -> T | GatewayError:
        try:
            return await work
        except Exception:  # noqa: BLE001 - a check's bug must not let an answer pass unjudged
            return _failed(self._call, stage, phase)

    def _blocked(self, refusal: GatewayError) -> GatewayError:
        if refusal.status < _SERVERS_FAULT:
            self._call.verdict = stricter(self._call.verdict, Verdict.BLOCK)
        self._call.shareable = False
        return refusal


def opinion_of(call: Call) -> Opinion:
    """Note what is thought of a call now."""
    review = call.review
    return Opinion(
        findings=tuple(call.findings),
        verdict=call.verdict,
        confidence=call.confidence,
        calibrated=call.calibrated,
        signals=dict(call.signals),
        answer=call.answer,
        review=None if review is None else ReviewRequest(list(review.reasons), review.id),
        shareable=call.shareable,
    )


def adopt(call: Call, opinion: Opinion) -> None:
    """Think of a call as was thought of it before."""
    known = len(opinion.findings)
    if call.findings[:known] != list(opinion.findings) or len(call.findings) > known:
        for place, step in enumerate(call.steps):
            if step.found[1] > known:
                call.steps[place] = replace(step, found=(known, known))
    call.findings[:] = opinion.findings
    call.verdict, call.confidence = opinion.verdict, opinion.confidence
    call.calibrated, call.signals = opinion.calibrated, dict(opinion.signals)
    call.answer, call.shareable = opinion.answer, opinion.shareable
    review = opinion.review
    call.review = None if review is None else ReviewRequest(list(review.reasons), review.id)


def _failed(call: Call, stage: Stage, phase: Phase) -> GatewayError:
    _log.exception("stage %s failed at %s of call %s", stage.name, phase.value, call.id)
    return GatewayError("the gateway failed at this request; it is logged by its id")
