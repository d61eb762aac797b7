"""Hears the answers of calls that may be drawn for review; no others are listened to."""

from typing import Final

from typing_extensions import override

from plugins.core.call import Call
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage
from plugins.review.docket import HEARD, Heard
from plugins.review.sampling import Sample


class ReviewStage(Stage):
    """The random sample's part in every call; after those that may change an answer.

    Args:
        sample: which calls are drawn.
        most: bytes of an answer that are kept until it has ended.
    """

    name: str = "review"
    last: bool = True

    def __init__(self, sample: Sample, most: int) -> None:
        self._sample: Final = sample
        self._most: Final = most

    @override
    async def prepare(self, call: Call) -> GatewayError | None:
        """Listen to a call that is drawn if it is answered."""
        if self._sample.may_draw(call):
            call.notes[HEARD] = Heard(self._most)

    @override
    async def check_output(self, call: Call, answer: bytes) -> bytes | GatewayError | None:
        """Hear a whole answer."""
        heard: Heard | None = call.notes.get(HEARD)
        if heard is not None:
            heard.hear(answer)

    @override
    def check_chunk(self, call: Call, frame: bytes) -> bytes | GatewayError | None:
        """Hear one event of a stream."""
        heard: Heard | None = call.notes.get(HEARD)
        if heard is not None:
            heard.hear(frame)
