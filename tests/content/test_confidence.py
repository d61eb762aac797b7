"""Confidence: each signal, how they are combined, and what follows at the threshold."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.confidence.agreement import field_agreement, structured_agreement, text_agreement
from plugins.confidence.calibration import Calibrator
from plugins.confidence.rules import (
    THRESHOLD,
    UNTOLD,
    Confidence,
    ConfidencePolicy,
    Schema,
    Signal,
    Signals,
    SoftReject,
    combined,
    confidence_of,
    self_report,
)
from plugins.confidence.tokens import (
    Token,
    answer_probability,
    field_probabilities,
    tokens_of,
)
from plugins.core.verdict import Verdict

# -- tokens ----------------------------------------------------------------------------------------


def _row(text: str, probability: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability)} | more


def _tokens(*pieces: str | tuple[str, float]) -> tuple[Token, ...]:
    rows = [_row(p) if isinstance(p, str) else _row(*p) for p in pieces]
    return tokens_of(rows)


def test_a_field_is_as_probable_as_its_tokens() -> None:
    tokens = _tokens(
        '{"', "name", '":"', ("Jan", 0.8), ("e", 0.5), '","', "score", '":', ("80", 0.9), "}"
    )
    name, score = field_probabilities(tokens)
    assert (name.path, score.path) == ("name", "score")
    assert name.probability == pytest.approx(0.4)
    assert (name.lowest, name.tokens) == (pytest.approx(0.5), 2)
    assert score.probability == pytest.approx(0.9)


def test_a_token_that_reaches_over_a_value_s_edge_counts_for_it() -> None:
    [field] = field_probabilities(_tokens('{"a', '":', (' "Jane', 0.6), ('" }', 0.9)))
    assert field.probability == pytest.approx(0.6)


def test_a_character_may_be_of_several_tokens() -> None:
    data = '{"a":"\U0001f600 M\u00fcller","b":1}'.encode()
    cut = [data[:8], data[8:10], data[10:16], data[16:]]
    rows = [_row("\\x", 0.5, bytes=list(part)) for part in cut]
    a, b = field_probabilities(tokens_of(rows))
    assert (a.tokens, b.tokens) == (4, 1)
    assert b.probability == pytest.approx(0.5)


def test_a_long_value_counts_as_eight_tokens() -> None:
    [field] = field_probabilities(_tokens('{"a":"', *[("word ", 0.9)] * 80, '"}'))
    assert field.probability == pytest.approx(0.9**8)


def test_an_answer_is_as_sure_as_its_least_sure_quarter() -> None:
    pieces: list[str | tuple[str, float]] = ["["]
    for chance in (0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.4):
        pieces += [("5", chance), ","]
    tokens = _tokens(*pieces[:-1], "]")
    assert answer_probability(tokens) == pytest.approx(0.3)


def test_prose_has_the_mean_of_its_tokens() -> None:
    assert answer_probability(_tokens(("I", 0.5), (" see", 0.125))) == pytest.approx(0.25)
    assert answer_probability(()) is None


@pytest.mark.parametrize(
    "content",
    [None, "text", 5, [None], [{"token": "a"}], [{"logprob": -1}], [_row("a") | {"logprob": "x"}],
     [_row("a", bytes=[300])], [{"token": "a", "logprob": math.nan}]],
)  # fmt: skip
def test_log_probabilities_that_cannot_be_read_are_none(content: Any) -> None:
    assert tokens_of(content) == ()


VALUES = st.dictionaries(
    st.sampled_from("abcd"),
    st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=4), max_size=3),
)  # fmt: skip


@given(VALUES, st.lists(st.integers(1, 5), min_size=1, max_size=40), st.floats(-3, 0))
def test_any_cut_into_tokens_gives_probabilities(
    value: dict[str, Any], sizes: list[int], logprob: float
) -> None:
    data = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    tokens = tuple(Token(piece, logprob) for piece in pieces)
    for field in field_probabilities(tokens):
        assert 0.0 <= field.probability <= 1.0
        assert field.lowest <= 1.0
    answer = answer_probability(tokens)
    assert answer is None or 0.0 <= answer <= 1.0


def test_ten_thousand_tokens_take_little_time() -> None:
    tokens = _tokens('{"a":[', *['"w ', 'x",'] * 5000, "1]}")
    began = time.process_time()
    assert len(field_probabilities(tokens)) == 5001
    assert time.process_time() - began < 1.0


# -- agreement -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "samples", "share"),
    [
        ({"a": 1, "b": "X"}, [{"b": "x ", "a": 1.0}], 1.0),
        ({"a": 1, "b": "x"}, [{"a": 1, "b": "y"}], 0.5),
        ({"a": 1}, [{"a": 1}, {"a": 2}], 0.5),
        ({"a": 1}, [{"a": 1, "b": 2}], 0.5),
        ({"s": ["SQL", "Python"]}, [{"s": ["python", "sql"]}], 1.0),
        ({"s": ["SQL", "Python"]}, [{"s": ["SQL", "Java"]}], 0.5),
        ({"e": [{"t": "A"}, {"t": "B"}]}, [{"e": [{"t": "A"}, {"t": "C"}]}], 0.5),
        ({"a": True}, [{"a": 1}], 0.0),
        ({"a": None}, [{"a": None}], 1.0),
        ({}, [{"a": 1}], 0.0),
    ],
)
def test_structured_answers_agree_field_by_field(
    answer: Any, samples: list[Any], share: float
) -> None:
    assert structured_agreement(answer, samples) == pytest.approx(share)


def test_without_samples_nothing_agrees() -> None:
    assert structured_agreement({"a": 1}, []) is None
    assert structured_agreement({}, [{}]) is None
    assert text_agreement("x", []) is None
    assert text_agreement("the of", ["x"]) is None


def test_the_field_that_differs_is_named() -> None:
    shares = field_agreement({"a": 1, "b": 2}, [{"a": 1, "b": 3}])
    assert shares == {("a",): 1.0, ("b",): 0.0}


def test_texts_agree_by_words_and_numbers() -> None:
    text = "She managed 5 people at Acme."
    assert text_agreement(text, ["At Acme, she was managing 5 people!"]) == pytest.approx(1.0)
    assert text_agreement(text, ["She managed 9 people at Acme."]) == pytest.approx(0.5)
    assert text_agreement(text, ["Nothing of the kind."]) == pytest.approx(0.0)


@given(VALUES, st.lists(VALUES, min_size=1, max_size=3))
def test_agreement_is_a_share_and_an_answer_agrees_with_itself(
    answer: dict[str, Any], samples: list[dict[str, Any]]
) -> None:
    share = structured_agreement(answer, samples)
    assert share is None or 0.0 <= share <= 1.0
    assert structured_agreement(answer, [answer] * 2) in (None, 1.0)
    turned = [dict(reversed(sample.items())) for sample in reversed(samples)]
    other = structured_agreement(dict(reversed(answer.items())), turned)
    assert share is None or share == pytest.approx(other)


# -- self-report -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ('{"confidence": 0.85}', 0.85), ('{"confidence": 85}', 0.85),
        ('{"confidence": "85%"}', 0.85), ('{"confidence": "high"}', 0.9),
        ('{"confidence": 1}', 1.0), ('{"confidence": true}', None),
        ('{"confidence": -1}', None), ('{"confidence": 500}', None), ('{"a": 1}', None),
        ("Confidence: 80%", 0.8), ("My confidence is 0.7.", 0.7), ("**Confidence:** 90", 0.9),
        ("I am confident.", None), ("", None),
    ],
)  # fmt: skip
def test_a_model_s_own_word_is_read_or_left(answer: str, share: float | None) -> None:
    assert self_report(answer) == (None if share is None else pytest.approx(share))


# -- combination -----------------------------------------------------------------------------------

SHARES = st.none() | st.floats(0, 1)
SIGNALS = st.builds(
    Signals, groundedness=SHARES, agreement=SHARES, tokens=SHARES, self_report=SHARES,
    schema=st.sampled_from(Schema),
)  # fmt: skip


@pytest.mark.parametrize(
    ("signals", "value"),
    [
        (Signals(), UNTOLD),
        (Signals(groundedness=0.8), 0.8),
        (Signals(self_report=0.9), 0.9),
        (Signals(groundedness=1.0, agreement=1.0, tokens=1.0, self_report=1.0), 1.0),
        (Signals(groundedness=0.5, agreement=1.0), 0.5 ** (0.45 / 0.7)),
        (Signals(groundedness=1.0, schema=Schema.MENDED), 0.9),
        (Signals(groundedness=1.0, schema=Schema.INVALID), 0.3),
        (Signals(schema=Schema.INVALID), 0.3),
        (Signals(groundedness=1.0, schema=Schema.VALID), 1.0),
        (Signals(groundedness=math.nan, tokens=0.4), 0.4),
        (Signals(tokens=7.0), 1.0),
    ],
)
def test_signals_are_combined_as_stated(signals: Signals, value: float) -> None:
    assert combined(signals) == pytest.approx(value)


def test_one_unfounded_answer_is_not_outvoted() -> None:
    assert combined(Signals(groundedness=0.1, agreement=1.0, tokens=1.0, self_report=1.0)) < 0.5


@given(SIGNALS, st.sampled_from(list(Signal)), st.floats(0, 1), st.floats(0, 1))
def test_confidence_never_falls_when_a_signal_rises(
    signals: Signals, signal: Signal, one: float, two: float
) -> None:
    held = {s.value: getattr(signals, s.value) for s in Signal}
    low, high = sorted((one, two))
    lower = combined(Signals(**held | {signal.value: low}, schema=signals.schema))
    higher = combined(Signals(**held | {signal.value: high}, schema=signals.schema))
    assert 0.0 <= lower <= higher + 1e-12 <= 1.0 + 1e-12


@given(SIGNALS, st.floats(0, 3), st.floats(-2, 2))
def test_confidence_is_within_bounds_and_says_what_it_rests_on(
    signals: Signals, slope: float, intercept: float
) -> None:
    for calibrator in (None, Calibrator(slope, intercept, labels=60, right=30)):
        confidence = confidence_of(signals, calibrator)
        assert 0.0 <= confidence.value <= 1.0
        assert set(confidence.basis) == set(signals.known)
        assert confidence.calibrated == (calibrator is not None and bool(confidence.basis))


def test_a_calibrator_without_labels_enough_is_not_used() -> None:
    few = Calibrator(2.0, 1.0, labels=49, right=40)
    assert confidence_of(Signals(groundedness=0.6), few) == Confidence(
        0.6, 0.6, (Signal.GROUNDEDNESS,), calibrated=False
    )


def test_no_history_makes_an_unusable_answer_usable() -> None:
    generous = Calibrator(1.0, 5.0, labels=500, right=499)
    refused = confidence_of(Signals(groundedness=1.0, schema=Schema.INVALID), generous)
    assert refused.value <= 0.3
    assert refused.calibrated


# -- what follows ----------------------------------------------------------------------------------


def _sure(value: float, *basis: Signal) -> Confidence:
    return Confidence(value, value, basis, calibrated=True)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (THRESHOLD, Verdict.ALLOW),
        (math.nextafter(THRESHOLD, 0), Verdict.SOFT_REJECT),
        (0.0, Verdict.SOFT_REJECT),
        (1.0, Verdict.ALLOW),
    ],
)
@pytest.mark.parametrize("soft_reject", SoftReject)
def test_below_0_7_is_soft_rejected_and_0_7_is_not(
    value: float, verdict: Verdict, soft_reject: SoftReject
) -> None:
    assert ConfidencePolicy(soft_reject=soft_reject).verdict(_sure(value)) is verdict


def test_an_answer_of_which_nothing_is_known_is_not_rejected_for_that() -> None:
    assert ConfidencePolicy().verdict(confidence_of(Signals())) is Verdict.ALLOW


@pytest.mark.parametrize(
    ("value", "basis", "wanted"),
    [
        (0.7, (), True), (0.62, (), True), (0.78, (), True), (0.55, (), False), (0.9, (), False),
        (0.7, (Signal.AGREEMENT,), False),
    ],
)  # fmt: skip
def test_samples_are_worth_their_cost_only_near_the_threshold(
    value: float, basis: tuple[Signal, ...], wanted: bool
) -> None:
    assert ConfidencePolicy(samples=3).wants_samples(_sure(value, *basis)) is wanted
    assert not ConfidencePolicy().wants_samples(_sure(value, *basis))
