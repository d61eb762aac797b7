"""Which calls are drawn at random for a person to look at (SPEC 5.3). Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from plugins.core.call import Call, Endpoint, Outcome

SAMPLED: Final = frozenset(
    {
        Endpoint.CHAT,
        Endpoint.COMPLETIONS,
        Endpoint.RESPONSES,
        Endpoint.MESSAGES,
        Endpoint.TRANSCRIPTIONS,
    }
)
"""Endpoints whose answer is text."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How many calls are drawn.

    Args:
        share: of all answered calls, 0..1.
        agents: the share of agents that have another.
    """

    share: float = 0.0
    agents: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def is_empty(self) -> bool:
        """Tell whether no call can ever be drawn."""
        return not self.share and not any(self.agents.values())

    def may_draw(self, call: Call) -> bool:
        """Tell whether a call is drawn if it is answered.

        The same call is drawn by every worker or by none. What a check asks for on behalf of
        another call is never drawn.
        """
        if call.inner or call.endpoint not in SAMPLED:
            return False
        share = self.agents.get(call.agent_name or "", self.share)
        return share > 0 and chance_of(call.id) < share

    def draws(self, call: Call) -> bool:
        """Tell whether a call that has ended is drawn."""
        return call.outcome is Outcome.ANSWERED and self.may_draw(call)


def chance_of(call_id: str) -> float:
    """Give a number in [0, 1), uniform over calls and always the same for one."""
    told = hashlib.sha256(b"sluice review sample v1\n" + call_id.encode()).digest()
    return (int.from_bytes(told[:8], "big") >> 11) / 2**53
