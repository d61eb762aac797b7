"""Gathers what a reviewer reads: what was asked, what the answer rests on, what it was. Pure."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, cast

import orjson

from plugins.core.answer_text import frame_text, text_of
from plugins.core.asked import Asked, Keys, Role, asked_of
from plugins.core.call import Call
from plugins.core.verdict import Finding
from plugins.review.dossier import Dossier, Mark, Part, bounded

_NOT_SHOWN: Final = frozenset(
    {"tools", "functions", "response_format", "text", "output_config", "x_sources"}
)
"""What tells the model of forms and tools; sources are shown by themselves."""
_STRETCH: Final = re.compile(r"answer(?:\[0\])?:(\d{1,9})-(\d{1,9})")


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
    """Give the texts of a request, one part for each message, by who says it."""
    shown = (one for one in asked_of(call.endpoint, call.body) if one.keys[0] not in _NOT_SHOWN)
    for (_, role), said in groupby(shown, key=_message_of):
        yield Part(role.value, "\n".join(one.text for one in said))


def _message_of(asked: Asked) -> tuple[Keys, Role]:
    """Tell to which message a text belongs, and who speaks in it."""
    return asked.keys[:2], asked.role


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
