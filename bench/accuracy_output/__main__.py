"""`python -m bench.accuracy_output`: a table, then one line of JSON. Seeded, a minute at most."""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.accuracy_output.corruptions import CORRUPTIONS, corrupted
from bench.accuracy_output.explanations import FAULTS, facts_of, sentence
from bench.accuracy_output.resumes import Resume, resume
from plugins.grounding.bias import find_bias
from plugins.grounding.extraction import ExtractionCheck, Support, check_extraction
from plugins.grounding.sentences import check_text
from plugins.grounding.source import Index, Source

_Z: Final = 1.959963984540054
_LONG: Final = 35_000
"""Characters of 10K tokens: made resumes and their extractions have 3.5 a token (cl100k_base)."""


@dataclass(slots=True)
class Share:
    """How many of how many."""

    hits: int = 0
    of: int = 0

    def count(self, hit: bool) -> None:
        """Count one more."""
        self.hits += hit
        self.of += 1

    @property
    def value(self) -> float:
        """Give the share; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Give Wilson's 95 % interval."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """Write it as a table does."""
        low, high = self.interval
        return f"{self.value:.3f} ({low:.3f}..{high:.3f}), {self.hits} of {self.of}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Args:
        extraction: recall by kind of fault.
        explanation: likewise.
        fields: false alarms among right fields.
        resumes: right extractions with a false alarm.
        sentences: false doubts among right sentences.
    """

    extraction: dict[str, Share]
    explanation: dict[str, Share]
    fields: Share
    resumes: Share
    sentences: Share


def _index(made: Resume) -> Index:
    return Index([Source("resume", made.text)])


def _wrong(check: ExtractionCheck) -> set[str]:
    return {field.path for field in check.unsupported}


def measure(count: int, first_seed: int) -> Figures:
    """Check right and wrong answers about some resumes.

    Args:
        count: resumes.
        first_seed: of the first; the others follow.
    """
    figures = Figures(
        {kind: Share() for kind in CORRUPTIONS}, {kind: Share() for kind in FAULTS},
        Share(), Share(), Share(),
    )  # fmt: skip
    for seed in range(first_seed, first_seed + count):
        made = resume(seed)
        index = _index(made)
        right = check_extraction(made.truth, index)
        for field in right.fields:
            if field.support is not Support.NOT_CHECKABLE:
                figures.fields.count(field.support is Support.UNSUPPORTED)
        figures.resumes.count(bool(right.unsupported))
        _extractions(figures, made, index, _wrong(right), seed)
        _explanations(figures, made, index, seed)
    return figures


def _extractions(figures: Figures, made: Resume, index: Index, anyway: set[str], seed: int) -> None:
    for number, kind in enumerate(CORRUPTIONS):
        changed = corrupted(kind, made, Random(seed * 1000 + number))  # noqa: S311 - no secret
        # A field that is called wrong when it is right proves nothing when it is wrong.
        if changed is not None and changed[1] not in anyway:
            found = changed[1] in _wrong(check_extraction(changed[0], index))
            figures.extraction[kind].count(found)


def _explanations(figures: Figures, made: Resume, index: Index, seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - no secret
    for frame in range(8):
        text = sentence(facts_of(made, rng), frame)
        figures.sentences.count(bool(check_text(text, index).doubtful))
    for kind, change in FAULTS.items():
        doubtful = bool(check_text(change(made, rng), index).doubtful)
        figures.explanation[kind].count(doubtful)


# -- time ------------------------------------------------------------------------------------------


def _best_ms(work: Callable[[], object], times: int = 7) -> float:
    took: list[float] = []
    for _ in range(times):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took) * 1000


def speed() -> dict[str, float]:
    """Give milliseconds of CPU for sources and answers of 10K tokens each, and for usual ones."""
    texts: list[str] = []
    truths: list[dict[str, Any]] = []
    answer_length = 0
    for seed in range(10_000):
        made = resume(seed)
        if sum(map(len, texts)) < _LONG:
            texts.append(made.text)
        if answer_length < _LONG:
            truths.append(made.truth)
            answer_length += len(json.dumps(made.truth))
        if sum(map(len, texts)) >= _LONG and answer_length >= _LONG:
            break
    source = Source("resumes", "\n\n".join(texts)[:_LONG])
    rng = Random(1)  # noqa: S311 - no secret
    made = resume(0)
    told = " ".join(sentence(facts_of(made, rng), frame) for frame in range(800))[:_LONG]
    return {
        "extraction_10k_ms": _best_ms(lambda: check_extraction(truths, Index([source]))),
        "explanation_10k_ms": _best_ms(lambda: check_text(told, Index([source]))),
        "bias_10k_ms": _best_ms(lambda: find_bias(told)),
        "extraction_of_10k_source_ms": _best_ms(
            lambda: check_extraction(made.truth, Index([source]))
        ),
        "extraction_of_one_resume_ms": _best_ms(lambda: check_extraction(made.truth, _index(made))),
    }


# -- report ----------------------------------------------------------------------------------------


def _print(figures: Figures, times: dict[str, float]) -> None:
    console = Console(width=100)
    for title, shares in (
        ("Faults found in extractions", figures.extraction),
        ("Faults found in explanations (sentence called doubtful)", figures.explanation),
        (
            "False alarms",
            {
                "right fields": figures.fields,
                "resumes with any": figures.resumes,
                "right sentences": figures.sentences,
            },
        ),
    ):
        table = Table("what", "share (95 % interval), of", title=title)
        for name, share in shares.items():
            table.add_row(name, str(share))
        console.print(table)
    table = Table("what", "ms of CPU, best of 7", title="Time")
    for name, ms in times.items():
        table.add_row(name, f"{ms:.1f}")
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy_output", description=__doc__)
    parser.add_argument("--resumes", type=int, default=500, help="made resumes (%(default)s)")
    parser.add_argument("--seed", type=int, default=20_000, help="of the first (%(default)s)")
    options = parser.parse_args()
    figures = measure(options.resumes, options.seed)
    times = speed()
    _print(figures, times)
    print(
        json.dumps(
            {
                "extraction_recall": {k: round(s.value, 4) for k, s in figures.extraction.items()},
                "explanation_recall": {
                    k: round(s.value, 4) for k, s in figures.explanation.items()
                },
                "extraction_false_alarms": round(figures.fields.value, 5),
                "explanation_false_doubts": round(figures.sentences.value, 5),
                **{name: round(ms, 2) for name, ms in times.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
