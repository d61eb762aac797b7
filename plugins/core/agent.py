"""An agent: a named use of a model, the unit of policy (SPEC section 2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agent:
    """One row of SPEC's table of agents.

    Args:
        name: what a client writes as `model`.
        tiers: model groups in the order in which they are tried; the first is the primary.
    """

    name: str
    tiers: tuple[str, ...]

    def tier_of(self, group: str) -> str:
        """Name the tier that a model group is for this agent: `primary`, `secondary`, ..."""
        names = ("primary", "secondary", "tertiary")
        if group not in self.tiers:
            return "other"
        index = self.tiers.index(group)
        return names[index] if index < len(names) else f"tier-{index + 1}"
