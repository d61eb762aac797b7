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
from operator import itemgetter
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
_INT64: Final = 2**63

Row = Mapping[str, Any]


class Misfit(ValueError):  # noqa: N818 - named for what the value is
    """A value that no column of the ledger can hold; the text names the column alone."""


def _uuid(value: object) -> str:
    found = str(value)
    if not _UUID.fullmatch(found):
        raise ValueError
    return found


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
    if not isinstance(value, str) or not value.startswith("\\x"):
        raise TypeError
    return bytes.fromhex(value[2:]).hex()


def _plain(value: object) -> object:
    """Write JSON as PostgreSQL's `jsonb` gives it back: a whole float may come as an integer."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict:
        items = cast("dict[str, object]", value).items()
        return {name: item if type(item) in _LEAVES else _plain(item) for name, item in items}
    if kind is list or kind is tuple:
        items = cast("list[object]", value)
        return [item if type(item) in _LEAVES else _plain(item) for item in items]
    return _number(value)


def _number(value: object) -> object:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError
        value = int(value) if value.is_integer() else value
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return f"{value}"
    return value


_LEAVES: Final = frozenset({str, bool, type(None)})
_TEXTS: Final = (
    "tenant_id",
    "key_id",
    "agent",
    "endpoint",
    "model_asked",
    "model_served",
    "deployment",
    "provider",
    "tier",
    "outcome",
    "error_class",
    "cache",
    "usage_source",
    "cost_note",
    "entity_type",
    "parent_call_id",
    "traceparent",
    "trace_id",
    "verdict",
)
_INTEGERS: Final = (
    "status",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "characters",
    "latency_ms",
    "first_byte_ms",
)
Writer = Callable[[object], object]
_OTHERS: Final[Mapping[str, Writer]] = {
    "call_id": _uuid,
    "started_at": _moment,
    "stream": _truth,
    "practice": _truth,
    "audio_s": _places(3),
    "cost_usd": _places(USD_PLACES),
    "saved_usd": _places(USD_PLACES),
    "attempts": _plain,
    "findings": _plain,
    "variants": _plain,
    "confidence": _real,
    "input_digest": _digest,
    "output_digest": _digest,
    "context_digest": _digest,
}
IMMUTABLE: Final = (*_TEXTS, *_INTEGERS, *_OTHERS)
"""The columns that the hash covers beside place and `recorded_at`; texts and integers as they are,
the others as written here. Their order is part of layout 1."""
_texts_of: Final = itemgetter(*_TEXTS)
_integers_of: Final = itemgetter(*_INTEGERS)
_WRITERS: Final = tuple(_OTHERS.items())
_IS_TEXT: Final = frozenset({str, type(None)})
_IS_INTEGER: Final = frozenset({int, type(None)})
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
    texts, integers = _texts_of(row), _integers_of(row)
    if not _IS_TEXT.issuperset(map(type, texts)):
        raise Misfit(next(n for n, v in zip(_TEXTS, texts, strict=True) if not _is(v, str)))
    if not _IS_INTEGER.issuperset(map(type, integers)):
        raise Misfit(next(n for n, v in zip(_INTEGERS, integers, strict=True) if not _is(v, int)))
    written: list[object] = [*texts, *integers]
    for name, write in _WRITERS:
        value: object = row[name]
        try:
            written.append(None if value is None else write(value))
        except (TypeError, ValueError, InvalidOperation, RecursionError):
            raise Misfit(name) from None
    try:
        return _written(written)
    except TypeError:  # an integer of more than 64 bits; orjson's error is one
        raise Misfit("an integer") from None


def _is(value: object, kind: type) -> bool:
    return value is None or type(value) is kind


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
