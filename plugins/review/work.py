"""A reviewer's work on an item: its texts opened, its decision taken and passed on once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from plugins.core.errors import Conflict, GatewayError, Unavailable
from plugins.core.metrics import Metrics
from plugins.core.review import Reason
from plugins.core.vault import Vault
from plugins.review.dossier import Dossier, decoded
from plugins.review.families import DECIDED_AFTER, DECISIONS
from plugins.review.rules import REPLACING, Decision, State
from plugins.review.store import Reviewer, ReviewStore, Taken
from plugins.store.database import described

EVERY_S: Final = 5.0
AT_ONCE: Final = 50
LET_BE: Final = timedelta(seconds=5)
"""A decision of this age has been passed on by who took it, if ever."""

_log: Final = logging.getLogger("sluice.review")

Decided = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Told of each decision once it stands, with the item as it is then."""


class Work:
    """Opens items and decides them.

    Args:
        store: the queue.
        vault: opens the texts.
        decided: who is told of decisions; one that fails is told again by `catch_up`.
        metrics: where decisions are counted.
    """

    def __init__(
        self,
        store: ReviewStore,
        vault: Vault,
        *decided: Decided,
        metrics: Metrics,
    ) -> None:
        self._store: Final = store
        self._vault: Final = vault
        self._decided: Final = decided
        self._metrics: Final = metrics

    async def read(self, row: Mapping[str, Any]) -> Dossier | None:
        """Open an item's texts; None when they have been erased or cannot be read."""
        sealed = row["payload"]
        if sealed is None:
            return None
        text = await self._vault.open(row["tenant_id"], row["call_id"], bytes(sealed))
        if text is None:
            return None
        try:
            return decoded(text)
        except msgspec.DecodeError:
            _log.exception("the texts of review item %s cannot be read", row["id"])
            return None

    async def released(self, row: Mapping[str, Any]) -> str | None:
        """Give the answer that may be used after the decision; None while there is none."""
        state = State(row["state"])
        if state is State.APPROVED:
            dossier = await self.read(row)
            return dossier.output if dossier and not dossier.output_cut else None
        if state not in REPLACING or row["answer"] is None:
            return None
        text = await self._vault.open(row["tenant_id"], row["call_id"], bytes(row["answer"]))
        return None if text is None else text.decode()

    async def decide(
        self, who: Reviewer, item_id: str, version: int, decision: Decision, decision_key: str
    ) -> Mapping[str, Any]:
        """Take a decision and pass it on, once; as `ReviewStore.decide`."""
        answer = None
        if decision.text is not None or decision.state is State.APPROVED:
            item = await self._store.item(who, item_id)
            if decision.text is not None:
                answer = await self._sealed(item, decision.text)
            elif item["holds"]:
                await self._require_whole(item)
        taken = Taken(decision.state, decision.reason, answer, decision_key)
        row, first = await self._store.decide(who, item_id, version, taken)
        if first:
            self._count(row)
            await self._tell(row)
        return row

    async def catch_up(self) -> int:
        """Tell of decisions that nobody has heard of: who took them died, or could not be heard.

        Whoever is told must take what it has heard before for the same.

        Returns:
            How many were told now.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        told = 0
        for row in await self._store.unstated(AT_ONCE, LET_BE):
            told += await self._tell(row)
        return told

    async def run(self) -> None:
        """Catch up for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.catch_up()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                _log.warning("decisions wait to become feedback: %s", described(error))

    async def _tell(self, row: Mapping[str, Any]) -> bool:
        for tell in self._decided:
            try:
                await tell(row)
            except Exception as error:  # noqa: BLE001 - the decision stands, whoever cannot hear of it
                final = isinstance(error, GatewayError) and not isinstance(error, Unavailable)
                _log.warning(
                    "the decision about item %s is %s: %s",
                    row["id"],
                    "not passed on" if final else "passed on later",
                    described(error),
                )
                if not final:
                    return False
        try:
            await self._store.mark_stated(row["id"])
        except Unavailable:
            return False
        return True

    async def _sealed(self, item: Mapping[str, Any], text: str) -> bytes:
        sealed = None
        if item["erased_at"] is None:
            sealed = await self._vault.seal(item["tenant_id"], item["call_id"], text.encode())
        if sealed is None:
            raise Conflict(
                "the texts of this item were erased; it can be approved or rejected only",
                code="review_erased",
            )
        return sealed

    async def _require_whole(self, item: Mapping[str, Any]) -> None:
        """See that what somebody waits for is there to be given."""
        dossier = await self.read(item)
        if dossier is not None and dossier.output_cut:
            raise Conflict(
                "the output is too long to be kept whole and cannot be given as it is; edit it, or"
                " reject it",
                code="review_output_cut",
            )

    def _count(self, row: Mapping[str, Any]) -> None:
        took_s = (row["decided_at"] - row["created_at"]).total_seconds()
        gravest = next((reason for reason in Reason if reason in row["reasons"]), Reason.FLAG)
        self._metrics.add(DECISIONS, row["state"])
        self._metrics.observe(DECIDED_AFTER, max(took_s, 0.0), gravest.value)
