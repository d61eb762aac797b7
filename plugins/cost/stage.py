"""Prices each call and makes its ledger row durable before the client's last byte."""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from typing_extensions import override

from plugins.core.call import Call
from plugins.core.docket import Docket, NoDocket
from plugins.core.errors import GatewayError, Unavailable
from plugins.core.lineage import NoWitness, Witness
from plugins.core.money import ZERO
from plugins.core.stage import Stage
from plugins.cost.entry import encode
from plugins.cost.rules import REPORTED_NOTES, Price, zero_cost_note
from plugins.cost.store import SettlementLog

_log: Final = logging.getLogger("sluice.ledger")


class LedgerStage(Stage):
    """The ledger's part in every call.

    Args:
        prices: by deployment.
        log: where a settlement becomes durable.
        witness: says what was asked and answered.
        docket: says what of it people shall look at.
    """

    name: str = "ledger"

    def __init__(
        self,
        prices: Mapping[str, Price],
        log: SettlementLog,
        witness: Witness | None = None,
        docket: Docket | None = None,
    ) -> None:
        self._witness: Final = witness or NoWitness()
        self._docket: Final = docket or NoDocket()
        self._prices: Final = prices
        self._settlements: Final = log

    def _wasted_usd(self, call: Call) -> Decimal:
        """Price what tries consumed whose answers were not given."""
        wasted = ((self._prices.get(a.deployment), a.usage) for a in call.attempts)
        return sum((price.of(usage) for price, usage in wasted if price and usage), ZERO)

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Price the call and append its row; a row that costs nothing without reason is said."""
        price = self._prices.get(call.deployment or "")
        if price is not None:
            call.cost_usd = price.of(call.usage)
        call.cost_usd += self._wasted_usd(call)
        call.cost_note = zero_cost_note(price, call.usage, call.cost_usd)
        if call.cost_note in REPORTED_NOTES:
            _log.warning(
                "call %s on %s consumed tokens and costs nothing (%s): add its price under"
                " `sluice.prices`",
                call.id,
                call.deployment,
                call.cost_note,
            )
        try:
            review = await self._docket.item(call)
            await self._settlements.append(encode(call, await self._evidence(call), review))
        except Exception:  # noqa: BLE001 - see below
            # Neither Redis nor the disk took it, or it could not be written at all: whatever the
            # reason, an answer without its row is not given.
            _log.critical("call %s cannot be recorded", call.id, exc_info=True)
            return Unavailable(
                "the answer could not be entered in the ledger and is not given; try again",
                code="ledger_unavailable",
                retry_after_s=5,
            )
        return None

    async def _evidence(self, call: Call) -> Mapping[str, Any]:
        """Ask what was said; a witness that fails costs the row its digests, never the row."""
        try:
            return await self._witness.evidence(call)
        except Exception:  # noqa: BLE001 - bookkeeping of one kind must not undo the other
            _log.exception("call %s is recorded without digests", call.id)
            return {}
