"""The `/_practice/` routes: program faults, read the journal, start afresh.

| route | does |
|---|---|
| `POST /_practice/faults` | replaces the faults of one provider (`faults.Order`) |
| `GET /_practice/faults` | lists faults with their counters, and closed ports |
| `DELETE /_practice/faults?provider=NAME` | clears one provider's faults, or all |
| `GET /_practice/requests?since=N` | requests numbered after N, oldest first |
| `GET /_practice/stats` | counts per provider since the last reset |
| `POST /_practice/reset` | clears faults, journal, counts and seen prefixes |
"""

import ipaddress
import time
from typing import TypeVar, cast
from urllib.parse import parse_qs

import msgspec

from selfhosted.practice.asgi import Scope
from selfhosted.practice.faults import Fault, Order, Refuse
from selfhosted.practice.state import State
from selfhosted.practice.wire import Refused, Whole, field_of, to_json

_T = TypeVar("_T")
_order_decoder = msgspec.json.Decoder(Order)
_fault_decoder: "msgspec.json.Decoder[Fault]" = msgspec.json.Decoder(Fault)


class Admin:
    """Answers the admin routes.

    Args:
        state: what the routes read and change.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def answer(self, scope: Scope, path: str, body: bytes) -> Whole:
        """Answer one admin request; errors are `{"error": ..., "field": ...}`."""
        if not is_loopback(scope.get("client")):
            message = "the /_practice/ routes answer to loopback clients only"
            return to_json({"error": message, "field": None}, 403)
        try:
            query = parse_qs(str(scope["query_string"], "latin-1"))
            one = {name: values[-1] for name, values in query.items()}
            return await self._route(f"{scope['method']} {path}", one, body)
        except Refused as fault:
            return to_json({"error": fault.message, "field": fault.param}, fault.status)

    async def _route(self, what: str, query: dict[str, str], body: bytes) -> Whole:
        match what:
            case "POST faults":
                await self._program(body)
                return to_json(self._faults())
            case "GET faults":
                return to_json(self._faults())
            case "DELETE faults":
                await self._state.clear_faults(self._named(query.get("provider")))
                return to_json(self._faults())
            case "GET requests":
                return self._requests(query.get("since", "0"))
            case "GET stats":
                return self._stats()
            case "POST reset":
                await self._reset()
                return to_json({"reset": True})
            case _:
                raise Refused(404, f"no admin route: {what}")

    async def _program(self, body: bytes) -> None:
        order = _read(_order_decoder, body)
        (name,) = self._named(order.provider)
        faults = [_read(_fault_decoder, raw, f"faults[{i}]") for i, raw in enumerate(order.faults)]
        refusals = [(i, f) for i, f in enumerate(faults) if isinstance(f, Refuse)]
        listener = self._state.listeners.get(name)
        if refusals and listener is None:
            raise Refused(
                400,
                f"'refuse' needs a port of the provider's own: start with --port-{name} PORT",
                param=f"faults[{refusals[0][0]}].kind",
            )
        _check_ranges(faults)
        await self._state.clear_faults([name])
        self._state.programmes[name].load(faults)
        if refusals and listener is not None:
            await listener.refuse(refusals[0][1].for_s)

    def _named(self, provider: str | None) -> list[str]:
        known = self._state.providers
        if provider is None:
            return known
        if provider not in known:
            raise Refused(
                400,
                f"no provider {provider!r}; there are {', '.join(known)}",
                param="provider",
            )
        return [provider]

    def _faults(self) -> dict[str, object]:
        return {
            name: {
                "faults": programme.listing(),
                "port": listener.address[1] if listener else None,
                "refusing": listener is not None and not listener.open,
            }
            for name, programme in self._state.programmes.items()
            for listener in [self._state.listeners.get(name)]
        }

    def _requests(self, since: str) -> Whole:
        if not since.isdigit():
            raise Refused(400, f"since must be a number from 0, not {since!r}", param="since")
        journal = self._state.journal
        return to_json({"last": journal.last, "requests": journal.since(int(since))})

    def _stats(self) -> Whole:
        journal = self._state.journal
        return to_json(
            {
                "uptime_s": round(time.monotonic() - self._state.started_s, 3),
                "in_flight": journal.in_flight.total(),
                "last": journal.last,
                "providers": journal.counts(),
                "tokens": self._state.tokens,
            }
        )

    async def _reset(self) -> None:
        await self._state.clear_faults(self._state.providers)
        self._state.journal.clear()
        self._state.prefixes.clear()
        for counts in self._state.tokens.values():
            counts.clear()


def _read(
    decoder: "msgspec.json.Decoder[_T]", body: bytes | msgspec.Raw, prefix: str | None = None
) -> _T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as fault:
        field = ".".join(filter(None, (prefix, field_of(str(fault)))))
        raise Refused(400, str(fault), param=field or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused(400, f"the body is no JSON: {fault}") from None


def _check_ranges(faults: list[Fault]) -> None:
    for i, fault in enumerate(faults):
        low, high = getattr(fault, "low_ms", 0.0), getattr(fault, "high_ms", 0.0)
        if low > high:
            raise Refused(
                400, f"low_ms {low:g} is over high_ms {high:g}", param=f"faults[{i}].low_ms"
            )


def is_loopback(client: object) -> bool:
    """Tell whether a peer's address is this machine's own."""
    if not isinstance(client, tuple) or not client:
        return False
    try:
        address = ipaddress.ip_address(str(cast("tuple[object, ...]", client)[0]))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
