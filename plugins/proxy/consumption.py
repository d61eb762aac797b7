"""What a call has consumed: as its provider states it, or counted where that cannot be true."""

from dataclasses import replace
from typing import Any, Final

from plugins.core.answer_text import text_of
from plugins.core.call import Call, Endpoint, Usage, UsageSource
from plugins.proxy.answers import heard_seconds, seconds, usage_of
from plugins.proxy.counting import counted
from plugins.proxy.streams import StreamFollower

USAGE_BY_HOST: Final = "usage_by_host"
"""Note on a call whose stream's usage LiteLLM has counted itself, since the provider gave none."""
_GENERATIVE: Final = frozenset(
    {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES}
)


async def whole_usage(call: Call, answer: dict[str, Any], body: bytes) -> Usage:
    """Tell what an answer in one piece consumed.

    Args:
        call: that is answered.
        answer: the body as JSON; empty where it is none.
        body: the same as bytes.
    """
    if call.endpoint is Endpoint.SPEECH:
        return replace(await counted(call, "", None), source=UsageSource.PROVIDER)
    stated = usage_of(call.endpoint, answer)
    if call.endpoint is Endpoint.TRANSCRIPTIONS and (stated is None or stated.is_empty):
        length = seconds(answer.get("duration")) or call.notes.get("audio_s", 0)
        length = length or heard_seconds(str(answer.get("text", "")).encode() or body)
        return Usage(audio_s=seconds(float(length)), source=UsageSource.COUNTED)
    if call.endpoint is Endpoint.MODERATIONS:
        return stated or Usage()
    if stated is not None and _believable(call.endpoint, stated, answer):
        return stated
    return await counted(call, text_of(call.endpoint, answer), None)


async def stream_usage(call: Call, follower: StreamFollower) -> Usage:
    """Tell what a stream has consumed so far.

    Args:
        call: that is answered.
        follower: has read the stream.
    """
    stated = follower.usage
    whole = stated is not None and follower.ended and follower.usage_is_whole
    # Nobody writes text from no tokens; gathering it is dear, so only for a zero.
    if stated is not None and whole and (stated.output_tokens or not follower.written_text()):
        by_host = USAGE_BY_HOST in call.notes
        return replace(stated, source=UsageSource.COUNTED) if by_host else stated
    return await counted(call, follower.written_text(), stated)


def _believable(endpoint: Endpoint, stated: Usage, answer: dict[str, Any]) -> bool:
    """Tell whether stated usage can be true: nobody writes text from no tokens."""
    if not stated.input_tokens:
        return bool(stated.audio_s)
    if endpoint in _GENERATIVE and not stated.output_tokens:
        return not text_of(endpoint, answer)
    return True
