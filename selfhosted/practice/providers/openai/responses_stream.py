"""`POST /v1/responses` as a stream of typed events."""

import msgspec

from selfhosted.practice.compose import pieces
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai import responses
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.responses import Response
from selfhosted.practice.wire import Call, Reply, Stream

_encode = msgspec.json.Encoder().encode


def respond(call: Call, flavour: Flavour) -> Reply:
    """Answer a request, whole or streamed."""
    response = responses.answer(call, flavour)
    if not call.stream:
        return responses.whole(response)
    return _Events(response).stream()


class _Events:
    """Numbers and writes the events of one stream."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._number = 0

    def stream(self) -> Stream:
        """Write all events of the answer."""
        r = self._response
        started = r.body("in_progress", [])
        head = [
            self._event("response.created", {"response": started}),
            self._event("response.in_progress", {"response": started}),
            self._item("response.output_item.added", r.item("", "in_progress")),
        ]
        if r.composed.tool is None:
            head.append(self._in_part("response.content_part.added", {"part": r.part("")}))
        chunks = [self._delta(piece) for piece in pieces(r.final_text, r.call.plan)]
        item = r.item(r.final_text, r.status)
        tail = [*self._ends(), self._item("response.output_item.done", item)]
        tail.append(self._event(f"response.{r.status}", {"response": r.body(r.status, [item])}))
        return Stream(head, chunks, tail)

    def _delta(self, piece: str) -> bytes:
        if self._response.composed.tool is not None:
            name = "response.function_call_arguments.delta"
            return self._in_item(name, {"delta": piece})
        return self._in_part("response.output_text.delta", {"delta": piece, "logprobs": []})

    def _ends(self) -> list[bytes]:
        r = self._response
        text = r.final_text
        if r.composed.tool is not None:
            done: Json = {"arguments": text, "name": r.composed.tool.name}
            return [self._in_item("response.function_call_arguments.done", done)]
        return [
            self._in_part("response.output_text.done", {"text": text, "logprobs": []}),
            self._in_part("response.content_part.done", {"part": r.part(text)}),
        ]

    def _item(self, name: str, item: Json) -> bytes:
        return self._event(name, {"output_index": 0, "item": item})

    def _in_item(self, name: str, fields: Json) -> bytes:
        where: Json = {"item_id": self._response.item_id, "output_index": 0}
        return self._event(name, where | fields)

    def _in_part(self, name: str, fields: Json) -> bytes:
        return self._in_item(name, {"content_index": 0} | fields)

    def _event(self, name: str, fields: Json) -> bytes:
        body = _encode({"type": name, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), body)
