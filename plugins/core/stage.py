"""What a feature implements: the phases of a call's way that it needs.

A phase returns None to let the call go on, or a `GatewayError` to refuse it. One instance serves
every call: `self` holds collaborators, the `Call` holds the state.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from plugins.core.answer import Answer, Fate, Mended
from plugins.core.call import Attempt, Call, Recalled
from plugins.core.errors import GatewayError


class Phase(StrEnum):
    """The phases of a call, in order; each names the method of `Stage` that it runs."""

    ADMIT = "admit"
    PREPARE = "prepare"
    RESERVE = "reserve"
    CHECK_INPUT = "check_input"
    RECALL = "recall"
    ROUTE = "route"
    SHAPE = "shape"
    ATTEMPT = "attempt"
    ATTEMPT_ENDED = "attempt_ended"
    CONFIRM = "confirm"
    LISTEN = "listen"
    JUDGE = "judge"
    CHECK_OUTPUT = "check_output"
    CHECK_CHUNK = "check_chunk"
    SETTLE = "settle"
    OBSERVE = "observe"


class Stage:
    """A feature's part in every call; override the phases that it needs.

    Args:
        name: the word by which `proxy_config.yaml` switches it on.
        last: it comes after all others, also those that `assembly.py` does not know.
    """

    name: str = ""
    last: bool = False

    async def admit(self, call: Call) -> GatewayError | None:
        """Decide, before the host sees the call, whether it may enter."""

    async def prepare(self, call: Call) -> GatewayError | None:
        """Settle which model groups are tried (`call.tiers`) and with which parameters."""

    async def reserve(self, call: Call) -> GatewayError | None:
        """Take from what is shared, or look up what is kept, in one round trip.

        All stages' `reserve` run at the same time, so that what they send to Redis travels
        together. A stage must bear being told in `settle` that another one refused.
        """

    async def check_input(self, call: Call) -> GatewayError | None:
        """Judge what the client sent."""

    async def recall(self, call: Call) -> Recalled | None:
        """Give an answer that is known already, so that no provider is asked."""

    async def route(self, call: Call, group: str) -> GatewayError | None:
        """Decide whether a model group is tried now; asked before each try.

        Returns:
            None to try it, or why it is left out: the next tier is asked then, and the client
            hears of it only when none is left.
        """

    def shape(self, call: Call, group: str, body: dict[str, Any]) -> None:
        """Change the body that a model group is about to be sent.

        Args:
            call: its own body stays as the client sent it.
            group: the model group.
            body: of this try alone; nested values are shared with the call and must be replaced,
                never changed.
        """

    async def attempt(self, call: Call, attempt: Attempt) -> None:
        """Learn that a deployment is about to be tried."""

    async def attempt_ended(self, call: Call, attempt: Attempt) -> None:
        """Learn how one attempt ended; called exactly once for each attempt."""

    async def confirm(self, call: Call) -> GatewayError | None:
        """Give the outcome of what `check_input` began to run beside the provider.

        Awaited once, before the client is given the first of an answer that a provider wrote.

        Returns:
            None to let the answer go, or a refusal in its place.
        """

    def keeps_back(self, call: Call) -> int | None:
        """Tell how much of a stream's text must be held back for this stage.

        Returns:
            Characters behind which the client lags; 0 for none; None for the whole answer: it is
            given only when all of it has been judged. Each stage is asked once, before the first
            text.
        """
        return 0

    def listen(self, call: Call, text: str, new: int) -> GatewayError | None:
        """Hear the text of a running stream, before the client is given its end.

        Args:
            call: that is answered.
            text: of the first choice, as far as it has come, or at least its last 4,096
                characters.
            new: how many characters at its end have not been heard before.

        Returns:
            None to let it run, or a refusal that ends the stream (`content_filter`).
        """

    async def judge(self, call: Call, answer: Answer) -> GatewayError | Fate | Mended | None:
        """Judge what a model wrote, when it is whole and the client lacks at least its end.

        Runs on every endpoint whose answer is text, stream or not, before `check_output` sees the
        whole answer; not for answers that are recalled: what was judged good was kept. All judges
        are asked, in order, each after those before it have mended; a refusal ends the round.

        Args:
            call: that is answered; `call.findings`, `call.signals` and `call.verdict` say what was
                found before.
            answer: what was written.

        Returns:
            None to let it go; a refusal; what is to be done with it; or the same answer mended,
            which a stream whose text the client has already (`keeps_back`) cannot take.
        """

    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        """Judge a whole answer, in the client's wire format.

        Returns:
            None to deliver it as it is, other bytes to deliver instead, or a refusal.
        """

    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        """Judge one server-sent event of a running stream, in the client's wire format.

        Returns:
            None to deliver it as it is, other bytes instead (empty to hold it back), or a
            refusal that ends the stream.
        """

    async def settle(self, call: Call) -> GatewayError | None:
        """Make the outcome durable; the client's last byte waits for it.

        Returns:
            None once it is, or a refusal: an answer that cannot be recorded is not given.
        """

    async def observe(self, call: Call) -> None:
        """Do what may be done after the client has its answer."""


def implements(stage: Stage, phase: Phase) -> bool:
    """Tell whether a stage has a phase of its own."""
    return getattr(type(stage), phase.value) is not getattr(Stage, phase.value)


@dataclass(frozen=True, slots=True)
class Rota:
    """Which stages have which phase, in order: worked out once, not for every call."""

    admit: tuple[Stage, ...]
    prepare: tuple[Stage, ...]
    reserve: tuple[Stage, ...]
    check_input: tuple[Stage, ...]
    recall: tuple[Stage, ...]
    route: tuple[Stage, ...]
    shape: tuple[Stage, ...]
    attempt: tuple[Stage, ...]
    attempt_ended: tuple[Stage, ...]
    confirm: tuple[Stage, ...]
    listen: tuple[Stage, ...]
    judge: tuple[Stage, ...]
    check_output: tuple[Stage, ...]
    check_chunk: tuple[Stage, ...]
    settle: tuple[Stage, ...]
    observe: tuple[Stage, ...]


@lru_cache(maxsize=16)
def rota_of(stages: tuple[Stage, ...]) -> Rota:
    """Give the rota of these stages."""
    return Rota(*(tuple(s for s in stages if implements(s, phase)) for phase in Phase))
