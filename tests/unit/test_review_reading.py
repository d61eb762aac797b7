"""What a reviewer is shown of an answer: its layout, its marked places, findings in plain words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.errors import Conflict, InvalidRequest, Unavailable
from plugins.review.dossier import Dossier, Mark
from plugins.review.layout import MOST, laid_out
from plugins.review.reading import MOST_PLACES, Stretch, read, stretches
from plugins.review.words import gist, place_words, told, why

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(
    VALUES.filter(lambda value: isinstance(value, dict | list)),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_laying_out_changes_blank_space_only(value: Any, separators: tuple[str, str]) -> None:
    answer = json.dumps(value, ensure_ascii=False, separators=separators)
    laid = laid_out(answer)
    assert json.loads(laid.text) == value
    assert "".join(laid.text.split()) == "".join(answer.split())
    for position, character in enumerate(answer):
        if not character.isspace():
            assert laid.text[laid.at(position)] == character


@given(VALUES.filter(lambda value: isinstance(value, dict | list)))
def test_every_value_is_found_by_its_path(value: Any) -> None:
    answer = json.dumps(value)
    fields = laid_out(answer).fields
    assert fields[""] == (0, len(answer))
    for start, end in fields.values():
        json.loads(answer[start:end])


@pytest.mark.parametrize(
    ("answer", "path", "quoted"),
    [
        ('{"a":{"b":[1,{"c":"x"}]}}', ".a.b[1].c", '"x"'),
        ('{"a":{"b":[1,{"c":"x"}]}}', ".a.b[0]", "1"),
        ('{"a":{"b":[1,{"c":"x"}]}}', ".a.b", '[1,{"c":"x"}]'),
        ('{"a, \\"b": "]}"}', '.a, "b', '"]}"'),
        ("[null,true,-1.5e3]", "[2]", "-1.5e3"),
        ('```json\n{"a": 1}\n```', ".a", "1"),
        ('{\n  "a": [\n    2\n  ]\n}', ".a[0]", "2"),
    ],
)
def test_a_field_is_found_in_the_answer(answer: str, path: str, quoted: str) -> None:
    start, end = laid_out(answer).fields[path]
    assert answer[start:end] == quoted


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "She fits.",
        '{"a": 1',
        '{"a": 1}}',
        "{'a': 1}",
        '"a string"',
        "[" * 5000,
        "[" * 50_000 + "]" * 50_000,
        '{\n"kept": "as it is"}',
        '["' + "a" * MOST + '"]',
    ],
)
def test_what_is_no_json_or_laid_out_already_stays_as_it_is(answer: str) -> None:
    assert laid_out(answer).text == answer


@given(
    st.text(max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40)), max_size=6)
)
def test_stretches_are_the_text_and_cover_each_span(
    text: str, wanted: list[tuple[int, int]]
) -> None:
    spans = [(a, min(b, len(text))) for a, b in wanted if a < min(b, len(text))]
    pieces = stretches(text, spans)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    for number, (start, end) in enumerate(spans, 1):
        inside = [piece for piece in pieces if number in piece.numbers]
        assert "".join(piece.text for piece in inside) == text[start:end]
        assert [number in piece.begins for piece in inside] == [True] + [False] * (len(inside) - 1)


def _finding(where: str, **more: Any) -> dict[str, Any]:
    return {"check": "groundedness", "code": "unsupported_value", "where": where} | more


def test_findings_are_numbered_by_their_place_and_the_others_come_after() -> None:
    reading = read(
        [
            _finding("messages[2].content:3-9"),
            _finding("answer:10-14"),
            _finding("answer", score=0.5),
            _finding("answer:0-3"),
        ],
        Dossier(output="She worked here."),
    )
    assert [(one.number, one.excerpt, one.where) for one in reading.found] == [
        (1, "She", ""),
        (2, " her", ""),
        (0, "", "in message 3"),
        (0, "", ""),
    ]
    assert reading.stretches == [
        Stretch("She", (1,), (1,)),
        Stretch(" worked", (), ()),
        Stretch(" her", (2,), (2,)),
        Stretch("e.", (), ()),
    ]


def test_a_mark_at_a_findings_place_explains_it_and_any_other_is_a_finding_of_its_own() -> None:
    marks = (Mark(0, 3, "who is this?"), Mark(4, 10, "when?"), Mark(5, 999, "beyond"))
    reading = read([_finding("answer:0-3")], Dossier(output="She worked.", marks=marks))
    assert [(one.title, one.where) for one in reading.found] == [
        ("Not in the sources: unsupported value", "who is this?"),
        ("when?", ""),
    ]


def test_a_mark_that_repeats_its_findings_name_adds_nothing() -> None:
    marks = (Mark(0, 3, "groundedness: unsupported_value"),)
    reading = read([_finding("answer[0]:0-3")], Dossier(output="She worked.", marks=marks))
    (one,) = reading.found
    assert (one.number, one.excerpt, one.where) == (1, "She", "")


def test_a_place_in_a_laid_out_answer_moves_with_its_text() -> None:
    reading = read(
        [_finding("answer.b[0]"), _finding("answer.a")], Dossier(output='{"a":1,"b":[2]}')
    )
    assert [piece.text for piece in reading.stretches if piece.numbers] == ["1", "2"]
    assert "".join(piece.text for piece in reading.stretches) == (
        '{\n  "a": 1,\n  "b": [\n    2\n  ]\n}'
    )


@pytest.mark.parametrize(
    "where",
    [
        *("", "answer", "answer:5-5", "answer:9-3", "answer:999-1000", "answer.unknown"),
        *("answer[1]", "answer:x-y", "Answer:0-3", "answers:0-3", "answer:0-3\n"),
        "messages[0].content:0-3",
    ],
)
def test_a_place_that_is_not_in_the_answer_marks_nothing(where: str) -> None:
    reading = read([_finding(where)], Dossier(output="She worked."))
    assert [piece.numbers for piece in reading.stretches] == [()]
    assert [one.number for one in reading.found] == [0]


@pytest.mark.parametrize(
    "finding", [{}, {"check": None, "code": None, "where": None}, {"score": "x"}]
)
def test_a_finding_that_lacks_everything_is_shown_all_the_same(finding: dict[str, Any]) -> None:
    (one,) = read([finding], None).found
    assert one.title.startswith("Finding")
    assert one.score is None


def test_an_answer_full_of_findings_is_marked_at_its_first_places_and_loses_none() -> None:
    output = "x " * (MOST_PLACES + 5)
    findings = [_finding(f"answer:{n}-{n + 1}") for n in range(MOST_PLACES + 5)]
    reading = read(findings, Dossier(output=output))
    assert len(reading.found) == MOST_PLACES + 5
    assert max(one.number for one in reading.found) == MOST_PLACES


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("messages[0].content:12-40", "in message 1"),
        ("sources[1]", "in source 2"),
        ("answer[1]", "in a further answer, 2"),
        ("answer", ""),
        (None, ""),
        ("tools[0]", "at tools[0]"),
    ],
)
def test_a_place_elsewhere_is_put_in_words(where: str | None, words: str) -> None:
    assert place_words(where) == words


def test_an_unknown_reason_keeps_its_own_words() -> None:
    assert why("new_reason").name == "New reason"
    assert gist([]) == ""


@pytest.mark.parametrize(
    ("error", "title", "field"),
    [
        (Unavailable("PostgreSQL is away"), "The queue cannot be reached just now", ""),
        (Conflict("x", code="review_claimed"), "Another reviewer is working on this item", ""),
        (Conflict("x", code="other"), "That did not work", ""),
        (InvalidRequest("Say why.", param="reason"), "Nothing was decided yet", "reason"),
    ],
)
def test_refusals_are_told_in_plain_words(error: Any, title: str, field: str) -> None:
    assert (told(error).title, told(error).field) == (title, field)
