"""How much of an answer its documents support, and what of it they do not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from plugins.core.json_text import leaves_of, parse, path_text
from plugins.core.judging import field_of
from plugins.grounding.extraction import FieldCheck, Support, check_extraction
from plugins.grounding.extraction import Reason as Why
from plugins.grounding.fields import Kind
from plugins.grounding.judge import JudgedSentence, Ruling
from plugins.grounding.policy import Form
from plugins.grounding.sentences import SentenceCheck, check_text
from plugins.grounding.source import Index

_OPENING: Final = ("{", "[", "```")


@dataclass(frozen=True, slots=True)
class Doubted:
    """A field or sentence that the documents do not support.

    Args:
        code: how, such as `unsupported_field`.
        where: its place in the answer, as `core.verdict.Finding` writes places.
        points: what it counts, 0..1.
        sentence: the text that somebody may be asked about; empty for what is no sentence.
    """

    code: str
    where: str
    points: float
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found of a text.

    Args:
        units: fields and sentences that could be checked.
        points: what all of them count together, 0 to `units`.
        doubted: in the text's order.
    """

    units: int
    points: float
    doubted: tuple[Doubted, ...]

    @property
    def score(self) -> float | None:
        """Give the share that is supported, 0..1; None where nothing could be checked."""
        return max(0.0, min(1.0, self.points / self.units)) if self.units else None


def assess(text: str, index: Index, form: Form, place: str) -> Assessment:
    """Hold a text against documents.

    Args:
        text: of one choice.
        index: of the documents.
        form: how it is read.
        place: `answer`, or `answer[1]` for a further choice.
    """
    value = _structure(text, form)
    if value is None:
        return _of_sentences(text, index, place)
    checked = check_extraction(value, index)
    held = {path_text(path): leaf for path, leaf in leaves_of(value)}
    counted = sum(f.support is not Support.NOT_CHECKABLE for f in checked.fields)
    doubted = tuple(_of_field(field, held, place) for field in checked.unsupported)
    return Assessment(counted, counted - len(doubted), doubted)


def _structure(text: str, form: Form) -> Any:
    """Give the object or list that a text is, or None where it is prose."""
    opened = text.lstrip().startswith(_OPENING)
    if form is not Form.EXTRACTION and not opened:
        return None
    parsed = parse(text)
    value: Any = parsed[0] if parsed is not None else None
    if form is Form.EXPLANATION and parsed is not None and parsed[1] and not _is_all(text):
        return None
    is_structure = isinstance(value, dict | list) and bool(value)  # pyright: ignore[reportUnknownArgumentType] - any JSON
    return value if is_structure else None  # pyright: ignore[reportUnknownVariableType]


def _is_all(text: str) -> bool:
    """Tell whether a text ends as it begins: with its structure."""
    return text.rstrip().endswith(("}", "]", "```"))


def _of_field(field: FieldCheck, held: dict[str, Any], place: str) -> Doubted:
    sentence = str(held.get(field.path, "")) if field.kind is Kind.TEXT else ""
    lost = field.reason is Why.OUT_OF_CONTEXT
    return Doubted(
        "out_of_context" if lost else "unsupported_field",
        field_of(place, field.path),
        0.0,
        sentence,
    )


def _of_sentences(text: str, index: Index, place: str) -> Assessment:
    checked = check_text(text, index)
    points = sum(sentence.score for sentence in checked.sentences)
    doubted = tuple(_of_sentence(sentence, place) for sentence in checked.doubtful)
    return Assessment(len(checked.sentences), points, doubted)


def _of_sentence(sentence: SentenceCheck, place: str) -> Doubted:
    span = f"{place}:{sentence.start}-{sentence.start + len(sentence.text)}"
    return Doubted("doubtful_sentence", span, sentence.score, sentence.text)


def ruled(assessment: Assessment, judged: Sequence[JudgedSentence]) -> Assessment:
    """Take what a judge said of doubtful sentences into account.

    Args:
        assessment: before.
        judged: of `doubted` that have a sentence, in order; there may be fewer.

    Returns:
        What the judge supports counts in full and is doubted no more; what it contradicts counts
        nothing; for the rest nothing changes.
    """
    rulings = {one.sentence: one.ruling for one in judged}
    points = assessment.points
    left: list[Doubted] = []
    for doubt in assessment.doubted:
        ruling = rulings.get(doubt.sentence) if doubt.sentence else None
        if ruling is Ruling.SUPPORTED:
            points += 1.0 - doubt.points
            continue
        if ruling is Ruling.CONTRADICTED:
            points -= doubt.points
            doubt = replace(doubt, code="contradicted", points=0.0)
        left.append(doubt)
    return Assessment(assessment.units, points, tuple(left))
