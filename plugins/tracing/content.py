"""What a call said, for tenants whose policy allows it: bounded, and masked. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import orjson

from plugins.core.answer_text import frame_text, text_of, texts
from plugins.core.call import Call, Endpoint
from plugins.core.masking import masked

LONGEST: Final = 16_000
"""Characters kept of what was asked, and likewise of what was answered."""
KEPT_BYTES: Final = 262_144
"""So much of an answer is kept until the call is over."""
CUT: Final = " [cut]"
_OTHER_INPUTS: Final = {
    Endpoint.COMPLETIONS: "prompt",
    Endpoint.EMBEDDINGS: "input",
    Endpoint.MODERATIONS: "input",
    Endpoint.RESPONSES: "input",
    Endpoint.SPEECH: "input",
}


def input_messages(call: Call) -> str:
    """Write what was asked as `gen_ai.input.messages` has it: JSON, by role and part."""
    return _written(_asked(call))


def output_messages(call: Call, frames: Sequence[bytes]) -> str:
    """Write what was answered as `gen_ai.output.messages` has it.

    Args:
        call: says in which format.
        frames: a whole body as one piece, or the events of a stream.
    """
    return _written([("assistant", _answered(call, frames))])


def _asked(call: Call) -> list[tuple[str, str]]:
    body = call.body
    found = [
        ("system", texts([body[name]])) for name in ("system", "instructions") if body.get(name)
    ]
    asked: object = body.get(_OTHER_INPUTS.get(call.endpoint, "messages"))
    if isinstance(asked, list) and _are_messages(cast("list[Any]", asked)):
        for message in cast("list[dict[str, Any]]", asked):
            role = message.get("role") or message.get("type")
            found.append((str(role)[:32], texts([message])))
    elif asked is not None:
        found.append(("user", texts([asked])))
    return found


def _are_messages(asked: Iterable[Any]) -> bool:
    return all(isinstance(message, dict) for message in asked)


def _answered(call: Call, frames: Sequence[bytes]) -> str:
    if call.stream:
        return "".join(frame_text(call.endpoint, frame) for frame in frames)
    try:
        answer: object = orjson.loads(b"".join(frames))
    except orjson.JSONDecodeError:  # sound, subtitles, or more than was kept
        return ""
    return (
        text_of(call.endpoint, cast("dict[str, Any]", answer)) if isinstance(answer, dict) else ""
    )


def _written(said: Iterable[tuple[str, str]]) -> str:
    left = LONGEST
    found: list[dict[str, Any]] = []
    for role, text in said:
        if not text:
            continue
        # Masked before it is cut: half an address is not known for one.
        kept = masked(text[: 2 * LONGEST])
        if len(kept) > left:
            kept = kept[:left] + CUT
        found.append({"role": role, "parts": [{"type": "text", "content": kept}]})
        left -= len(kept)
        if left <= 0:
            break
    return orjson.dumps(found).decode() if found else ""
