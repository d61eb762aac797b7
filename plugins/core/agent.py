"""An agent: a named use of a model, the unit of policy (SPEC section 2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long one try of a provider may be silent; then the next tier is asked. Seconds.

    Args:
        connect_s: until a connection stands, also where packets are dropped without a word.
        first_byte_s: of a stream, until its first byte.
        between_chunks_s: of a stream, from one piece to the next.
        answer_s: of an answer in one piece, until it is whole.
    """

    connect_s: float = 2.0
    first_byte_s: float = 15.0
    between_chunks_s: float = 15.0
    answer_s: float = 90.0

    @property
    def longest_s(self) -> float:
        """Give the longest of them."""
        return max(self.connect_s, self.first_byte_s, self.between_chunks_s, self.answer_s)


@dataclass(frozen=True, slots=True)
class Agent:
    """One row of SPEC's table of agents.

    Args:
        name: what a client writes as `model`.
        tiers: model groups in the order in which they are tried; the first is the primary.
        time_limits: its own; None for those of the policy.
    """

    name: str
    tiers: tuple[str, ...]
    time_limits: TimeLimits | None = None

    def tier_of(self, group: str) -> str:
        """Name the tier that a model group is for this agent: `primary`, `secondary`, ..."""
        names = ("primary", "secondary", "tertiary")
        if group not in self.tiers:
            return "other"
        index = self.tiers.index(group)
        return names[index] if index < len(names) else f"tier-{index + 1}"
