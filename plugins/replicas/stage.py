"""Has a failed call tried on another replica, and learns from the calls how the replicas are."""

from collections.abc import Callable
from typing import Final

from typing_extensions import override

from plugins.core.call import Attempt, Call
from plugins.core.errors import GatewayError, Unavailable
from plugins.core.stage import Stage
from plugins.replicas.board import Board


class ReplicasStage(Stage):
    """The replicas' part in every call.

    Args:
        board: what this worker knows.
        is_servers_fault: tells of a failed attempt whether it speaks against the server.
    """

    name: str = "replicas"

    def __init__(self, board: Board, is_servers_fault: Callable[[Attempt], bool]) -> None:
        self._board: Final = board
        self._is_servers_fault: Final = is_servers_fault

    @override
    async def prepare(self, call: Call) -> GatewayError | None:
        """Name each tier once for each of its replicas, so that one may stand in for another."""
        call.tiers = tuple(
            group for group in call.tiers for _ in range(max(self._board.replicas_of(group), 1))
        )

    @override
    async def route(self, call: Call, group: str) -> GatewayError | None:
        """Try a group again only after a fault of a server's, and on another one that is up."""
        failed = [a for a in call.attempts if a.group == group and a.error_class is not None]
        if not failed:
            return None
        if all(map(self._is_servers_fault, failed)) and self._board.has_another(call, group):
            return None
        return Unavailable(
            f"no other server of {group!r} is there to try; try again later",
            code="replicas_unavailable",
            retry_after_s=1,
        )

    @override
    async def attempt(self, call: Call, attempt: Attempt) -> None:
        """Count the call as in flight."""
        self._board.began(attempt.deployment)

    @override
    async def attempt_ended(self, call: Call, attempt: Attempt) -> None:
        """Count it no more; a replica that failed is avoided until it answers again."""
        self._board.ended(attempt.deployment)
        if attempt.error_class is None:
            self._board.answered(attempt.deployment)
        elif self._is_servers_fault(attempt):
            self._board.lost(attempt.deployment)

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Count no attempt on that nobody ended: a call that is over is in flight nowhere."""
        for attempt in call.attempts:
            if attempt.ended_s is None:
                self._board.ended(attempt.deployment)
