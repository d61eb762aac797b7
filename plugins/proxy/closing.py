"""Ends a stream early and properly, in each wire format. Pure.

An SDK takes what is written here for the end of an answer that a filter has cut.
"""

from collections.abc import Callable, Mapping
from typing import Final

from plugins.core.answer_text import Json, maps
from plugins.core.call import Endpoint, Usage
from plugins.proxy.answering import Piece, a_map, number, said
from plugins.proxy.reviewing import REVIEW, Review
from plugins.proxy.rewriting import FILTERED, REFUSAL, written

_DONE: Final = b"data: [DONE]\n\n"
_CHUNK_KEYS: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


class Shown:
    """What a client has been given of one stream, as far as its end depends on it.

    Args:
        endpoint: names the wire format.
        asks_usage: the client wants the closing usage chunk of a chat or text completion.
        choices: how many answers were asked for.
    """

    def __init__(self, endpoint: Endpoint, *, asks_usage: bool, choices: int = 1) -> None:
        self._endpoint: Final = endpoint
        self._choices: Final = choices
        self._asks_usage: Final = asks_usage
        self._head: Json = {}
        self._begun: Final[set[int]] = set()
        self._ended: Final[set[int]] = set()
        self._open_blocks: Final[list[object]] = []
        self._items: Final[dict[object, Json]] = {}
        self._number: int | None = None
        self.text = False
        """Some of what the model wrote has been given."""

    def show(self, piece: Piece) -> None:
        """Note that the client is given a frame."""
        self.text = self.text or piece.size > 0
        for event in piece.events:
            _SHOWN[self._endpoint](self, event)

    def name(self, piece: Piece) -> None:
        """Take from a frame that the client is not given who answers, and under which id."""
        events = piece.events
        if not self._head and events:
            self._head = a_map(events[0].get("response")) or events[0]

    def close(self, usage: Usage, review: Review | None) -> bytes:
        """Write the end.

        Args:
            usage: what the call has consumed.
            review: goes along where there is one.
        """
        told = {} if review is None else {REVIEW: review}
        return _CLOSED[self._endpoint](self, usage, told)

    def chunk_with(self, review: Review) -> bytes:
        """Write a chunk that says nothing but the review; nothing where no place is for one."""
        if self._endpoint not in {Endpoint.CHAT, Endpoint.COMPLETIONS}:
            return b""
        head = {key: self._head[key] for key in _CHUNK_KEYS if key in self._head}
        return written(self._endpoint, [{**head, "choices": [], REVIEW: review}])

    def chunk(self, event: Json) -> None:
        """Note a chunk of a chat or text completion."""
        self._head = self._head or event
        for choice in maps(event.get("choices")):
            self._begun.add(number(choice))
            if choice.get("finish_reason"):
                self._ended.add(number(choice))

    def message(self, event: Json) -> None:
        """Note an event of Anthropic's Messages."""
        match event.get("type"):
            case "message_start":
                self._head = event
            case "content_block_start":
                self._open_blocks.append(event.get("index"))
            case "content_block_stop":
                if event.get("index") in self._open_blocks:
                    self._open_blocks.remove(event.get("index"))
            case _:
                pass

    def response(self, event: Json) -> None:
        """Note an event of OpenAI's Responses."""
        stated = event.get("sequence_number")
        self._number = stated if isinstance(stated, int) else self._number
        place = event.get("output_index")
        match event.get("type"):
            case "response.created":
                self._head = a_map(event.get("response"))
            case "response.output_item.added" | "response.output_item.done":
                # A copy of its own: the event may be written yet.
                self._items[place] = {**a_map(event.get("item"))}
                if "content" in self._items[place]:
                    self._items[place]["content"] = [*maps(self._items[place]["content"])]
            case "response.output_text.delta" | "response.refusal.delta":
                self._speak(place, event)
            case "response.function_call_arguments.delta":
                item = self._items.setdefault(place, {"type": "function_call"})
                item["arguments"] = str(item.get("arguments") or "") + str(event.get("delta"))
            case _:
                pass

    def _speak(self, place: object, event: Json) -> None:
        """Add to the text of a part of an item."""
        item = self._items.setdefault(place, _spoken_item(event))
        parts: list[Json] = item.setdefault("content", [])
        index = event.get("content_index")
        at = index if isinstance(index, int) and 0 <= index <= len(parts) else 0
        if at == len(parts):
            parts.append(_part(event))
        key = "refusal" if parts[at].get("type") == "refusal" else "text"
        parts[at][key] = str(parts[at].get(key) or "") + str(event.get("delta") or "")

    def close_chunks(self, usage: Usage, told: Json) -> bytes:
        """End a chat or text completion: every choice that has not ended, usage, `[DONE]`."""
        head = {key: self._head[key] for key in _CHUNK_KEYS if key in self._head}
        left = sorted({*range(self._choices), *self._begun} - self._ended) or [0]
        choices = [
            {"index": index, **self._nothing(index), "finish_reason": FILTERED} for index in left
        ]
        events: list[Json] = [{**head, "choices": choices, **told}]
        if self._asks_usage:
            counts = {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.input_tokens + usage.output_tokens,
            }
            events.append({**head, "choices": [], "usage": counts})
        return written(self._endpoint, events) + _DONE

    def _nothing(self, index: int) -> Json:
        if self._endpoint is Endpoint.COMPLETIONS:
            return {"text": "", "logprobs": None}
        return {"delta": {} if index in self._begun else {"role": "assistant", "content": ""}}

    def close_message(self, usage: Usage, told: Json) -> bytes:
        """End a message: its open blocks, then the message itself."""
        stops = [{"type": "content_block_stop", "index": index} for index in self._open_blocks]
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": REFUSAL, "stop_sequence": None},
            "usage": {"output_tokens": usage.output_tokens},
            **told,
        }
        return written(self._endpoint, [*stops, delta, {"type": "message_stop"}])

    def close_response(self, usage: Usage, told: Json) -> bytes:
        """End a response as incomplete, with what the client has been given of it."""
        ending: Json = {"type": "response.incomplete"}
        if self._number is not None:
            ending["sequence_number"] = self._number + 1
        output = [{**item, "status": _status(item)} for item in self._items.values()]
        ending["response"] = {
            **self._head,
            "status": "incomplete",
            "incomplete_details": {"reason": FILTERED},
            "output": output,
            "usage": {
                "input_tokens": usage.input_tokens,
                "input_tokens_details": {
                    "cached_tokens": usage.cached_input_tokens,
                    "cache_write_tokens": usage.cache_write_tokens,
                },
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.input_tokens + usage.output_tokens,
            },
            **told,
        }
        return written(self._endpoint, [ending])


def is_opening(endpoint: Endpoint, piece: Piece) -> bool:
    """Tell whether a frame comes before everything that a model writes."""
    if endpoint is Endpoint.MESSAGES:
        return all(event.get("type") in {"message_start", "ping"} for event in piece.events)
    if endpoint is Endpoint.RESPONSES:
        kinds = {"response.created", "response.in_progress", "response.queued"}
        return all(event.get("type") in kinds for event in piece.events)
    choices = [choice for event in piece.events for choice in maps(event.get("choices"))]
    return not piece.size and all(
        not choice.get("finish_reason")
        and not choice.get("text")
        and not said(a_map(choice.get("delta")))
        and set(a_map(choice.get("delta"))) <= {"role", "content", "refusal"}
        for choice in choices
    )


def reviewed_frame(endpoint: Endpoint, piece: Piece, review: Review) -> bytes | None:
    """Write the closing frame of a stream with the review in it.

    Returns:
        None for a frame that is no place for it.
    """
    if not piece.closing:
        return None
    events = piece.events
    for event in events:
        if endpoint is Endpoint.RESPONSES:
            is_last = event.get("type") in {"response.completed", "response.incomplete"}
        elif endpoint is Endpoint.MESSAGES:
            is_last = event.get("type") == "message_delta"
        else:
            is_last = any(choice.get("finish_reason") for choice in maps(event.get("choices")))
        if is_last:
            (event["response"] if endpoint is Endpoint.RESPONSES else event)[REVIEW] = review
            return written(endpoint, events)
    return None


def _spoken_item(event: Json) -> Json:
    return {
        "type": "message",
        "id": str(event.get("item_id") or ""),
        "role": "assistant",
        "content": [],
    }


def _part(event: Json) -> Json:
    if event.get("type") == "response.refusal.delta":
        return {"type": "refusal", "refusal": ""}
    return {"type": "output_text", "text": "", "annotations": []}


def _status(item: Json) -> str:
    return "completed" if item.get("status") == "completed" else "incomplete"


_SHOWN: Final[Mapping[Endpoint, Callable[[Shown, Json], None]]] = {
    Endpoint.CHAT: Shown.chunk,
    Endpoint.COMPLETIONS: Shown.chunk,
    Endpoint.RESPONSES: Shown.response,
    Endpoint.MESSAGES: Shown.message,
}
_CLOSED: Final[Mapping[Endpoint, Callable[[Shown, Usage, Json], bytes]]] = {
    Endpoint.CHAT: Shown.close_chunks,
    Endpoint.COMPLETIONS: Shown.close_chunks,
    Endpoint.RESPONSES: Shown.close_response,
    Endpoint.MESSAGES: Shown.close_message,
}
