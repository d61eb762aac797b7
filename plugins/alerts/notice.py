"""An alert on its way, and the request that carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from plugins.core.alerts import SEVERITIES, Alert


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert and its times.

    Args:
        alert: what is told.
        at: when this was raised, UTC.
        since: when it began to fire, UTC; the same for one that begins now.
        repeated: it was told before and still fires; not worth a second try.
    """

    alert: Alert
    at: datetime
    since: datetime
    repeated: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Tell which notices must stay in order: those of one name and subject."""
        return self.alert.name, self.alert.subject

    @property
    def rank(self) -> int:
        """Give its place from the gravest (0) down; an unknown severity counts as the least."""
        severity = self.alert.severity
        return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A POST that is about to be made; its address and headers may be secret.

    Args:
        url: whole.
        body: bytes of `application/json`.
        headers: beside the content type.
    """

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class Sender(Protocol):
    """Says how one receiver is told."""

    def request(self, notice: Notice, now: datetime) -> Outgoing | None:
        """Write the request for a notice; None when there is none to make.

        Args:
            notice: what is told.
            now: the moment of this try, UTC.
        """
        ...


def printed(moment: datetime) -> str:
    """Write a moment as RFC 3339 has it, UTC to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
