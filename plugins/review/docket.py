"""Gives a settled call's review item to whoever writes the settlement; asks no store."""

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any, Final

from plugins.core.call import Call
from plugins.core.metrics import Metrics
from plugins.core.review import Reason, ReviewRequest
from plugins.core.vault import Envelope
from plugins.review.dossier import encoded
from plugins.review.families import ITEMS
from plugins.review.gathering import dossier_of, findings_of
from plugins.review.rules import due_at
from plugins.review.sampling import Sample

HEARD: Final = "review"
"""Note of a call under which `ReviewStage` keeps what it hears."""
LARGE: Final = 32 * 1024
"""Bytes of a request and its answer from which a dossier is made in a thread."""

_log: Final = logging.getLogger("sluice.review")


@dataclass(slots=True)
class Heard:
    """An answer as it was given.

    Args:
        most: bytes that are kept; later pieces are left out, so that none is cut.
    """

    most: int
    pieces: list[bytes] = field(default_factory=list[bytes])
    size: int = 0

    def hear(self, piece: bytes) -> None:
        """Take the whole answer, or the next event of a stream."""
        if not self.pieces or self.size + len(piece) <= self.most:
            self.pieces.append(piece)
        self.size += len(piece)


class ReviewDocket:
    """The review queue behind `core.docket.Docket`.

    Args:
        envelope: seals dossiers on their way.
        sample: which calls are drawn at random.
        most: longest dossier, bytes.
        metrics: where items are counted.
    """

    def __init__(self, envelope: Envelope, sample: Sample, most: int, metrics: Metrics) -> None:
        self._envelope: Final = envelope
        self._sample: Final = sample
        self._most: Final = most
        self._metrics: Final = metrics

    async def item(self, call: Call) -> Mapping[str, Any] | None:
        """Give the item as the settlement carries it; see `core.docket.Docket`."""
        listened: Heard | None = call.notes.pop(HEARD, None)
        heard = listened.pieces if listened is not None else ()
        if call.inner:
            return None
        if self._sample.draws(call):
            call.ask_review(Reason.SAMPLE)
        wanted = call.review
        if wanted is None:
            return None
        took_s = max((call.ended_s or call.started_s) - call.started_s, 0.0)
        ended_at = call.started_at.astimezone(UTC) + timedelta(seconds=took_s)
        item = {
            "id": wanted.id,
            "reasons": [reason.value for reason in wanted.reasons],
            "holds": wanted.holds,
            "created_at": ended_at.isoformat(),
            "due_at": due_at(wanted.reasons, ended_at).isoformat(),
            "findings": findings_of(call),
            "payload": await self._payload(call, wanted, heard),
        }
        self._metrics.add(ITEMS, _first(wanted).value)
        return item

    async def _payload(
        self, call: Call, wanted: ReviewRequest, heard: Sequence[bytes]
    ) -> str | None:
        try:
            if _size(call, heard) > LARGE:
                return await asyncio.to_thread(self._sealed, call, heard)
            return self._sealed(call, heard)
        except Exception:
            if wanted.holds:
                raise
            # Whether this was good enough is still asked, though nobody can read it any more.
            _log.exception("review item %s of call %s has no texts", wanted.id, call.id)
            return None

    def _sealed(self, call: Call, heard: Sequence[bytes]) -> str:
        text = encoded(dossier_of(call, heard, self._most))
        sealed = self._envelope.seal(call.principal.tenant_id, call.id, text)
        return base64.b64encode(sealed).decode()


def _first(wanted: ReviewRequest) -> Reason:
    """Give the most urgent reason: members of `Reason` are in that order."""
    return next(reason for reason in Reason if reason in wanted.reasons)


def _size(call: Call, heard: Sequence[bytes]) -> int:
    """Estimate the characters of a dossier, without walking through the request."""
    said = sum(map(len, call.answer.texts)) if call.answer else sum(map(len, heard))
    rests_on = sum(len(source.text) for source in call.sources)
    # Four characters a token, as everywhere; a call that was refused has not been counted.
    asked = 4 * call.usage.input_tokens or LARGE + 1
    return said + rests_on + asked
