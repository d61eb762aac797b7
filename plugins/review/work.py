"""A reviewer's work on an item: its texts opened, its decision taken and passed on once."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from plugins.core.errors import Conflict
from plugins.core.vault import Vault
from plugins.review.dossier import Dossier, decoded
from plugins.review.rules import REPLACING, Decision, State
from plugins.review.store import Reviewer, ReviewStore, Taken

_log: Final = logging.getLogger("sluice.review")

Decided = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Told of each decision once it stands, with the item as it is then."""


class Work:
    """Opens items and decides them.

    Args:
        store: the queue.
        vault: opens the texts.
        decided: who is told of decisions; one that fails is logged and does not undo anything.
    """

    def __init__(self, store: ReviewStore, vault: Vault, *decided: Decided) -> None:
        self._store: Final = store
        self._vault: Final = vault
        self._decided: Final = decided

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
            return dossier.output if dossier else None
        if state not in REPLACING or row["answer"] is None:
            return None
        text = await self._vault.open(row["tenant_id"], row["call_id"], bytes(row["answer"]))
        return None if text is None else text.decode()

    async def decide(
        self, who: Reviewer, item_id: str, version: int, decision: Decision, decision_key: str
    ) -> Mapping[str, Any]:
        """Take a decision and pass it on, once; as `ReviewStore.decide`."""
        answer = None
        if decision.text is not None:
            item = await self._store.item(who, item_id)
            answer = await self._vault.seal(
                item["tenant_id"], item["call_id"], decision.text.encode()
            )
            if answer is None:
                raise Conflict(
                    "the texts of this item were erased; it can be approved or rejected only",
                    code="review_erased",
                )
        taken = Taken(decision.state, decision.reason, answer, decision_key)
        row, first = await self._store.decide(who, item_id, version, taken)
        if first:
            for tell in self._decided:
                try:
                    await tell(row)
                except Exception:  # noqa: BLE001 - the decision stands, whoever cannot hear of it
                    _log.exception("the decision about item %s was not passed on", item_id)
        return row
