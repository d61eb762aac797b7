"""What people are told of at once, and the port through which it goes."""

from dataclasses import dataclass, field
from typing import Final, Protocol

SEVERITIES: Final = ("critical", "high", "medium")
"""From the gravest down (SPEC 9.3)."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something an operator should act on, or that it is over.

    Args:
        name: stable, the same for every occurrence; alerts of one name and subject are one.
        subject: what it is about, such as a provider.
        summary: one sentence for people.
        severity: `critical`, `high` or `medium`.
        resolved: tells that it is over.
        momentary: it has happened and is over; nobody will say that it is resolved.
        labels: more facts, short and bounded.
    """

    name: str
    subject: str
    summary: str
    severity: str
    resolved: bool = False
    momentary: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def state(self) -> str:
        """Name the state: `firing` or `resolved`."""
        return "resolved" if self.resolved else "firing"


class AlertPort(Protocol):
    """Where alerts go; never waits and never fails the caller."""

    def send(self, alert: Alert) -> None:
        """Take an alert over."""
        ...
