"""Tells tenants' webhooks what became of held answers: signed, at least once, until given up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from plugins.core.alerts import Alert, AlertPort
from plugins.core.clock import Clock
from plugins.core.metrics import Metrics
from plugins.core.signing import SIGNATURE, TIMESTAMP, derived_secret, sign
from plugins.review.families import DELIVERIES
from plugins.review.outbox import Due, Outbox
from plugins.review.work import Work
from plugins.store.database import described

IDLE_S: Final = 2.0
AT_ONCE: Final = 16
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 600.0
UNDELIVERED: Final = "review_answer_undelivered"

_log: Final = logging.getLogger("sluice.review")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered.

    Args:
        status: of HTTP; None when no answer came.
        error: why not, in a few words that name no address.
    """

    status: int | None
    error: str = ""

    @property
    def arrived(self) -> bool:
        """Tell whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def why(self) -> str:
        """Say why it has not."""
        return self.error or f"status {self.status}"


Carrier = Callable[[str, bytes, Mapping[str, str]], Awaitable[Reply]]
"""Posts a body with headers to an address, following no redirect; never raises for an outage."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One worker's part in emptying the outbox.

    Args:
        outbox: what is to be told.
        work: opens the texts.
        carry: makes requests.
        secret: the installation's; the webhooks' own secrets are made of it.
        alerts: told of what is given up.
        metrics: where tries are counted.
        clock: dates the signatures.
        chance: uniform in [0, 1); spreads tries.
        patience_s: seconds after a decision in which its delivery is tried.
    """

    outbox: Outbox
    work: Work
    carry: Carrier
    secret: str
    alerts: AlertPort
    metrics: Metrics
    clock: Clock
    chance: Callable[[], float]
    patience_s: float

    async def run(self) -> None:
        """Deliver for ever; an outage is said once when it begins and once when it ends."""
        away = False
        while True:
            try:
                moved = await self.step()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any outage
                if not away:
                    _log.warning("held answers wait to be delivered: %s", described(error))
                away, moved = True, 0
            else:
                if away:
                    _log.warning("held answers are delivered again")
                away = False
            if not moved:
                await asyncio.sleep(IDLE_S)

    async def step(self) -> int:
        """Try everything once that is due, one of each tenant's; gives how many that were.

        Raises:
            Unavailable: when PostgreSQL is away.
        """
        claimed = await self.outbox.claim(AT_ONCE)
        await asyncio.gather(*map(self._deliver, claimed))
        return len(claimed)

    async def _deliver(self, due: Due) -> None:
        if due.url is None or due.salt is None:
            await self.outbox.give_up(due, "the tenant has no webhook any more")
            self.metrics.add(DELIVERIES, "given_up")
            return
        reply = await self._try(due, due.url, due.salt)
        if reply.arrived:
            await self.outbox.delivered(due)
            self.metrics.add(DELIVERIES, "delivered")
            return
        pause_s = pause_after(due.tries, self.chance())
        if due.age_s + pause_s <= self.patience_s:
            await self.outbox.again(due, pause_s, reply.why)
            self.metrics.add(DELIVERIES, "again")
            return
        await self.outbox.give_up(due, reply.why)
        self._tell(due, reply)

    async def _try(self, due: Due, url: str, salt: bytes) -> Reply:
        try:
            body = await self._body(due)
            timestamp = str(int(self.clock.now().timestamp()))
            secret = derived_secret(self.secret, due.tenant_id, salt)
            headers = {SIGNATURE: sign(secret, timestamp, body), TIMESTAMP: timestamp}
            return await self.carry(url, body, headers)
        except Exception as error:  # noqa: BLE001 - also what always fails comes to an end
            _log.exception("review %s cannot be delivered", due.item["id"])
            return Reply(None, f"the gateway failed ({type(error).__name__})")

    async def _body(self, due: Due) -> bytes:
        item = due.item
        decision: dict[str, str] = item["decision"]
        return orjson.dumps(
            {
                "review_id": item["id"],
                "call_id": item["call_id"],
                "state": item["state"],
                "text": await self.work.released(item),
                "reason": decision["reason"] or None,
                "decided_at": item["decided_at"],
            },
            option=orjson.OPT_UTC_Z,
        )

    def _tell(self, due: Due, reply: Reply) -> None:
        self.metrics.add(DELIVERIES, "given_up")
        _log.error(
            "review %s was not delivered to tenant %s's webhook in %d tries: %s",
            due.item["id"],
            due.tenant_id,
            due.tries,
            reply.why,
        )
        self.alerts.send(
            Alert(
                name=UNDELIVERED,
                subject=due.tenant_id,
                summary=f"A reviewer's decision did not reach tenant {due.tenant_id}: {reply.why}",
                severity="high",
                momentary=True,
                labels={"tenant": due.tenant_id},
            )
        )


def pause_after(tries: int, chance: float) -> float:
    """Give the seconds until the next try: doubled each time, half of it up to chance.

    Args:
        tries: how often it has been tried, at least 1.
        chance: uniform in [0, 1).
    """
    longest = min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 32), LONGEST_PAUSE_S)
    return longest * (1.0 - 0.5 * chance)
