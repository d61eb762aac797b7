"""Every check in every mode on every endpoint, stream or not: what SDK and ledger say."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gate_cases import (
    ANSWERED,
    CODES,
    Case,
    Clients,
    Outcome,
    cases,
    policy,
)
from tests.gateway.running import running

pytestmark = pytest.mark.spec("10.4")

Seen = dict[Case, tuple[Outcome, dict[str, Any]]]
KEPT_BACK = frozenset({"content_filter", "refusal"})
MASKED_INPUT = frozenset({"pii", "sql_injection", "profanity", "prompt_injection"})
MASKED_OUTPUT = frozenset({"toxicity", "pii_output"})


@pytest.fixture(scope="module")
def seen(new_folder: Callable[[str], Path]) -> Iterator[Seen]:
    """Go through all cases once, then fetch their rows."""
    folder = new_folder("matrix")
    with (
        running(folder, workers=2, policy=policy()) as gateway,
        closing(Clients(gateway, gateway.new_key())) as clients,
    ):
        wanted = cases()
        found = dict(clients.run(c for c in wanted if c.side == "asked"))
        for check, text in ANSWERED.items():
            fault = {"kind": "answer", "text": text}
            for provider in ("openai", "anthropic"):
                gateway.faults(provider, fault)
            found |= clients.run(c for c in wanted if (c.side, c.check) == ("answered", check))
        yield {case: (made, gateway.call_row(made.call_id)) for case, made in found.items()}


def _expected(case: Case) -> str:
    """The action that is told: `none`, or one of `core.verdict.Action`."""
    if case.mode == "off":
        return "none"
    if case.mode != "mask":
        return case.mode
    if case.side == "answered":
        return "mask" if case.check in MASKED_OUTPUT else "flag"
    # Of a prompt's length nothing can be masked, nor in a form's bytes.
    if case.check == "length" or (case.check in MASKED_INPUT and case.endpoint == "transcriptions"):
        return "block"
    return "mask" if case.check in MASKED_INPUT else "flag"


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_check_does_what_its_mode_says(case: Case, seen: Seen) -> None:
    made, row = seen[case]
    action = _expected(case)
    found = [finding for finding in row["findings"] if finding["check"] == case.check]
    assert {finding["action"] for finding in found} == ({action} - {"none"}), (made, row)
    assert [f for f in row["findings"] if f["check"] != case.check] == []
    if action == "block":
        _is_kept_back(case, made, row)
    else:
        _is_delivered(case, made, row, action)


def _is_kept_back(case: Case, made: Outcome, row: dict[str, Any]) -> None:
    assert (row["outcome"], row["verdict"]) == ("refused", "block")
    if made.status == 200:
        assert case.stream, "a whole answer is refused with a status"
        assert case.side == "answered"
        assert made.finish in KEPT_BACK
    else:
        assert (made.status, row["status"]) == (400, 400)
        assert made.code == CODES.get(case.check, "content_blocked")
    if case.side == "asked":
        assert made.status == 400
    else:
        assert row["output_tokens"] > 0 or case.endpoint == "transcriptions"
    if case.check in MASKED_OUTPUT:
        assert ANSWERED[case.check] not in made.text
    # That a prompt is too long needs nobody's eyes.
    _says(made, "block", reviewed=case.check != "length")


def _is_delivered(case: Case, made: Outcome, row: dict[str, Any], action: str) -> None:
    assert (made.status, row["status"], row["outcome"]) == (200, 200, "answered")
    assert made.finish not in KEPT_BACK
    assert made.text
    if case.side == "answered":
        assert (made.text == ANSWERED[case.check]) is (action != "mask")
    verdict = {"flag": "flag"}.get(action, "allow")
    if action == "flag" and case.check == "confidence":
        verdict = "soft_reject"
    assert row["verdict"] == verdict
    if action == "none":
        assert made.review is None
    elif case.endpoint != "speech":
        _says(made, verdict, reviewed=action == "flag")
    assert ("x-sluice-review-id" in made.headers) is (action == "flag" and not _is_late(case))


def _is_late(case: Case) -> bool:
    """What is found at the end of a stream comes after its headers."""
    return case.stream and case.side == "answered"


def _says(made: Outcome, verdict: str, *, reviewed: bool) -> None:
    assert made.review is not None, made
    assert made.review["verdict"] == verdict
    assert made.review["findings"]
    assert bool(made.review.get("review_id")) is reviewed
