"""The calls in flight in this worker, by id: how LiteLLM's hooks find the `Call` of the door."""

from collections.abc import Mapping
from typing import Any, Final, cast

from plugins.core.call import Call

CALL_ID: Final = "litellm_call_id"
_in_flight: Final[dict[str, Call]] = {}


def enter(call: Call) -> None:
    """Make a call findable until `leave`."""
    _in_flight[call.id] = call


def leave(call: Call) -> None:
    """Forget a call that has been settled."""
    _in_flight.pop(call.id, None)


def find(data: Mapping[str, Any]) -> Call | None:
    """Find the call that a hook's dictionary belongs to; None for LiteLLM's own inner calls."""
    return _in_flight.get(cast("str", data.get(CALL_ID) or ""))
