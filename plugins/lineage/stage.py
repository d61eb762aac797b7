"""Listens to what is asked and answered, and gives the ledger's row its digests and its text."""

import asyncio
import base64
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import orjson
from typing_extensions import override

from plugins.core.call import Call, Outcome
from plugins.core.chain import SALT_BYTES, Digest, begun, salted
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage
from plugins.lineage.keys import TenantKeys
from plugins.lineage.texts import Text, TextPolicy, seal

KEY_WAIT_S: Final = 2.0
"""What PostgreSQL gets to give a tenant's key, once in `keys.FRESH_S`; then the text is not kept.
It counts from the call's beginning, while the provider works: what is left of it is waited for."""
LARGE: Final = 64 * 1024
"""Bytes from which hashing, compressing and encrypting go to a thread; less takes under 1 ms."""
_NOTE: Final = "lineage"

_log: Final = logging.getLogger("sluice.lineage")


@dataclass(slots=True)
class _Part:
    """What is known of one call's output while it runs.

    Args:
        salt: of its commitments.
        output: commitment to the output so far.
        key: the tenant's, where text is kept; or who is fetching it.
        most: bytes of output that are kept.
        days: for which they are kept.
    """

    salt: bytes
    output: Digest
    key: "bytes | asyncio.Task[bytes | None] | None" = None
    most: int = 0
    days: int = 0
    kept: list[bytes] = field(default_factory=list[bytes])
    size: int = 0

    def hear(self, piece: bytes) -> None:
        """Take a piece of the output as it is delivered."""
        self.output.update(piece)
        if self.key is not None and self.size < self.most:
            self.kept.append(piece[: self.most - self.size])
        self.size += len(piece)


class LineageStage(Stage):
    """Lineage's part in every call; after all others that may change an answer.

    Args:
        keys: the tenants'.
        policy: whose text is kept, and how much of it.
    """

    name: str = "lineage"
    last: bool = True

    def __init__(self, keys: TenantKeys, policy: TextPolicy) -> None:
        self._keys: Final = keys
        self._policy: Final = policy

    @override
    async def prepare(self, call: Call) -> GatewayError | None:
        """Begin to listen; where the tenant's text is kept, have its key fetched meanwhile."""
        part = self._part()
        call.notes[_NOTE] = part
        days = self._policy.days(call.principal.keep_text_days)
        if days:
            tenant = call.principal.tenant_id
            part.key = self._keys.at_hand(tenant) or asyncio.create_task(self._fetched(call))
            part.most, part.days = self._policy.text_bytes, days

    @override
    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        """Hear a whole answer."""
        self._hear(call, answer)

    @override
    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        """Hear one event of a stream."""
        self._hear(call, frame)

    async def evidence(self, call: Call) -> Mapping[str, Any]:
        """Give what the call's row needs; see `core.lineage.Witness`."""
        part: _Part = call.notes.pop(_NOTE, None) or self._part()
        asked = _input_of(call)
        heard = part
        key = part.key
        if isinstance(key, asyncio.Task):
            key = await key
        if call.recalled is not None:
            for frame in call.recalled.frames:
                part.hear(frame)
        elif call.outcome is Outcome.REFUSED and not call.stream:
            heard = self._part()  # what was judged and kept back was not delivered
        size = len(asked) + sum(map(len, heard.kept))
        if size > LARGE:
            return await asyncio.to_thread(_evidence, call, part, heard, asked, key)
        return _evidence(call, part, heard, asked, key)

    def _part(self) -> _Part:
        salt = os.urandom(SALT_BYTES)
        return _Part(salt, begun(salt, b"output"))

    def _hear(self, call: Call, piece: bytes) -> None:
        part: _Part | None = call.notes.get(_NOTE)
        if part is not None and piece:
            part.hear(piece)

    async def _fetched(self, call: Call) -> bytes | None:
        try:
            return await self._keys.of(call.principal.tenant_id, KEY_WAIT_S)
        except Exception as error:  # noqa: BLE001 - a call and its digests matter more than text
            _log.warning("the text of call %s is not kept: %s", call.id, type(error).__name__)
            return None


def _input_of(call: Call) -> bytes:
    """Write what was asked: keys sorted, so that equal bodies are equal bytes."""
    return orjson.dumps(call.body, option=orjson.OPT_SORT_KEYS, default=str)


def _evidence(
    call: Call, part: _Part, heard: _Part, asked: bytes, key: bytes | None
) -> dict[str, Any]:
    output = _bytea(heard.output.digest()) if heard.size else None
    found: dict[str, Any] = {
        "salt": part.salt.hex(),
        "input_digest": _bytea(salted(part.salt, b"input", asked)),
        "output_digest": output,
    }
    if key is not None:
        text = Text(
            asked[: part.most], b"".join(heard.kept), len(asked), heard.size, call.content_type
        )
        sealed = seal(key, call.principal.tenant_id, call.id, text)
        found["text"] = base64.b64encode(sealed).decode()
        found["text_expires_at"] = (call.started_at + timedelta(days=part.days)).isoformat()
    return found


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()
