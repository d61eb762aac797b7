"""What was asked and answered: bounded, compressed, and sealed with its tenant's key. Pure."""

import os
import zlib
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LEVEL: Final = 1
"""Of zlib: the fastest; a prompt falls to a third all the same."""
_LAYOUT: Final = b"sluice text v1\n"


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """Whether and how long the text of calls is kept.

    Args:
        keep_text: the default of tenants that say nothing themselves.
        keep_text_days: for how long.
        text_bytes: most that is kept of a call's input, and of its output.
    """

    keep_text: bool = False
    keep_text_days: int = 30
    text_bytes: int = 262_144

    def days(self, tenants: int | None) -> int:
        """Give the days for which a tenant's text is kept; 0 for not at all.

        Args:
            tenants: its own figure, or None.
        """
        if tenants is not None:
            return tenants
        return self.keep_text_days if self.keep_text else 0


class Text(msgspec.Struct, frozen=True, array_like=True):
    """One call's text.

    Args:
        input: the body as it was asked, JSON; only its beginning where it was longer.
        output: the answer as it was delivered, a stream as its events.
        input_bytes: how long it was.
        output_bytes: likewise.
        content_type: of the output.
    """

    input: bytes
    output: bytes
    input_bytes: int
    output_bytes: int
    content_type: str = ""

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was cut off."""
        return len(self.input) == self.input_bytes and len(self.output) == self.output_bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Text)


def seal(key: bytes, tenant_id: str, call_id: str, text: Text) -> bytes:
    """Compress and encrypt a text; it opens for this tenant and call alone.

    Args:
        key: the tenant's, 32 bytes.
        tenant_id: whose.
        call_id: of which call.
        text: what is kept.
    """
    nonce = os.urandom(_NONCE_BYTES)
    packed = zlib.compress(_encode(text), _LEVEL)
    return nonce + AESGCM(key).encrypt(nonce, packed, _bound(tenant_id, call_id))


def unseal(key: bytes, tenant_id: str, call_id: str, sealed: bytes) -> Text | None:
    """Open a text; None when it was not sealed with this key for this tenant and call."""
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        packed = AESGCM(key).decrypt(nonce, rest, _bound(tenant_id, call_id))
        return _decoder.decode(zlib.decompress(packed))
    except (InvalidTag, ValueError, zlib.error, msgspec.DecodeError):
        return None


def resealed(old: bytes, new: bytes, tenant_id: str, call_id: str, sealed: bytes) -> bytes | None:
    """Seal with another key what was sealed with an old one, as it is.

    Returns:
        None when it was not sealed with the old key for this tenant and call.
    """
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    bound = _bound(tenant_id, call_id)
    try:
        packed = AESGCM(old).decrypt(nonce, rest, bound)
    except (InvalidTag, ValueError):
        return None
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(new).encrypt(nonce, packed, bound)


def _bound(tenant_id: str, call_id: str) -> bytes:
    return _LAYOUT + tenant_id.encode() + b"\n" + call_id.encode()
