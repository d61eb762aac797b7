"""What a trace should show, and the port through which it goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment.

    Args:
        name: stable, with dots, such as `sluice.circuit.changed`.
        body: one sentence for people.
        attributes: facts about it, under the `sluice.` namespace; bounded, and never a client's
            content.
    """

    name: str
    body: str
    attributes: Mapping[str, str]


class EventPort(Protocol):
    """Where events go; never waits and never fails the caller."""

    def emit(self, event: Event) -> None:
        """Take an event over."""
        ...
