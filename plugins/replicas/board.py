"""What one worker knows of its replicas."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plugins.core.call import Call
from plugins.replicas.rules import STALE_S, Reach, Reading, Replica, choose

WANTED_S: Final = 60.0
"""For so long after somebody has asked for the figures they are kept fresh for everybody."""


@dataclass(slots=True)
class _Known:
    group: str
    reading: Reading | None = None
    read_at_s: float = -STALE_S * 2
    heard_at_s: float = -STALE_S * 2
    away: bool = False
    in_flight: int = 0
    in_flight_then: int = 0


class Board:
    """One worker's view of all deployments, kept by the scraper and by the calls themselves.

    Args:
        groups: the model group of each deployment, by its id.
        now_s: monotonic seconds.
        chance: uniform in [0, 1).
    """

    def __init__(
        self,
        groups: Mapping[str, str],
        now_s: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._known: Final = {name: _Known(group) for name, group in groups.items()}
        self._now_s: Final = now_s
        self._chance: Final = chance
        self._wanted_s = -WANTED_S * 2
        self._counts: Final[dict[str, int]] = {}
        for group in groups.values():
            self._counts[group] = self._counts.get(group, 0) + 1

    def replicas_of(self, group: str) -> int:
        """Tell how many deployments a model group has: as often may a call be tried on it."""
        return self._counts.get(group, 0)

    def choose(self, call: Call, deployments: Sequence[str]) -> str | None:
        """Choose the deployment for a call's next attempt.

        Args:
            call: its attempts so far say which replicas have failed it.
            deployments: ids that may be taken, all of one group.

        Returns:
            One of them, or None when nothing is known of any.
        """
        known = [self._replica(name) for name in deployments if name in self._known]
        return choose(known, failed_by(call), self._chance)

    def has_another(self, call: Call, group: str) -> bool:
        """Tell whether a group has a replica that may be up and has not failed this call."""
        failed = failed_by(call)
        return any(
            name not in failed and self._replica(name).reach is not Reach.AWAY
            for name, known in self._known.items()
            if known.group == group
        )

    def other_is_well(self, deployment: str) -> bool:
        """Tell whether another replica of the same group can be reached.

        A failure is then one server's and not the whole provider's.
        """
        known = self._known.get(deployment)
        return known is not None and any(
            name != deployment
            and other.group == known.group
            and self._replica(name).reach is Reach.WELL
            for name, other in self._known.items()
        )

    def loads(self) -> dict[str, Replica]:
        """Give what is known of every deployment, by id, and keep it fresh for the next minute."""
        self._wanted_s = self._now_s()
        return {name: self._replica(name) for name in self._known}

    def wanted(self, deployments: Collection[str]) -> list[str]:
        """Name those of the given deployments whose figures somebody needs now."""
        asked_for = self._now_s() - self._wanted_s < WANTED_S
        return [
            name
            for name in deployments
            if asked_for or self.replicas_of(self._known[name].group) > 1
        ]

    def began(self, deployment: str) -> None:
        """Note that a call of this worker goes to a deployment."""
        if deployment in self._known:
            self._known[deployment].in_flight += 1

    def ended(self, deployment: str) -> None:
        """Note that a call of this worker has ended, well or not."""
        known = self._known.get(deployment)
        if known is not None:
            known.in_flight = max(known.in_flight - 1, 0)

    def answered(self, deployment: str) -> None:
        """Note that a deployment answered a call."""
        known = self._known.get(deployment)
        if known is not None:
            known.heard_at_s, known.away = self._now_s(), False

    def lost(self, deployment: str) -> None:
        """Note that a deployment did not answer; it is avoided until it does again."""
        known = self._known.get(deployment)
        if known is not None:
            known.heard_at_s, known.away, known.reading = self._now_s(), True, None

    def silent(self, deployment: str) -> None:
        """Note that a server took too long to tell its figures.

        That is no proof, since a busy server, or this worker, may be slow: only one of which
        nothing was heard for three seconds, or that was away before, is taken to be lost.
        """
        known = self._known[deployment]
        if known.away or self._now_s() - known.heard_at_s > STALE_S:
            self.lost(deployment)

    def read(self, deployment: str, reading: Reading | None) -> None:
        """Note a server's figures; None when it answered without any that can be used."""
        known = self._known[deployment]
        known.reading, known.read_at_s = reading, self._now_s()
        known.in_flight_then = known.in_flight
        known.heard_at_s, known.away = known.read_at_s, False

    def _replica(self, name: str) -> Replica:
        known = self._known[name]
        now_s = self._now_s()
        believed = known.reading if now_s - known.read_at_s <= STALE_S else None
        # What was heard long ago says nothing, good or bad: one that is asked by nobody gets its
        # chance again.
        heard = now_s - known.heard_at_s <= STALE_S
        reach = (Reach.AWAY if known.away else Reach.WELL) if heard else Reach.UNKNOWN
        return Replica(
            deployment=name,
            reach=reach,
            reading=believed,
            in_flight=known.in_flight,
            in_flight_then=known.in_flight_then,
        )


def failed_by(call: Call) -> frozenset[str]:
    """Name the deployments that have failed this very call."""
    return frozenset(a.deployment for a in call.attempts if a.error_class is not None)
