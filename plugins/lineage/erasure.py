"""Takes a subject out: columns and texts of its calls, what was set aside, and cached answers."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugins.core.chain import GENESIS, Seals
from plugins.core.clock import Clock
from plugins.core.errors import NotFound, Unavailable
from plugins.core.forgetting import Forgetful
from plugins.store import erasing
from plugins.store.database import transaction
from plugins.store.tables import ledger_rejects, lineage_heads, tenants

ERASED: Final = "[erased]"

_SEALED: Final = re.compile(r'"(?:payload|text)":"[^"]*(?:",?|$)')
"""What is sealed in a settlement, also one that was cut off there."""

_log: Final = logging.getLogger("sluice.lineage")


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, or would be.

    Args:
        calls: rows of the ledger.
        texts: texts of calls.
        rejects: settlements that had been set aside.
        cached: answers in the cache; None when it is away.
        said: statements and review items about the calls that held words or names.
    """

    calls: int
    texts: int
    rejects: int
    cached: int | None
    said: int


class Eraser:
    """Erases subjects.

    Args:
        engine: PostgreSQL.
        seals: name subjects, and seal the record.
        cache: forgets answers.
        clock: dates the record.
        others: forget what people said of the calls.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        seals: Seals,
        cache: Forgetful,
        clock: Clock,
        *others: Forgetful,
    ) -> None:
        self._engine: Final = engine
        self._seals: Final = seals
        self._cache: Final = cache
        self._clock: Final = clock
        self._others: Final = others

    async def erase(
        self, tenant_id: str, subject: str, *, by: str, dry_run: bool = False
    ) -> Erased:
        """Erase a subject's calls and all that came of them; again is no harm.

        What of it comes to be recorded later (from the stream, from a spool) is erased then.

        Args:
            tenant_id: whose calls.
            subject: as the caller named it.
            by: who orders it, for the record.
            dry_run: only count.

        Raises:
            NotFound: when there is no such tenant.
            Unavailable: when PostgreSQL is away; nothing is then erased.
        """
        async with transaction(self._engine) as connection:
            await self._require(connection, tenant_id)
            await erasing.lock(connection, tenant_id)
            found = await erasing.of_subject(connection, tenant_id, subject)
            rejects = await _rejects(connection, tenant_id, subject)
            # Before the ledger forgets whose calls these were: should it fail, all is done again.
            said = 0
            for other in self._others:
                said += await other.forget(tenant_id, subject, found.ids, dry_run=dry_run)
            if not dry_run:
                named = self._seals.subject(tenant_id, subject)
                order = erasing.Order(tenant_id, named, by, self._clock.now())
                await erasing.erase(connection, self._seals, order, found)
                await _redact(connection, rejects)
        cached = await self._forget(tenant_id, subject, found.ids, dry_run=dry_run)
        return Erased(len(found.calls), found.texts, len(rejects), cached, said)

    async def _require(self, connection: AsyncConnection, tenant_id: str) -> None:
        """See that the tenant exists, and has a head to hold the lock of."""
        known = select(tenants.c.tenant_id).where(tenants.c.tenant_id == tenant_id)
        headed = select(lineage_heads.c.seq).where(lineage_heads.c.tenant_id == tenant_id)
        has_head = (await connection.execute(headed)).first() is not None
        if not has_head and (await connection.execute(known)).first() is None:
            raise NotFound(f"no tenant {tenant_id!r}; `sluice tenants list` shows them")
        if not has_head:
            seal = self._seals.head(tenant_id, 0, GENESIS, 0)
            made = insert(lineage_heads).values(
                tenant_id=tenant_id, seq=0, hash=GENESIS, seal=seal, unchained=0
            )
            await connection.execute(made.on_conflict_do_nothing())

    async def _forget(
        self, tenant_id: str, subject: str, calls: list[str], *, dry_run: bool
    ) -> int | None:
        try:
            return await self._cache.forget(tenant_id, subject, calls, dry_run=dry_run)
        except Unavailable:
            _log.warning("the cache is away: run the erasure again, or wait for its entries' end")
            return None


async def _rejects(connection: AsyncConnection, tenant_id: str, subject: str) -> dict[int, str]:
    """Find settlements that were set aside and name the subject; give each without it."""
    forms = {subject, json.dumps(subject)[1:-1], orjson.dumps(subject).decode()[1:-1]}
    found: dict[int, str] = {}
    named = or_(*(ledger_rejects.c.entry.contains(form, autoescape=True) for form in forms))
    query = select(ledger_rejects.c.id, ledger_rejects.c.entry).where(named)
    for row in await connection.execute(query):
        cleaned = _cleaned(row.entry, tenant_id, subject, forms)
        if cleaned is not None:
            found[row.id] = cleaned
    return found


def _cleaned(entry: str, tenant_id: str, subject: str, forms: set[str]) -> str | None:
    """Write an entry without its subject; None when it is another tenant's."""
    try:
        read: object = json.loads(entry)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        # It cannot be read, so nobody can tell whose it is: the words themselves go, and what is
        # sealed, which may hold them too.
        entry = _SEALED.sub("", entry)
        for form in forms:
            entry = entry.replace(form, ERASED)
        return entry
    told = cast("dict[str, Any]", read)
    if told.get("tenant_id") != tenant_id or told.get("subject") != subject:
        return None
    return json.dumps(erasing.impersonal(told))


async def _redact(connection: AsyncConnection, rejects: Mapping[int, str]) -> None:
    for number, entry in rejects.items():
        changed = update(ledger_rejects).where(ledger_rejects.c.id == number)
        await connection.execute(changed.values(entry=entry))
