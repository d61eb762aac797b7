"""What people are told of at once, and the port through which it goes."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Alert:
    """Something an operator should act on, or that it is over.

    Args:
        name: stable, the same for every occurrence; alerts of one name and subject are one.
        subject: what it is about, such as a provider.
        summary: one sentence for people.
        severity: `critical`, `high` or `medium`.
        resolved: tells that it is over.
        labels: more facts, short and bounded.
    """

    name: str
    subject: str
    summary: str
    severity: str
    resolved: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])


class AlertPort(Protocol):
    """Where alerts go; never waits and never fails the caller."""

    def send(self, alert: Alert) -> None:
        """Take an alert over."""
        ...
