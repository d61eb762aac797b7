"""JSON as models write it: what is mended, what is left out, and that it takes bounded time."""

import gc
import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins.core.json_text import DEEPEST, Mend, leaves_of, parse, path_text, read

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_-é ", max_size=5), inner)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value", "mends"),
    [
        ('{"a": 1}', {"a": 1}, ()),
        ('```json\n{"a": 1}\n```', {"a": 1}, (Mend.FENCE,)),
        ("```\n[1]\n```\nDone.", [1], (Mend.FENCE, Mend.AROUND)),
        ('Sure! Here it is: {"a": 1} Enjoy.', {"a": 1}, (Mend.AROUND,)),
        ('I think [sic] {"a": 1}', {"a": 1}, (Mend.AROUND,)),
        ('{"a": [1, 2,],}', {"a": [1, 2]}, (Mend.TRAILING_COMMA,)),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}, (Mend.MISSING_COMMA,)),
        ('{"a": "x"\n"b": 2}', {"a": "x", "b": 2}, (Mend.MISSING_COMMA,)),
        ("{'a': 'O'Brien'}", {"a": "O'Brien"}, (Mend.QUOTES, Mend.INNER_QUOTES)),
        ('{"a": "the "old" one"}', {"a": 'the "old" one'}, (Mend.INNER_QUOTES,)),
        ("{\u201ca\u201d: \u201cb\u201d}", {"a": "b"}, (Mend.QUOTES,)),
        ("{a: True, b: None}", {"a": True, "b": None}, (Mend.BARE_WORD,)),
        ('{"a": NaN, "b": -Infinity}', {"a": None, "b": None}, (Mend.NOT_FINITE,)),
        ('{"a": 1e999}', {"a": None}, (Mend.NOT_FINITE,)),
        ('{"a": 007, "b": .5}', {"a": 7, "b": 0.5}, (Mend.NUMBER,)),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}, (Mend.CONTROL,)),
        ('{"a": "it\\\'s"}', {"a": "it's"}, (Mend.ESCAPE,)),
        ('{"a": 1 // why\n}', {"a": 1}, (Mend.COMMENT,)),
        ('{"a": {"b": [1, 2}, "c": 3}', {"a": {"b": [1, 2]}, "c": 3}, (Mend.BRACKET,)),
        ('{"a": , "b": 2}', {"b": 2}, (Mend.MISSING_VALUE, Mend.TRAILING_COMMA)),
        ('{"a": 1, "a": 2}', {"a": 2}, (Mend.DUPLICATE_KEY,)),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}, (Mend.ESCAPE,)),
    ],
)
def test_what_can_be_mended_is_mended_and_said(
    text: str, value: object, mends: tuple[Mend, ...]
) -> None:
    assert parse(text) == (value, mends)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "x", "b": "cut of', {"a": "x"}),
        ('{"a": [1, 2', {"a": [1]}),
        ('{"year": 20', {}),
        ('{"a": {"b": 1, "c"', {"a": {"b": 1}}),
        ('{"a": tru', {}),
        ('[{"a": 1}, {"a"', [{"a": 1}, {}]),
    ],
)
def test_what_was_cut_off_is_left_out_not_guessed(text: str, value: object) -> None:
    reading = read(text)
    assert reading is not None
    assert reading.value == value
    assert Mend.TRUNCATED in reading.mends


@pytest.mark.parametrize("text", ["", "no", "I would advance her.", "```json\n```", "[" * 5000])
def test_prose_is_no_json(text: str) -> None:
    assert parse(text) is None


@given(JSON)
@example("{")
@example('a ```json [1] "b" \\ {')
def test_sound_json_reads_as_it_is_and_each_leaf_stands_at_its_place(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse(text) == (value, ())
    reading = read(text)
    assert reading is not None
    assert reading.value == value
    assert not reading.mends
    assert [(leaf.path, leaf.value) for leaf in reading.leaves] == list(leaves_of(value))
    for leaf in reading.leaves:
        written = text[leaf.start : leaf.end]
        if isinstance(leaf.value, str):
            assert json.loads(f'"{written}"') == leaf.value
        else:
            assert json.loads(written) == leaf.value


@given(JSON.filter(lambda value: isinstance(value, (dict, list))), st.data())
def test_a_cut_text_never_gains_a_value(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = read(text[: data.draw(st.integers(1, len(text)))])
    assert cut is not None
    whole = list(leaves_of(value))
    for path, leaf in leaves_of(cut.value):
        # An empty list or object is a leaf of neither.
        assert (path, leaf) in whole


@given(st.text("{}[]\",:'\\ \nau0123.-+eE/*`\u201c", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    reading = read(text)
    if reading is not None:
        json.dumps(reading.value, allow_nan=False).encode()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000, '{"a":' * 200_000, '{"a":"' + '"' * 1_000_000, '{"a":"' + "\\" * 1_000_000,
        '{"a":' + " " * 1_000_000, '{"a":"' + ('"' + " " * 50) * 20_000, "{/*" * 300_000,
        "[" + "}" * 1_000_000, "{" + "a=1," * 200_000, "a" * 1_000_000, "```" * 300_000,
        "[;" + ";" * 1_000_000, "[ " * 500_000, "[" + "-" * 1_000_000,
    ],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_a_megabyte_of_nonsense_takes_bounded_time(text: str) -> None:
    gc.disable()  # otherwise it counts, over and over, whatever other tests have left in memory
    try:
        began = time.process_time()
        read(text)
        assert time.process_time() - began < 4.0
    finally:
        gc.enable()


def test_nesting_is_bounded() -> None:
    deepest = '{"a":' * DEEPEST + "1" + "}" * DEEPEST
    assert parse(deepest) is not None
    assert parse('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1)) is None


def test_a_path_is_written_as_people_read_it() -> None:
    assert path_text(("experience", 0, "title")) == "experience[0].title"
    assert path_text(()) == "$"
    assert path_text((2, "a")) == "[2].a"
