"""What a call may need, before anybody has counted."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.call import Endpoint, Usage
from plugins.core.tokens import MEDIA_TOKENS
from plugins.limits.estimate import MOST_TOKENS, tokens_of, used

USUAL = 500


def _user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


ROLE = 1
"""The role's own letters."""


@pytest.mark.parametrize(
    ("endpoint", "body", "tokens"),
    [
        (Endpoint.CHAT, _user("x" * 400), ROLE + 100 + USUAL),
        (Endpoint.CHAT, _user("x" * 401) | {"max_tokens": 20}, ROLE + 101 + 20),
        (Endpoint.CHAT, _user("") | {"max_completion_tokens": 20, "max_tokens": 30}, ROLE + 20),
        (Endpoint.CHAT, _user("") | {"max_tokens": 20, "n": 3}, ROLE + 60),
        (Endpoint.CHAT, _user("") | {"max_tokens": None}, ROLE + USUAL),
        (Endpoint.RESPONSES, {"input": "x" * 40, "max_output_tokens": 5}, 15),
        (Endpoint.MESSAGES, _user("hi") | {"system": "x" * 40, "max_tokens": 9}, ROLE + 1 + 10 + 9),
        (Endpoint.COMPLETIONS, {"prompt": ["x" * 4, "x" * 4], "max_tokens": 1}, 3),
        (Endpoint.COMPLETIONS, {"prompt": "", "max_tokens": 10, "best_of": 4}, 40),
        (Endpoint.EMBEDDINGS, {"input": "x" * 40}, 10),
        (Endpoint.EMBEDDINGS, {"input": [1, 2, 3]}, 3),
        (Endpoint.EMBEDDINGS, {"input": [[1, 2, 3], [4]]}, 4),
        (Endpoint.MODERATIONS, {"input": "x" * 8}, 2),
        (Endpoint.SPEECH, {"input": "x" * 400}, 0),
        (Endpoint.TRANSCRIPTIONS, {}, 0),
    ],
)
def test_a_request_needs_its_text_and_the_answer_it_allows(
    endpoint: Endpoint, body: dict[str, Any], tokens: int
) -> None:
    assert tokens_of(endpoint, body, USUAL) == tokens


def test_a_picture_counts_as_one_however_many_bytes_it_has() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert tokens_of(Endpoint.CHAT, _user([picture]) | {"max_tokens": 1}, USUAL) == (
        ROLE + MEDIA_TOKENS + 1
    )


def test_other_scripts_count_by_their_bytes() -> None:
    assert tokens_of(Endpoint.EMBEDDINGS, {"input": "職" * 4}, USUAL) == 3


@given(
    st.recursive(
        st.text(max_size=20) | st.none() | st.booleans() | st.integers(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_body_has_a_bounded_estimate(content: Any) -> None:
    body = _user(content) | {"max_tokens": 2**31 - 1, "n": 128, "tools": content}
    assert 0 <= tokens_of(Endpoint.CHAT, body, USUAL) <= MOST_TOKENS


def test_two_megabytes_of_text_take_no_time() -> None:
    body = _user("ä" * 1_000_000)
    before = time.perf_counter()
    tokens_of(Endpoint.CHAT, body, USUAL)
    assert time.perf_counter() - before < 0.05


def test_all_tokens_count_cached_or_not() -> None:
    assert used(Usage(100, 20, cached_input_tokens=90)) == 120
    assert used(None) == 0
