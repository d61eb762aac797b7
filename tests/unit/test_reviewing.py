"""What a client is told of the checks, and what not."""

from typing import Any

import orjson
import pytest

from plugins.core.call import Call, Endpoint, Recalled
from plugins.core.errors import InvalidRequest
from plugins.core.money import ZERO
from plugins.core.review import Reason
from plugins.core.verdict import Action, Finding, Verdict
from plugins.proxy.refusals import refuse
from plugins.proxy.reviewing import review_headers, review_of, with_review
from tests.making import a_call


def _headers(call: Call) -> dict[str, str]:
    return {name.decode(): value for name, value in review_headers(call) if value}


def test_of_an_ordinary_call_nothing_is_said() -> None:
    assert review_of(a_call()) is None
    assert _headers(a_call()) == {}


def test_that_a_call_was_drawn_for_a_look_is_not_said() -> None:
    call = a_call()
    call.ask_review(Reason.SAMPLE)
    assert review_of(call) is None
    call.ask_review(Reason.FLAG)
    assert call.review is not None
    assert _headers(call)["x-sluice-review-id"] == call.review.id


@pytest.mark.spec("10.4")
@pytest.mark.parametrize("action", Action)
def test_each_finding_is_told_with_what_was_done(action: Action) -> None:
    call = a_call()
    call.note(Finding("pii", "iban", action, "answer:1-2", "a **", 0.9))
    review = review_of(call)
    assert review is not None
    told = {"check": "pii", "code": "iban", "action": action.value, "where": "answer:1-2"}
    assert review["findings"] == [told | {"excerpt": "a **", "score": 0.9}]
    assert review["verdict"] == call.verdict.value


def test_confidence_is_told_to_three_decimals() -> None:
    call = a_call(confidence=0.81249, calibrated=True)
    review = review_of(call)
    assert review is not None
    assert (review["confidence"], review["calibrated"]) == (0.812, True)
    assert _headers(call) == {"x-sluice-verdict": "allow", "x-sluice-confidence": "0.812"}


def test_a_recalled_answer_is_as_sure_as_it_was() -> None:
    recalled = Recalled("", (b"",), "g", "d", "p", ZERO, 1.0, "hit", confidence=0.9)
    assert _headers(a_call(recalled=recalled))["x-sluice-confidence"] == "0.900"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"{}", {"x_review": {"a": 1}}),
        (b'{"b":2}\n', {"b": 2, "x_review": {"a": 1}}),
        (b' { "b" : {} } ', {"b": {}, "x_review": {"a": 1}}),
    ],
)
def test_the_review_becomes_the_last_member(body: bytes, read: dict[str, Any]) -> None:
    assert orjson.loads(with_review(body, {"a": 1})) == read


@pytest.mark.parametrize("body", [b"", b"WEBVTT", b"[1]"])
def test_what_is_no_object_stays_as_it_is(body: bytes) -> None:
    assert with_review(body, {"a": 1}) == body


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.MESSAGES])
def test_a_refusal_tells_it_beside_the_error(endpoint: Endpoint) -> None:
    call = a_call(verdict=Verdict.BLOCK)
    error = InvalidRequest("no", code="content_blocked")
    reply = refuse(error, endpoint, call.id, review_of(call))
    body = orjson.loads(reply.body)
    assert body["error"]["code"] == "content_blocked"
    assert body["x_review"]["verdict"] == "block"
    assert dict(reply.headers)[b"content-length"] == str(len(reply.body)).encode()
