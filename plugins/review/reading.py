"""What a reviewer sees of an item: its findings in plain words, and their places in the answer."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

from plugins.review.dossier import Dossier, Mark
from plugins.review.layout import Laid, laid_out
from plugins.review.words import check_name, code_words, place_words

MOST_PLACES: Final = 200
"""Places that are marked; an answer with more of them is read whole anyway."""
_QUOTED: Final = 80
_STRETCH: Final = re.compile(r"answer(?:\[0\])?:(\d{1,9})-(\d{1,9})")
_FIELD: Final = re.compile(r"answer((?:\.|\[).*?)(?::\d+-\d+)?", re.S)

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing to look at.

    Args:
        title: what it is.
        where: in words; empty where `span` says it.
        excerpt: a few characters of it: masked by the check, or what the answer has there.
        score: how sure the check is, 0..1, or None.
        action: what was done about it, or "".
        span: its place in the answer, or None.
        number: under which that place is marked; 0 without one.
    """

    title: str
    where: str = ""
    excerpt: str = ""
    score: float | None = None
    action: str = ""
    span: Span | None = None
    number: int = 0


class Stretch(NamedTuple):
    """A part of the answer.

    Args:
        text: itself.
        numbers: of the findings that it belongs to; none for most of an answer.
        begins: those of them whose place begins here.
    """

    text: str
    numbers: tuple[int, ...]
    begins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """An item's answer with what was found.

    Args:
        found: the numbered ones in the order of their places, then the others.
        stretches: together, the answer as it is shown.
    """

    found: Sequence[Found]
    stretches: Sequence[Stretch]


def read(findings: Sequence[Mapping[str, Any]], dossier: Dossier | None) -> Reading:
    """Bring findings and answer together.

    Args:
        findings: of the checks, as the item keeps them (`core.verdict.Finding`).
        dossier: the item's texts, or None when they are not kept any more.
    """
    if dossier is None:
        return Reading([_found(finding, None) for finding in findings], ())
    laid = laid_out(dossier.output)
    length = len(dossier.output)
    everything = [_found(finding, _span(finding, laid, dossier.output)) for finding in findings]
    names = {f"{finding.get('check')}: {finding.get('code')}" for finding in findings}
    marks = [mark for mark in dossier.marks if mark.start < mark.end <= length]
    everything = _with_marks(everything, marks, names)
    placed = sorted((one for one in everything if one.span), key=lambda one: one.span or (0, 0))
    numbered = [
        replace(one, number=n, excerpt=one.excerpt or _quoted(dossier.output, one.span))
        for n, one in enumerate(placed[:MOST_PLACES], 1)
    ]
    others = [*placed[MOST_PLACES:], *(one for one in everything if not one.span)]
    spans = [one.span or (0, 0) for one in numbered]
    shown = [(laid.at(start), laid.at(end - 1) + 1) for start, end in spans]
    return Reading([*numbered, *others], stretches(laid.text, shown))


def stretches(text: str, spans: Sequence[Span]) -> list[Stretch]:
    """Cut a text where spans begin and end.

    Args:
        text: which.
        spans: within the text, not empty; they may overlap. The first has number 1.

    Returns:
        Stretches that together are the text, none of them empty.
    """
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    pieces: list[Stretch] = []
    for start, end in pairwise(edges):
        inside = [n for n, span in enumerate(spans, 1) if span[0] <= start and end <= span[1]]
        begins = [n for n in inside if spans[n - 1][0] == start]
        pieces.append(Stretch(text[start:end], tuple(inside), tuple(begins)))
    return pieces


def _found(finding: Mapping[str, Any], span: Span | None) -> Found:
    score = finding.get("score")
    return Found(
        title=f"{check_name(finding.get('check'))}: {code_words(finding.get('code'))}",
        where="" if span else place_words(finding.get("where")),
        excerpt=str(finding.get("excerpt") or ""),
        score=float(score) if isinstance(score, int | float) else None,
        action=str(finding.get("action") or ""),
        span=span,
    )


def _span(finding: Mapping[str, Any], laid: Laid, answer: str) -> Span | None:
    """Find the place that a finding names; None when it is not in the answer."""
    where = str(finding.get("where") or "")
    stretch = _STRETCH.fullmatch(where)
    if stretch is not None:
        first, last = int(stretch[1]), min(int(stretch[2]), len(answer))
        return (first, last) if first < last else None
    of_field = _FIELD.fullmatch(where)
    return laid.fields.get(of_field[1]) if of_field else None


def _quoted(answer: str, span: Span | None) -> str:
    """Give what is at a place, shortened in its middle."""
    start, end = span or (0, 0)
    if end - start <= _QUOTED:
        return answer[start:end]
    half = _QUOTED // 2
    return f"{answer[start : start + half]} ... {answer[end - half : end]}"


def _with_marks(
    everything: list[Found], marks: Sequence[Mark], names: Collection[str]
) -> list[Found]:
    """Add marks; one at the very place of a finding explains it, unless it says its name alone."""
    by_span = {one.span: index for index, one in enumerate(everything) if one.span}
    for mark in marks:
        at = by_span.get((mark.start, mark.end))
        if at is None:
            everything.append(Found(mark.title, span=(mark.start, mark.end)))
        elif mark.title not in names:
            everything[at] = replace(everything[at], where=mark.title)
    return everything
