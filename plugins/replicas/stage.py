"""Learns from the calls themselves: which replica has them, and which one failed."""

from collections.abc import Callable
from typing import Final

from typing_extensions import override

from plugins.core.call import Attempt, Call
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage
from plugins.replicas.board import Board


class ReplicasStage(Stage):
    """The replicas' part in every call.

    Args:
        board: what this worker knows.
        is_servers_fault: tells by its HTTP status whether a failed attempt speaks against the
            server.
    """

    name: str = "replicas"

    def __init__(self, board: Board, is_servers_fault: Callable[[int | None], bool]) -> None:
        self._board: Final = board
        self._is_servers_fault: Final = is_servers_fault

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
        elif self._is_servers_fault(attempt.status):
            self._board.lost(attempt.deployment)

    @override
    async def settle(self, call: Call) -> GatewayError | None:
        """Count no attempt on that nobody ended: a call that is over is in flight nowhere."""
        for attempt in call.attempts:
            if attempt.ended_s is None:
                self._board.ended(attempt.deployment)
