"""`make accuracy` on a small folder of its own: figures, and files that are missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.accuracy.data import Folder
from bench.accuracy.measure import measured, tally
from bench.accuracy.scores import Share, Tally, area_under_roc
from plugins.moderation.rules import Hit


def test_wilsons_interval_is_the_published_one() -> None:
    low, high = Share(81, 263).interval
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I
    assert Share(0, 0).value is None


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [([1, 2], [0], 1.0), ([0], [1], 0.0), ([1], [1], 0.5), ([1, 3], [2], 0.5), ([], [1], None)],
)
def test_the_area_is_the_chance_to_rank_rightly(
    positive: list[float], negative: list[float], area: float | None
) -> None:
    assert area_under_roc(positive, negative) == area


def test_a_place_counts_when_it_overlaps() -> None:
    hits = [Hit("iban", 3, 6, 1.0), Hit("iban", 20, 22, 1.0)]
    assert tally([(5, 9), (10, 12)], hits) == Tally(right=1, wrong=1, missed=1)


def test_a_folder_gives_the_figures_and_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sqli_attacks.txt").write_text("' or 1=1--\nhello there\n")
    (tmp_path / "job_sentences_benign.txt").write_text("We use SQL.\nCard 4111111111111111.\n")
    marked = {
        "full_text": "mail a@example.com",
        "spans": [{"entity_type": "EMAIL_ADDRESS", "start_position": 5, "end_position": 18}],
    }
    (tmp_path / "pii_synth.jsonl").write_text(json.dumps(marked) + "\n")
    report = measured(Folder(tmp_path), lambda _: None)
    assert report.figures["sql_injection_recall"] == 0.5
    assert report.figures["sql_injection_fpr_jobs"] == 0.0
    assert report.figures["pii_recall"] == 1.0
    assert report.figures["pii_fpr_jobs"] == 0.5
    assert report.figures["toxicity_auc"] is None
    assert "toxicity.jsonl" in report.missing


def test_the_last_line_is_json_and_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.accuracy", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(figures.values()) == {None}
    assert "Missing: sqli_attacks.txt" in done.stdout


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.accuracy", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "DATA=folder" in done.stdout.replace("\n", " ")
