"""One sender's bounded queue: grave before old, and in order within a subject. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from plugins.alerts.notice import Notice


@dataclass(slots=True, eq=False)
class Waiting:
    """A notice that waits for its try.

    Args:
        notice: what is told.
        due_s: monotonic seconds before which it is not tried.
        tried: how often it has been.
    """

    notice: Notice
    due_s: float = 0.0
    tried: int = 0


class Pending:
    """What one sender has yet to deliver, oldest first.

    Args:
        size: how many at most.
    """

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._waiting: Final[list[Waiting]] = []

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """Give what waits, oldest first."""
        return iter(self._waiting)

    def push(self, notice: Notice) -> Notice | None:
        """Take a notice in.

        Returns:
            The one that had to go for it: the oldest of the least grave, which may be itself.
        """
        self._waiting.append(Waiting(notice))
        if len(self._waiting) <= self._size:
            return None
        dropped = max(self._waiting, key=lambda waiting: waiting.notice.rank)
        self._waiting.remove(dropped)
        return dropped.notice

    def due(self, now_s: float) -> Waiting | None:
        """Give the oldest that may be tried now.

        One that waits holds back what came later of the same name and subject, and nothing else.
        """
        return next((waiting for waiting in self._heads() if waiting.due_s <= now_s), None)

    def next_due_s(self) -> float | None:
        """Give the monotonic second at which the first may be tried; None when none waits."""
        return min((waiting.due_s for waiting in self._heads()), default=None)

    def _heads(self) -> Iterator[Waiting]:
        seen: set[tuple[str, str]] = set()
        for waiting in self._waiting:
            if waiting.notice.key not in seen:
                seen.add(waiting.notice.key)
                yield waiting

    def remove(self, waiting: Waiting) -> None:
        """Forget one that is delivered or given up; it may have been dropped meanwhile."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def holds(self, key: tuple[str, str]) -> bool:
        """Tell whether anything of this name and subject waits."""
        return any(waiting.notice.key == key for waiting in self._waiting)
