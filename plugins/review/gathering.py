"""Gathers what a reviewer reads: what was asked, what the answer rests on, what it was. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import orjson

from plugins.core.answer_text import frame_text, text_of, texts
from plugins.core.call import Call, Endpoint
from plugins.core.verdict import Finding
from plugins.review.dossier import Dossier, Mark, Part, bounded

_INPUTS: Final = {
    Endpoint.COMPLETIONS: "prompt",
    Endpoint.EMBEDDINGS: "input",
    Endpoint.MODERATIONS: "input",
    Endpoint.RESPONSES: "input",
    Endpoint.SPEECH: "input",
    Endpoint.TRANSCRIPTIONS: "prompt",
}
"""Where a request has what was asked, where that is not `messages`."""
_STRETCH: Final = re.compile(r"answer(?:\[0\])?:(\d{1,9})-(\d{1,9})")
_LONGEST_NAME: Final = 64


def dossier_of(call: Call, heard: Sequence[bytes], most: int) -> Dossier:
    """Gather what is known of a call.

    Args:
        call: as it ended.
        heard: the answer as it was given, for calls that no judge was asked about.
        most: longest dossier, bytes; an answer that its caller waits for is never cut to it.
    """
    output, others = _said(call, heard)
    dossier = Dossier(
        prompt=tuple(_asked(call)),
        sources=tuple(Part(source.name, source.text) for source in call.sources),
        output=output,
        marks=tuple(_marks(call.findings, len(output))),
        others=tuple(others),
    )
    return bounded(dossier, most, whole_output=call.review is not None and call.review.holds)


def findings_of(call: Call) -> list[dict[str, Any]]:
    """Write what was found as the queue keeps it; without NUL, which PostgreSQL's JSON lacks."""
    return [
        {
            "check": finding.check,
            "code": finding.code,
            "action": finding.action.value,
            "where": finding.where.replace("\x00", ""),
            "score": finding.score,
            "excerpt": finding.excerpt.replace("\x00", ""),
        }
        for finding in call.findings
    ]


def _asked(call: Call) -> Iterable[Part]:
    """Give the texts of a request, by who says them."""
    body = call.body
    for name in ("system", "instructions"):
        if body.get(name):
            yield Part("system", texts([body[name]]))
    asked: object = body.get(_INPUTS.get(call.endpoint, "messages"))
    if not isinstance(asked, list):
        if asked is not None:
            yield Part("user", texts([asked]))
        return
    for item in cast("list[Any]", asked):
        said = texts([item])
        if said:
            yield Part(_who(item), said)


def _who(item: object) -> str:
    if not isinstance(item, dict):
        return "user"
    message = cast("dict[str, Any]", item)
    return str(message.get("role") or message.get("type") or "user")[:_LONGEST_NAME]


def _said(call: Call, heard: Sequence[bytes]) -> tuple[str, list[Part]]:
    """Give what is decided about, and what else the model wrote."""
    answer = call.answer
    if answer is None:
        frames = call.recalled.frames if call.recalled is not None else heard
        return _heard(call, frames), []
    choices = [Part(f"choice {n}", text) for n, text in enumerate(answer.texts[1:], 2)]
    tools = [Part(f"tool call {n}", text) for n, text in enumerate(answer.arguments, 1)]
    if answer.text or not tools:
        return answer.text, [*choices, *tools]
    return tools[0].text, [*choices, *tools[1:]]


def _heard(call: Call, frames: Sequence[bytes]) -> str:
    if call.stream:
        return "".join(frame_text(call.endpoint, frame) for frame in frames)
    try:
        answer: object = orjson.loads(b"".join(frames))
    except orjson.JSONDecodeError:  # subtitles, or nothing at all
        return ""
    read = isinstance(answer, dict)
    return text_of(call.endpoint, cast("dict[str, Any]", answer)) if read else ""


def _marks(findings: Iterable[Finding], length: int) -> Iterable[Mark]:
    for finding in findings:
        found = _STRETCH.fullmatch(finding.where)
        if found is None:
            continue
        start, end = int(found[1]), min(int(found[2]), length)
        if start < end:
            yield Mark(start, end, f"{finding.check}: {finding.code}")
