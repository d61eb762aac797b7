"""An answer as it is kept: packed, and sealed to its key."""

import hmac
from decimal import Decimal
from typing import Final

import msgspec

from plugins.cache.rules import KEY_BYTES, Sealer
from plugins.core.call import Recalled


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One kept answer.

    Args:
        content_type: of the answer.
        frames: a whole body as one piece, or the events of a stream.
        group: the model group that gave it.
        deployment: likewise.
        provider: likewise.
        cost_usd: what it cost, as a decimal number.
        at_s: when it was given, epoch seconds.
        ttl_s: for how long it is good.
        practice: a practice provider gave it.
        confidence: how sure it was found to be; None where nothing told.
        calibrated: what `Call.calibrated` said of that.
    """

    content_type: str
    frames: tuple[bytes, ...]
    group: str
    deployment: str
    provider: str
    cost_usd: str
    at_s: float
    ttl_s: int
    practice: bool = False
    confidence: float | None = None
    calibrated: bool = False

    def age_s(self, now_s: float) -> float:
        """Give the seconds since it was given; a clock that lags makes none negative."""
        return max(now_s - self.at_s, 0.0)

    def recalled(self, how: str, now_s: float) -> Recalled:
        """Give it as an answer.

        Args:
            how: `hit` or `coalesced`.
            now_s: epoch seconds.
        """
        return Recalled(
            content_type=self.content_type,
            frames=self.frames,
            group=self.group,
            deployment=self.deployment,
            provider=self.provider,
            saved_usd=Decimal(self.cost_usd),
            age_s=self.age_s(now_s),
            how=how,
            practice=self.practice,
            confidence=self.confidence,
            calibrated=self.calibrated,
        )


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Entry)


def pack(entry: Entry, key: bytes, sealer: Sealer) -> bytes:
    """Write an entry for its key."""
    payload = _encode(entry)
    return sealer.seal(key, payload) + payload


def unpack(raw: object, key: bytes, sealer: Sealer) -> Entry | None:
    """Read an entry; None for anything that was not written for this key by this installation."""
    if not isinstance(raw, bytes) or len(raw) <= KEY_BYTES:
        return None
    seal, payload = raw[:KEY_BYTES], raw[KEY_BYTES:]
    if not hmac.compare_digest(seal, sealer.seal(key, payload)):
        return None
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:  # sealed by another release
        return None
