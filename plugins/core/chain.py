"""The chain of a tenant's ledger rows: each row's hash covers the one before it. Pure.

What is hashed is a canonical writing of a row's immutable columns, the same for a row that is
about to be inserted and for one that was read back. Columns that may be erased (`PERSONAL`) are
covered by a salted commitment instead: without the salt it tells nothing, and the chain stays
whole.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final, Protocol, cast

import orjson

from plugins.core.money import USD_PLACES

LAYOUT: Final = 1
"""Which columns are hashed, and how they are written; kept with each row."""
GENESIS: Final = b""
"""What the first row of a tenant has in place of a hash before it."""
SALT_BYTES: Final = 16
_DOMAIN: Final = b"sluice ledger row\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"\\x([0-9a-f]{2})*")
_INT64: Final = 2**63

Row = Mapping[str, Any]


class Misfit(ValueError):  # noqa: N818 - named for what the value is
    """A value that no column of the ledger can hold; the text names the column alone."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _uuid(value: object) -> str:
    found = str(value)
    if not _UUID.fullmatch(found):
        raise ValueError
    return found


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise TypeError
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _real(value: object) -> str:
    """Write a double as the shortest digits that give it back; whole or not makes no difference."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return repr(float(value) + 0.0)


def _moment(value: object) -> int:
    """Write a moment as microseconds since 1970, UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise TypeError
    return (found - _EPOCH) // _MICROSECOND


def _places(places: int) -> Callable[[object], str]:
    """Write a number with fixed places, rounded as PostgreSQL's `numeric` rounds."""
    quantum = Decimal(1).scaleb(-places)

    def written(value: object) -> str:
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            raise TypeError
        return f"{Decimal(value).quantize(quantum, ROUND_HALF_UP):f}"

    return written


def _digest(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise TypeError
    return value[2:]


def _plain(value: object) -> object:
    """Write JSON as PostgreSQL's `jsonb` gives it back: a whole float may come as an integer."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {name: _plain(item) for name, item in items}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError
        value = int(value) if value.is_integer() else value
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return f"{value}"
    return value


Writer = Callable[[object], object]
IMMUTABLE: Final[Mapping[str, Writer]] = {
    "tenant_id": _text,
    "call_id": _uuid,
    "started_at": _moment,
    "key_id": _text,
    "agent": _text,
    "endpoint": _text,
    "model_asked": _text,
    "model_served": _text,
    "deployment": _text,
    "provider": _text,
    "tier": _text,
    "outcome": _text,
    "status": _integer,
    "error_class": _text,
    "stream": _truth,
    "cache": _text,
    "input_tokens": _integer,
    "output_tokens": _integer,
    "cached_input_tokens": _integer,
    "cache_write_tokens": _integer,
    "characters": _integer,
    "audio_s": _places(3),
    "usage_source": _text,
    "cost_usd": _places(USD_PLACES),
    "saved_usd": _places(USD_PLACES),
    "cost_note": _text,
    "practice": _truth,
    "latency_ms": _integer,
    "first_byte_ms": _integer,
    "attempts": _plain,
    "entity_type": _text,
    "parent_call_id": _text,
    "traceparent": _text,
    "trace_id": _text,
    "findings": _plain,
    "variants": _plain,
    "verdict": _text,
    "confidence": _real,
    "input_digest": _digest,
    "output_digest": _digest,
    "context_digest": _digest,
}
"""The columns that the hash covers beside place and `recorded_at`, and how each is written; their
order is part of layout 1."""
_WRITERS: Final = tuple(IMMUTABLE.items())
PERSONAL: Final = ("subject", "session", "entity_id", "excerpts")
"""The columns that can be erased; the hash covers their commitment, `context_digest`."""


def canonical(row: Row) -> bytes:
    """Write the immutable columns of a row.

    Args:
        row: by column, as an entry of the ledger has them or as they were read back.

    Returns:
        JSON without any freedom: keys sorted, fixed places, microseconds in UTC, hexadecimal.

    Raises:
        Misfit: for a value that its column cannot hold.
    """
    written: list[object] = []
    for name, write in _WRITERS:
        value: object = row[name]
        try:
            written.append(None if value is None else write(value))
        except (TypeError, ValueError, InvalidOperation, RecursionError):
            raise Misfit(name) from None
    return _written(written)


def row_hash(before: bytes, seq: int, recorded_at: datetime, written: bytes) -> bytes:
    """Give the hash of a row in its place.

    Args:
        before: the hash of the row before it, or `GENESIS`.
        seq: its place among its tenant's rows, from 1.
        recorded_at: when it got that place.
        written: the rest of it, as `canonical` writes it.

    Returns:
        32 bytes.
    """
    place = b"%d %d %d %d " % (LAYOUT, seq, _moment(recorded_at), len(before))
    return hashlib.sha256(_DOMAIN + place + before + written).digest()


def commitment(salt: bytes, personal: Row) -> bytes:
    """Commit to the personal columns of a row.

    Args:
        salt: random bytes that are erased together with them.
        personal: holds `PERSONAL`.

    Returns:
        32 bytes; only who has the salt can tell whether given values are those.

    Raises:
        Misfit: when they cannot be written.
    """
    try:
        return salted(salt, b"context", _written([_plain(personal[name]) for name in PERSONAL]))
    except (TypeError, RecursionError):
        raise Misfit("excerpts") from None


def salted(salt: bytes, what: bytes, content: bytes) -> bytes:
    """Commit to one piece of a call: its input, its output or its context."""
    made = begun(salt, what)
    made.update(content)
    return made.digest()


class Digest(Protocol):
    """A commitment to content that comes in pieces."""

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""
        ...

    def digest(self) -> bytes:
        """Give the commitment to all that came so far."""
        ...


def begun(salt: bytes, what: bytes) -> Digest:
    """Begin a commitment to content that comes in pieces."""
    return hashlib.sha256(salt + what + b"\n")


def _written(values: Sequence[object]) -> bytes:
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


class Seals:
    """Writes what nobody can forge who can write to the database and lacks the secret.

    Args:
        secret: the installation's, at least 32 characters.
    """

    def __init__(self, secret: str) -> None:
        def derived(use: bytes) -> bytes:
            return hmac.digest(secret.encode(), b"sluice lineage " + use + b" v1", "sha256")

        self._heads: Final = derived(b"heads")
        self._erasures: Final = derived(b"erasures")
        self._subjects: Final = derived(b"subjects")
        self._manifests: Final = derived(b"manifests")

    def head(self, tenant_id: str, seq: int, row_hash: bytes, unchained: int) -> bytes:
        """Seal the end of a tenant's chain.

        Args:
            tenant_id: whose.
            seq: place of the last row; 0 for none.
            row_hash: its hash; `GENESIS` for none.
            unchained: rows from before the chain.
        """
        return _sealed(self._heads, (tenant_id, seq, row_hash.hex(), unchained))

    def erasure(self, tenant_id: str, subject: bytes, at: datetime, by: str, calls: int) -> bytes:
        """Seal the record of an erasure.

        Args:
            tenant_id: whose.
            subject: as `subject` names it.
            at: when.
            by: key or command that ordered it.
            calls: how many rows it covers.
        """
        return _sealed(self._erasures, (tenant_id, subject.hex(), _moment(at), by, calls))

    def subject(self, tenant_id: str, subject: str) -> bytes:
        """Name a subject by 32 bytes that tell nothing of it without the secret."""
        return _sealed(self._subjects, (tenant_id, subject))

    def manifest(self, content: bytes) -> bytes:
        """Seal the manifest of an export."""
        return hmac.digest(self._manifests, content, "sha256")


def _sealed(key: bytes, values: Iterable[object]) -> bytes:
    return hmac.digest(key, _written(list(values)), "sha256")
