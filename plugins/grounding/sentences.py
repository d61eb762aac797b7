"""Whether each sentence of an explanation rests on the documents. Pure.

Words, and words that stand together, tell how much of a sentence is the sources'. They are weak on
free paraphrase, so that a low overlap makes a sentence doubtful, not wrong: a judge model or a
person decides. A number, date or name that no source has makes it doubtful whatever the overlap.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from plugins.core.words import STOP_WORDS, Words, listed, stem_of, words_of
from plugins.grounding.aliases import Phrase, alias_in
from plugins.grounding.dates import Asked, Mention, mentions_in
from plugins.grounding.numbers import runs_in
from plugins.grounding.source import About, Index

DOUBTFUL_BELOW: Final = 0.5
"""Overlap below which a sentence is doubtful; the boundary itself is not."""
_NEAR_WEIGHT: Final = 0.3
_WELL_JOINED: Final = 0.5
_FEWEST_WORDS: Final = 3
_END: Final = re.compile(r"(?<=[.!?])[\"')\]]?[ \t]+(?=[^\W_])|\n")
_NOWHERE: Final[list[int]] = []
_NUMERAL: Final = re.compile(r"\s{0,20}\d{1,2}[.)]\s{0,20}")
_LABEL: Final = re.compile(
    r"\s*(?:[-*\u2022]\s*|\d{1,2}[.)]\s+)?(?:\**[^\W\d][\w /&-]{0,40}:\**(?:\s|$))?"
)
_SCALE: Final = re.compile(r"(?:\bof|\bout of|/)\s*(?:the\s+)?(?:10|100)\b|\btop\s+\d{1,2}\b", re.I)
_COUNTED: Final = re.compile(
    r"\b(?:\d{1,3}|[a-z]{3,9})\s+(?:out\s+)?of\s+(?:the\s+|its\s+|all\s+)?(?:\d{1,3}|[a-z]{3,9})\s+"
    r"(?:\w+\s+){0,2}(?:skills?|requirements?|criteria|technologies|qualifications?|points|areas)\b"
    r"|\b(?:\d{1,2}|one|two|three|four|five|six)\s+(?:\w+\s+){0,2}(?:strengths?|gaps?|reasons?)\b",
    re.IGNORECASE,
)
_GAP: Final = listed(
    "no not lacks lack lacking missing without absent absence gap gaps unfamiliar limited neither "
    "nor never isn't doesn't hasn't unclear unknown insufficient"
)
_OF_JOB: Final = listed(
    "job role position requires require required requirement requirements asks needs need wants "
    "vacancy employer posting seeks preferred sought"
)
_COMMON: Final = listed(
    "candidate applicant summary recommendation overall yes no maybe strengths strength gaps gap "
    "key top skills experience match score however additionally furthermore moreover therefore "
    "monday tuesday wednesday thursday friday saturday sunday resume cv job role mr mrs ms dr"
)
_FRAME: Final = (
    _COMMON
    | _OF_JOB
    | listed(
        "shows show shown scores brings demonstrates demonstrated strong solid relevant evidence "
        "meets meet matches aligned aligns well good suitable fit includes including proven names "
        "recommend recommended advance interview hire profile background qualified expertise"
    )
)
"""Words in which explanations are put, whatever they explain; they say nothing of the sources."""


class Doubt(StrEnum):
    """Why a sentence is doubtful."""

    OVERLAP = "overlap"
    """Too few of its words are the sources'."""
    NUMBER = "number"
    DATE = "date"
    NAME = "name"
    ONLY_IN_JOB = "only_in_job"
    """It says of the candidate what only the job's description has."""
    CONTRADICTED = "contradicted"
    """It misses what the candidate's documents show."""


@dataclass(frozen=True, slots=True)
class SentenceCheck:
    """What was found of one sentence.

    Args:
        text: the sentence.
        start: offset of its first character in the answer.
        overlap: share of its words that are the sources', and how many of them stand together
            there, as pairs or in one line, 0..1; 1 for one too short to tell.
        doubts: each with what it is about; empty where nothing is doubtful.
    """

    text: str
    start: int
    overlap: float
    doubts: tuple[tuple[Doubt, str], ...]

    @property
    def score(self) -> float:
        """Give 1 for a sentence without doubts, down to 0."""
        named = any(doubt is not Doubt.OVERLAP for doubt, _ in self.doubts)
        return 0.0 if named else min(1.0, self.overlap / DOUBTFUL_BELOW)


@dataclass(frozen=True, slots=True)
class TextCheck:
    """What was found of a text.

    Args:
        sentences: in order; headings and labels without words are left out.
    """

    sentences: tuple[SentenceCheck, ...]

    @property
    def doubtful(self) -> tuple[SentenceCheck, ...]:
        """Give the sentences that somebody should look at."""
        return tuple(s for s in self.sentences if s.doubts)

    @property
    def score(self) -> float | None:
        """Give the mean of the sentences' scores, 0..1; None without a sentence."""
        if not self.sentences:
            return None
        return sum(s.score for s in self.sentences) / len(self.sentences)


def check_text(text: str, index: Index) -> TextCheck:
    """Compare each sentence of a text with the sources.

    Args:
        text: an explanation in prose or in lines.
        index: of the sources.
    """
    sides = _Sides(index)
    checks = [_check(text[start:end], start, index, sides) for start, end in sentences_of(text)]
    return TextCheck(tuple(check for check in checks if check is not None))


def sentences_of(text: str) -> Iterator[tuple[int, int]]:
    """Give the offsets of a text's sentences; lines end sentences too."""
    start = 0
    for end in _END.finditer(text):
        piece = text[start : end.start()]
        if _NUMERAL.fullmatch(piece):
            continue
        if piece.strip():
            yield start, end.start()
        start = end.end()
    if text[start:].strip():
        yield start, len(text)


class _Sides:
    """Whether a name stands in the candidate's documents, and in the job's."""

    def __init__(self, index: Index) -> None:
        self.candidate = [d for d in index.documents if d.source.about is About.CANDIDATE]
        self.job = [d for d in index.documents if d.source.about is About.JOB]
        self.told_apart = len(self.candidate) + len(self.job) == len(index.documents)
        self.told_apart = self.told_apart and bool(self.candidate) and bool(self.job)

    def candidate_has(self, name: Phrase) -> bool:
        return any(d.find(form) or "".join(form) in d.at
                   for d in self.candidate for form in _forms(name))  # fmt: skip


def _forms(name: Phrase) -> tuple[Phrase, ...]:
    part = alias_in(name)
    whole = part is not None and part[1] - part[0] == len(name)
    return part[2] if part is not None and whole else (name,)


def _check(sentence: str, start: int, index: Index, sides: _Sides) -> SentenceCheck | None:
    label = _LABEL.match(sentence)
    body = sentence[label.end() :] if label else sentence
    start += len(sentence) - len(body)
    body = body.strip()
    words = words_of(body)
    if not words.forms:
        return None
    if not sides.told_apart and len(words) >= _FEWEST_WORDS and index.find(words.forms):
        # It stands there word for word.
        return SentenceCheck(body, start, 1.0, ())
    overlap = _overlap(words, index)
    names = list(_names_in(words))
    absent = [name for name in names if not _stands(name, index)]
    doubts = [(Doubt.NAME, words.original(first, last)) for _, first, last in absent]
    dates = _dates_in(words)
    doubts += [(Doubt.NUMBER, written) for written in _unknown_numbers(words, dates, index)]
    doubts += [(Doubt.DATE, written) for written in _unknown_dates(words, dates, names, index)]
    doubts += _of_wrong_side(words, [n for n in names if n not in absent], sides)
    if overlap < DOUBTFUL_BELOW:
        doubts.append((Doubt.OVERLAP, f"{overlap:.2f}"))
    return SentenceCheck(body, start, overlap, tuple(doubts))


def _overlap(words: Words, index: Index) -> float:
    # Numbers are compared by their values, elsewhere.
    content = [
        stem_of(form)
        for form in words.forms
        if form not in STOP_WORDS and form not in _FRAME and not form[0].isdecimal()
    ]
    if len(content) < _FEWEST_WORDS:
        return 1.0
    single = sum(stem in index.stems for stem in content) / len(content)
    pairs = list(pairwise(content))
    double = sum(pair in index.stem_pairs for pair in pairs) / len(pairs)
    near = double if double >= _WELL_JOINED else max(double, _most_in_one_line(content, index))
    return (1 - _NEAR_WEIGHT) * single + _NEAR_WEIGHT * near


def _most_in_one_line(content: Sequence[str], index: Index) -> float:
    """Give the greatest share of the words that one line of a source has, in any order."""
    stems, most = set(content), 0
    for document in index.documents:
        held = Counter[int]()
        for stem in stems:
            held.update(document.stem_segments(stem))
        most = max(most, *held.values(), 0)
    return most / len(stems)


# -- names -------------------------------------------------------------------------------------

Name = tuple[Phrase, int, int]
"""A name's words as they are compared, and the numbers of its first and last word."""


def _names_in(words: Words) -> Iterator[Name]:
    """Give the runs of words that begin with a capital; one at the start of a sentence is none."""
    run: list[int] = []
    for i in range(len(words.forms) + 1):
        if i < len(words.forms) and _is_capital(words, i):
            if not run or words.between(i - 1) in (" ", "-", "&", " & ", ". ", ".", "/"):
                run.append(i)
                continue
            yield from _name(words, run)
            run = [i]
        elif run:
            yield from _name(words, run)
            run = []


def _is_capital(words: Words, i: int) -> bool:
    original = words.text[words.starts[i] : words.ends[i]]
    if words.forms[i] in STOP_WORDS or words.forms[i] in _COMMON:
        return False
    return original[0].isupper() or (original[0].isalpha() and original != original.lower())


def _name(words: Words, run: list[int]) -> Iterator[Name]:
    first = run[0]
    if first == 0 and not _looks_named(words.text[words.starts[0] : words.ends[0]]):
        # Every sentence begins with a capital; a longer name is looked for without its first word
        # where it does not stand as a whole.
        if len(run) == 1:
            return
        yield tuple(words.forms[i] for i in run), first, run[-1]
        return
    yield tuple(words.forms[i] for i in run), first, run[-1]


def _looks_named(original: str) -> bool:
    return any(c.isupper() or c.isdigit() or c in "+#" for c in original[1:])


def _stands(name: Name, index: Index) -> bool:
    phrase, first, _ = name
    if _phrase_stands(phrase, index):
        return True
    # `Shows Python`: a verb at the start; `Python/Django`: names side by side.
    rest = phrase[1:] if first == 0 and len(phrase) > 1 else phrase
    if rest != phrase and _phrase_stands(rest, index):
        return True
    return any(
        d.words_near(d.segment_of(at)).issuperset(rest)
        for d in index.documents
        for at in min((d.at.get(w, []) for w in rest), key=len, default=_NOWHERE)[:64]
    )


def _phrase_stands(phrase: Phrase, index: Index) -> bool:
    if any(index.find(form) for form in _forms(phrase)):
        return True
    if index.find_joined(phrase) is not None:
        return True
    last = phrase[-1]
    if len(last) > 3 and last.endswith("s"):
        return index.find((*phrase[:-1], last[:-1])) is not None
    return False


def _of_wrong_side(words: Words, names: Sequence[Name], sides: _Sides) -> list[tuple[Doubt, str]]:
    """Find what is said of the candidate and stands in the job alone, and the other way round."""
    if not sides.told_apart:
        return []
    forms = set(words.forms)
    made: list[tuple[Doubt, str]] = []
    for phrase, first, last in names:
        has = sides.candidate_has(phrase if first else phrase[-1:])
        if forms & _GAP:
            if has and not forms & {"but", "although", "though", "while", "only", "despite"}:
                made.append((Doubt.CONTRADICTED, words.original(first, last)))
        elif not has and not forms & _OF_JOB:
            made.append((Doubt.ONLY_IN_JOB, words.original(first, last)))
    return made


# -- numbers and dates -------------------------------------------------------------------------


def _dates_in(words: Words) -> list[Mention]:
    at: dict[str, list[int]] = {}
    if not any(form[0].isdecimal() for form in words.forms):
        return []
    for i, form in enumerate(words.forms):
        at.setdefault(form, []).append(i)
    return mentions_in(words, at)


def _unknown_numbers(words: Words, dates: Sequence[Mention], index: Index) -> Iterator[str]:
    """Give the numbers that no source has; scales and counts of what is compared are no claims."""
    left_out: list[tuple[int, int]] | None = None
    for values, at in runs_in(words):
        if any(value in d.numbers for d in index.documents for value in values):
            continue
        if left_out is None:
            left_out = [(words.starts[d.first], words.ends[d.last]) for d in dates]
            left_out += [m.span() for p in (_SCALE, _COUNTED) for m in p.finditer(words.text)]
        written, start = words.original(at, at), words.starts[at]
        if not _is_small_word(written) and not any(a <= start < b for a, b in left_out):
            yield written


def _is_small_word(written: str) -> bool:
    """Tell whether a number is a pronoun: `one of`, `two areas`."""
    return written.lower() in ("one", "two", "zero")


def _unknown_dates(
    words: Words, dates: Sequence[Mention], names: Sequence[Name], index: Index
) -> Iterator[str]:
    """Give the dates that do not stand near any of the sentence's names."""
    if not dates:
        return
    near = [
        mention
        for d in index.documents
        for phrase, _, _ in names
        for form in _forms(phrase)
        for place in d.find(form)
        for mention in d.dates_near(d.segment_of(place))
    ]
    known = near or [mention for d in index.documents for mention in d.dates]
    for mention in dates:
        asked = Asked(mention.year, mention.months, mention.day)
        if not any(asked.is_said_by(other) for other in known):
            yield words.original(mention.first, mention.last)
