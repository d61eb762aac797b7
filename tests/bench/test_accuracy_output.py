"""The checks of answers keep the recall that is stated for them, on resumes of other seeds."""

import json
import subprocess
import sys

import pytest

from bench.accuracy_output.__main__ import Figures, Share, measure


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure(60, first_seed=900_000)


def test_faults_in_extractions_are_found(figures: Figures) -> None:
    assert len(figures.extraction) == 23
    low = {kind: str(s) for kind, s in figures.extraction.items() if s.of < 30 or s.value < 0.93}
    assert low == {}


def test_faults_in_explanations_are_found(figures: Figures) -> None:
    low = {kind: str(s) for kind, s in figures.explanation.items() if s.value < 0.9}
    # A year near one of the sentence's names passes, though it may be another name's.
    assert set(low) <= {"year"}
    assert figures.explanation["year"].value >= 0.67


def test_right_answers_are_hardly_ever_called_wrong(figures: Figures) -> None:
    assert figures.fields.value <= 0.005
    assert figures.sentences.value <= 0.01


def test_a_share_s_interval_is_wilson_s() -> None:
    low, high = Share(8, 10).interval
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert Share().interval == (0.0, 1.0)


def test_the_command_prints_a_line_of_json() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.accuracy_output", "--resumes", "3"],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    last = json.loads(run.stdout.splitlines()[-1])
    assert last["extraction_recall"]["company"] == 1.0
    assert last["extraction_10k_ms"] > 0
