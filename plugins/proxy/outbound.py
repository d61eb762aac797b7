"""Writes the body that LiteLLM gets: from what was validated, never the client's bytes."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from plugins.core.call import Call, Endpoint
from plugins.core.source import FIELD as SOURCES
from plugins.core.stage import Stage

_KEPT_BACK: Final = frozenset({"metadata", SOURCES})
_EXTRAS: Final = "provider_specific_fields"


class Outbound:
    """One call's body for LiteLLM, written once and anew only for a group that needs another.

    Args:
        call: whose body it is.
        form: the client's multipart body, for a transcription.
        shapers: stages that change the body for a model group.
        ask_usage: asks for the closing usage chunk of a stream although the client did not.
    """

    def __init__(
        self, call: Call, form: bytes | None, shapers: Sequence[Stage], *, ask_usage: bool
    ) -> None:
        self._call: Final = call
        self._form: Final = form
        self._shapers: Final = shapers
        self._body: Final = {} if form is not None else _for_host(call, ask_usage=ask_usage)

    @property
    def is_form(self) -> bool:
        """Tell whether the body is the client's own multipart form."""
        return self._form is not None

    def body_for(self, group: str) -> bytes:
        """Write the body that is sent for a model group; the conductor names the group itself."""
        if self._form is not None:
            return self._form
        body = dict(self._body)
        for stage in self._shapers:
            stage.shape(self._call, group, body)
        return orjson.dumps(body)


def _for_host(call: Call, *, ask_usage: bool) -> dict[str, Any]:
    """Give a copy of the body without what LiteLLM takes orders from, and what is only ours."""
    body = call.body
    sent = {key: value for key, value in body.items() if key not in _KEPT_BACK}
    if ask_usage:
        sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
    if call.endpoint is Endpoint.CHAT:
        sent["messages"] = [_without_extras(message) for message in body["messages"]]
    if call.endpoint is Endpoint.RESPONSES:
        # Nothing stored can be asked for again here, so a provider need not keep it.
        sent.setdefault("store", False)
    return sent


def _without_extras(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out what LiteLLM added to a message of the model's that the client sends back."""
    if message.get("role") != "assistant":
        return message
    kept = {key: value for key, value in message.items() if key != _EXTRAS}
    if kept.get("tool_calls"):
        kept["tool_calls"] = [
            {key: value for key, value in called.items() if key != _EXTRAS}
            for called in kept["tool_calls"]
        ]
    return kept
