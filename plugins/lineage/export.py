"""Audit packs: records with their hashes as JSON lines, and a manifest; verified without us."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.chain import GENESIS, Row, Seals
from plugins.lineage.rules import Erasure, Fault, Verifier, read_back
from plugins.store.tables import erasures, ledger, lineage_heads

FORMAT: Final = "sluice audit pack 1"
MANIFEST: Final = "manifest.json"
RECORDS: Final = "records.jsonl"
ERASURES: Final = "erasures.jsonl"
PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported.

    Args:
        tenant_id: whose calls.
        first: first day, UTC, included.
        last: last day, UTC, included.
    """

    tenant_id: str
    first: date
    last: date


async def export(
    engine: AsyncEngine,
    seals: Seals,
    wanted: Wanted,
    folder: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Write a pack.

    The records are all those between the first and the last place in the chain that a call of these
    days has: calls are recorded as they end, so that some of other days lie between, and nothing
    is left out that would be needed to follow the chain.

    Args:
        engine: PostgreSQL.
        seals: the installation's; seal the manifest.
        wanted: what.
        folder: made when missing; files of an earlier pack there are replaced.
        progress: told of the records done, and how many there are.

    Returns:
        The manifest.

    Raises:
        OSError: when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a command of its own, no server
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        low, high, asked = await _range(connection, wanted)
        rows = _rows(connection, wanted.tenant_id, low, high)
        count, before = await _write_records(folder / RECORDS, rows, progress, high - low + 1)
        await _write_erasures(connection, wanted.tenant_id, folder / ERASURES)
        head = await _head(connection, wanted.tenant_id)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "tenant_id": wanted.tenant_id,
        "first": wanted.first.isoformat(),
        "last": wanted.last.isoformat(),
        "written_at": datetime.now(UTC).isoformat(),
        "records": count,
        "asked": asked,
        "from_seq": low if asked else None,
        "to_seq": high if asked else None,
        "before": before.hex(),
        "heads": {wanted.tenant_id: head} if head else {},
        "files": {name: _sha256(folder / name) for name in (RECORDS, ERASURES)},
    }
    manifest["seal"] = seals.manifest(_sealed_part(manifest)).hex()
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


async def _write_records(
    path: Path, rows: AsyncIterator[Any], progress: Callable[[int, int], None], total: int
) -> tuple[int, bytes]:
    """Write rows; give how many there were, and the hash before the first."""
    count, before = 0, GENESIS
    with path.open("wb") as file:
        async for row in rows:
            before = before if count else bytes(row["prev_hash"])
            file.write(_line(row))
            count += 1
            if count % PAGE == 0:
                progress(count, total)
    progress(count, count)
    return count, before


async def _write_erasures(connection: AsyncConnection, tenant_id: str, path: Path) -> None:
    query = select(erasures).where(erasures.c.tenant_id == tenant_id).order_by(erasures.c.id)
    found = (await connection.execute(query)).mappings()
    path.write_bytes(b"".join(map(_line, found)))  # noqa: ASYNC240 - as above


def verify_pack(folder: Path, seals: Seals | None = None) -> tuple[int, list[str]]:
    """Check a pack by itself: its files, and the chain that its records form.

    Args:
        folder: of the pack.
        seals: to check the manifest's seal too; None without the secret.

    Returns:
        How many records there are, and what is wrong, a sentence each.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wrong = list(_files_wrong(folder, manifest))
        if seals and seals.manifest(_sealed_part(manifest)).hex() != manifest["seal"]:
            wrong.append(f"{MANIFEST}: its seal does not fit this secret, or it was changed")
        count, faults = _records_wrong(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return 0, [f"{folder}: is no audit pack ({type(error).__name__}: {error})"]
    return count, [*wrong, *faults]


def _records_wrong(folder: Path, manifest: dict[str, Any]) -> tuple[int, list[str]]:
    wrong: list[str] = []
    low = manifest["from_seq"] or 1
    verifier = Verifier(
        manifest["tenant_id"],
        _recorded(folder),
        seq=low - 1,
        before=bytes.fromhex(manifest["before"]),
    )
    faults: list[Fault] = [*verifier.feed(_read(folder / RECORDS)), *verifier.finish()]
    wrong += [f"{RECORDS}: {one.wrong.value}: row {one.seq}: {one.text}" for one in faults]
    if verifier.rows != manifest["records"] or verifier.seq != (manifest["to_seq"] or 0):
        wrong.append(
            f"{RECORDS}: has {verifier.rows} records up to row {verifier.seq}; the manifest says"
            f" {manifest['records']} up to row {manifest['to_seq']}"
        )
    for head in manifest["heads"].values():
        ends = head["seq"] == verifier.seq
        if ends and verifier.before and head["hash"] != verifier.before.hex():
            wrong.append(f"{RECORDS}: ends otherwise than the head in the manifest says")
    return verifier.rows, wrong


def _recorded(folder: Path) -> dict[int, Erasure]:
    found: dict[int, Erasure] = {}
    for line in (folder / ERASURES).read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found[one["id"]] = Erasure(
            one["id"],
            bytes.fromhex(one["subject_hash"][2:]),
            one["ordered_by"],
            datetime.fromisoformat(one["at"]),
            one["calls"],
            bytes.fromhex(one["seal"][2:]),
        )
    return found


def _files_wrong(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    for name, stated in manifest["files"].items():
        if name not in {RECORDS, ERASURES}:
            yield f"{MANIFEST}: names a file {name!r} that no pack has"
        elif _sha256(folder / name) != stated:
            yield f"{name}: is not the file that the manifest describes"


def _read(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = read_back(cast("dict[str, Any]", json.loads(line)))
            if row["erased_at"] is not None:
                row["erased_at"] = datetime.fromisoformat(row["erased_at"])
            yield row


async def _range(connection: AsyncConnection, wanted: Wanted) -> tuple[int, int, int]:
    begin = datetime.combine(wanted.first, time(), UTC)
    end = datetime.combine(wanted.last + timedelta(days=1), time(), UTC)
    query = select(func.min(ledger.c.seq), func.max(ledger.c.seq), func.count()).where(
        ledger.c.tenant_id == wanted.tenant_id,
        ledger.c.seq > 0,
        ledger.c.started_at >= begin,
        ledger.c.started_at < end,
    )
    low, high, count = (await connection.execute(query)).one()
    return low or 0, high or -1, count


async def _rows(
    connection: AsyncConnection, tenant_id: str, low: int, high: int
) -> AsyncIterator[Any]:
    query = (
        select(ledger)
        .where(ledger.c.tenant_id == tenant_id, ledger.c.seq.between(low, high))
        .order_by(ledger.c.seq, ledger.c.call_id)
    )
    streamed = await connection.stream(query, execution_options={"yield_per": PAGE})
    async for row in streamed.mappings():
        yield row


async def _head(connection: AsyncConnection, tenant_id: str) -> dict[str, Any] | None:
    query = select(lineage_heads).where(lineage_heads.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return {
        "seq": row.seq,
        "hash": bytes(row.hash).hex(),
        "seal": bytes(row.seal).hex(),
        "unchained": row.unchained,
    }


def _line(row: Any) -> bytes:
    return json.dumps(dict(row), default=_written, ensure_ascii=False).encode() + b"\n"


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(type(value).__name__)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sealed_part(manifest: dict[str, Any]) -> bytes:
    part = {name: value for name, value in manifest.items() if name != "seal"}
    return json.dumps(part, sort_keys=True, separators=(",", ":")).encode()
