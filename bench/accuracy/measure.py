"""Runs the checks over a data folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.accuracy.data import Folder, held_out
from bench.accuracy.scores import Share, Tally, area_under_roc
from bench.figures import percentile
from plugins.moderation.checks import input_checks, pii
from plugins.moderation.pii.contacts import Contacts
from plugins.moderation.profanity import Profanity
from plugins.moderation.reader import Reader
from plugins.moderation.rules import Hit, Recogniser
from plugins.moderation.sql import Field, SqlInjection
from plugins.moderation.toxicity import Toxicity

JOBS: Final = "job_sentences_benign.txt"
KINDS: Final = {
    "CREDIT_CARD": "card_number",
    "IBAN_CODE": "iban",
    "US_SSN": "us_ssn",
    "EMAIL_ADDRESS": "email",
}
"""The kinds that count, by their names in the data; others are neither asked for nor judged."""

_PROMPT_CHARACTERS: Final = 42_000
"""About 10K tokens, the longest prompt that is let in (SPEC 10.1)."""


@dataclass(slots=True)
class Row:
    """One line of the report; shares without cases are left blank.

    Args:
        check: what was measured.
        tally: findings against marks, where the data has both.
        recall: share of the bad that was found.
        false_positives: share of the good in which something was found.
        area: area under the ROC curve.
        cost_us: microseconds per 1K tokens (4.2 characters each).
    """

    check: str
    tally: Tally | None = None
    recall: Share | None = None
    false_positives: Share | None = None
    area: float | None = None
    cost_us: float | None = None


@dataclass(slots=True)
class Report:
    """All that was measured.

    Args:
        rows: for people.
        figures: for programs; null where the data was missing.
        missing: files that were not there.
    """

    rows: list[Row] = field(default_factory=list[Row])
    figures: dict[str, float | None] = field(default_factory=dict[str, float | None])
    missing: list[str] = field(default_factory=list[str])


def measured(folder: Folder, progress: Callable[[str], None]) -> Report:
    """Run every check over its data.

    Args:
        folder: the data.
        progress: told what is being measured.
    """
    report = Report()
    jobs = folder.lines(JOBS)
    for name, part in (
        ("SQL injection", _sql),
        ("personal data", _pii),
        ("profanity", _profanity),
        ("toxicity", _toxicity),
        ("one prompt of 10K tokens", _time),
    ):
        progress(name)
        part(folder, jobs, report)
    report.missing = sorted(set(folder.missing))
    return report


def _share(checks: Sequence[Recogniser], texts: Sequence[str]) -> Share:
    reader = Reader(checks)
    return Share(sum(1 for text in texts if reader.found(text)), len(texts))


def _sql(folder: Folder, jobs: list[str], report: Report) -> None:
    attacks = folder.lines("sqli_attacks.txt")
    # Each attack stands between two sentences, always the same two.
    embedded = [
        f"{jobs[place * 7 % len(jobs)]} {attack} {jobs[place * 11 % len(jobs)]}"
        for place, attack in enumerate(attacks)
        if jobs
    ]
    lookalikes = folder.lines("sqli_lookalikes_benign.txt")
    for kind in Field:
        check = (SqlInjection(kind),)
        bare, wrapped = _share(check, attacks), _share(check, embedded)
        clean, alike = _share(check, jobs), _share(check, lookalikes)
        cost = _cost_us(check, jobs)
        report.rows += [
            Row(f"SQL injection, bare ({kind})", recall=bare, false_positives=clean, cost_us=cost),
            Row(f"SQL injection, in prose ({kind})", recall=wrapped),
            Row(f"SQL lookalikes ({kind})", false_positives=alike),
        ]
        if kind is Field.PROSE:
            report.figures |= {
                "sql_injection_recall": bare.value,
                "sql_injection_embedded_recall": wrapped.value,
                "sql_injection_fpr_jobs": clean.value,
            }
            unseen = [held_out(attack) for attack in attacks]
            half = [text for text, kept in zip(attacks, unseen, strict=True) if kept]
            whole = [text for text, kept in zip(embedded, unseen, strict=False) if kept]
            report.rows += [
                Row("  bare, held-out quarter", recall=_share(check, half)),
                Row("  in prose, held-out quarter", recall=_share(check, whole)),
            ]


def _pii(folder: Folder, jobs: list[str], report: Report) -> None:
    checks = (*pii(), Contacts())
    reader = Reader(checks)
    tallies = dict.fromkeys(KINDS.values(), Tally())
    strays = 0
    for sentence in folder.sentences("pii_synth.jsonl"):
        hits = [hit for found in reader.found(sentence.text).values() for hit in found]
        for name, code in KINDS.items():
            spans = [(start, end) for kind, start, end in sentence.spans if kind == name]
            tallies[code] += tally(spans, [hit for hit in hits if hit.code == code])
        # What would stop the call, other kinds included, and stands on nothing that is marked.
        others = [hit for hit in hits if hit.code not in {*KINDS.values(), "phone"}]
        strays += tally([(start, end) for _, start, end in sentence.spans], others).wrong
    total = sum(tallies.values(), Tally(wrong=strays))
    clean = _share(pii(), jobs)
    report.rows += [Row(f"personal data: {code}", each) for code, each in tallies.items()]
    report.rows.append(
        Row("personal data, together", total, None, clean, cost_us=_cost_us(checks, jobs))
    )
    report.figures |= {
        "pii_precision": total.precision.value,
        "pii_recall": total.recall.value,
        "pii_fpr_jobs": clean.value,
    }


def tally(spans: Sequence[tuple[int, int]], hits: Sequence[Hit]) -> Tally:
    """Compare places: a mark is found when a hit overlaps it, and a hit is right likewise."""
    found = sum(any(hit.start < end and start < hit.end for hit in hits) for start, end in spans)
    right = sum(any(hit.start < end and start < hit.end for start, end in spans) for hit in hits)
    return Tally(found, len(hits) - right, len(spans) - found)


def _profanity(folder: Folder, jobs: list[str], report: Report) -> None:
    check = (Profanity(),)
    terms = folder.labelled("profanity_terms.jsonl", "severity_description")
    for severity in sorted({severity for _, severity in terms}):
        texts = [text for text, label in terms if label == severity]
        report.rows.append(Row(f"profanity, {severity.lower()} terms", recall=_share(check, texts)))
    clean = _share(check, jobs)
    report.rows.append(Row("profanity", false_positives=clean, cost_us=_cost_us(check, jobs)))
    report.figures["profanity_fpr_jobs"] = clean.value


def _toxicity(folder: Folder, jobs: list[str], report: Report) -> None:
    check = Toxicity()
    reader = Reader([check])
    comments = folder.labelled("toxicity.jsonl", "is_toxic")
    scores = [(check.score(reader.read(text)), label == "Toxic", text) for text, label in comments]

    def area(rows: Sequence[tuple[float, bool, str]]) -> float | None:
        return area_under_roc(
            [score for score, toxic, _ in rows if toxic],
            [score for score, toxic, _ in rows if not toxic],
        )

    report.rows += [
        Row(
            "toxicity (offline)",
            area=area(scores),
            false_positives=_share((check,), jobs),
            cost_us=_cost_us((check,), jobs),
        ),
        Row("  held-out quarter", area=area([row for row in scores if held_out(row[2])])),
    ]
    report.figures["toxicity_auc"] = area(scores)


def _time(folder: Folder, jobs: list[str], report: Report) -> None:
    del folder
    checks = input_checks()
    spent = sorted(_timings(checks, jobs))
    if spent:
        steps = sorted(_longest_steps(checks, jobs))
        report.figures["input_checks_longest_step_p50_ms"] = round(percentile(steps, 0.5) * 1e3, 3)
        report.figures["input_checks_longest_step_max_ms"] = round(steps[-1] * 1e3, 3)
        report.figures["input_checks_10k_tokens_p95_ms"] = round(percentile(spent, 0.95) * 1e3, 3)
        report.figures["input_checks_10k_tokens_p50_ms"] = round(percentile(spent, 0.5) * 1e3, 3)


def _longest_steps(checks: Sequence[Recogniser], jobs: list[str], rounds: int = 60) -> list[float]:
    """Give, for different prompts of 10K tokens, the processor's seconds in the longest step."""
    reader, whole = Reader(checks), "\n".join(jobs)
    longest: list[float] = []
    for turn in range(rounds + 1):
        start = turn * 7_919 % max(1, len(whole) - _PROMPT_CHARACTERS)
        steps, took, done = reader.steps(whole[start : start + _PROMPT_CHARACTERS]), 0.0, False
        while not done:
            began = time.thread_time()
            done = next(steps, None) is None
            took = max(took, time.thread_time() - began)
        longest.append(took)
    return longest[1:]


def _timings(checks: Sequence[Recogniser], jobs: list[str], rounds: int = 60) -> list[float]:
    """Give the seconds that a prompt of 10K tokens takes, for different prompts of job text."""
    reader = Reader(checks)
    whole = "\n".join(jobs)
    if not whole:
        return []
    spent: list[float] = []
    for turn in range(rounds + 1):
        start = turn * 7_919 % max(1, len(whole) - _PROMPT_CHARACTERS)
        prompt = whole[start : start + _PROMPT_CHARACTERS]
        began = time.perf_counter()
        reader.found(prompt)
        spent.append(time.perf_counter() - began)
    return spent[1:]


def _cost_us(checks: Sequence[Recogniser], jobs: list[str]) -> float | None:
    spent = _timings(checks, jobs, rounds=20)
    return percentile(spent, 0.5) * 1e6 / 10 if spent else None
