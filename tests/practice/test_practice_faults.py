"""Programmed faults, the journal and the admin routes."""

import json
import time

import httpx
import openai
import pytest

HELLO = [{"role": "user", "content": "Say hello to the team"}]
BODY = {"model": "gpt-4o", "messages": HELLO}
PATH = "/openai/v1/chat/completions"


def statuses(http, times: int, body: dict = BODY) -> list[int]:
    return [http.post(PATH, json=body).status_code for _ in range(times)]


def test_a_status_fires_so_often_in_the_providers_shape(program, http, oai):
    fault = {"kind": "status", "status": 503, "retry_after_s": 2, "times": 2}
    program("openai", fault | {"path": "/chat/completions"})
    with pytest.raises(openai.InternalServerError) as down:
        oai.chat.completions.create(**BODY)
    assert down.value.response.headers["retry-after"] == "2"
    assert down.value.body["type"] == "server_error"
    assert http.get("/openai/v1/models").status_code == 200
    assert statuses(http, 2) == [503, 200]
    (listed,) = http.get("/_practice/faults").json()["openai"]["faults"]
    assert (listed["matched"], listed["fired"]) == (3, 2)


def test_faults_narrow_by_model_and_spare_the_first_calls(program, http):
    program("openai", {"kind": "status", "status": 429, "model": "gpt-4o-mini", "skip": 1})
    assert statuses(http, 2) == [200, 200]
    assert statuses(http, 2, BODY | {"model": "gpt-4o-mini"}) == [200, 429]


def test_a_probability_draws_the_same_every_time(program, http):
    fault = {"kind": "status", "status": 500, "probability": 0.5, "seed": 7}
    program("openai", fault)
    first = statuses(http, 20)
    program("openai", fault)
    assert statuses(http, 20) == first
    assert set(first) == {200, 500}


@pytest.mark.parametrize(
    "fault",
    [
        {"ms": 80},
        {"distribution": "uniform", "low_ms": 60, "high_ms": 90},
        {"distribution": "lognormal", "median_ms": 80, "sigma": 0.01},
    ],
)
def test_latency_delays_the_answer(program, http, fault):
    program("openai", {"kind": "latency", **fault})
    began = time.monotonic()
    assert statuses(http, 1) == [200]
    assert 0.05 < time.monotonic() - began < 2


def test_a_stall_outlasts_an_impatient_client_who_is_noted_as_gone(program, http):
    program("openai", {"kind": "stall", "for_s": 30})
    last = http.get("/_practice/stats").json()["last"]
    with pytest.raises(httpx.ReadTimeout):
        http.post(PATH, json=BODY, timeout=0.1)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        (seen,) = http.get(f"/_practice/requests?since={last}").json()["requests"]
        if seen["status"]:
            break
        time.sleep(0.01)
    assert (seen["aborted"], seen["status"], seen["faults"]) == (True, 499, ["stall"])


def test_a_cut_resets_the_connection(program, http):
    program("openai", {"kind": "cut", "times": 1})
    with pytest.raises(httpx.ReadError):
        http.post(PATH, json=BODY)
    assert statuses(http, 1) == [200]


def stream_until_broken(http) -> tuple[str, Exception | None]:
    got = b""
    try:
        with http.stream("POST", PATH, json=BODY | {"stream": True}, timeout=0.3) as answer:
            for data in answer.iter_raw():
                got += data
    except httpx.TransportError as fault:
        return got.decode(), fault
    return got.decode(), None


def test_a_stream_cut_ends_after_n_chunks_without_its_end(program, http):
    program("openai", {"kind": "stream_cut", "after_chunks": 3})
    text, fault = stream_until_broken(http)
    assert isinstance(fault, httpx.RemoteProtocolError)
    assert text.count("data: ") == 1 + 3
    assert "[DONE]" not in text


def test_a_stream_stall_stops_after_n_chunks(program, http):
    program("openai", {"kind": "stream_stall", "after_chunks": 2, "for_s": 30})
    text, fault = stream_until_broken(http)
    assert isinstance(fault, httpx.ReadTimeout)
    assert text.count("data: ") == 1 + 2


def test_malformed_bodies_and_frames_do_not_parse(program, http):
    program("openai", {"kind": "malformed", "after_chunks": 1})
    with pytest.raises(json.JSONDecodeError):
        http.post(PATH, json=BODY).json()
    text, fault = stream_until_broken(http)
    assert fault is None
    assert 'data: {"broken": \n\n' in text
    assert "[DONE]" in text


@pytest.mark.parametrize(
    ("fault", "used"),
    [
        ({"mode": "missing"}, None),
        ({"mode": "zero"}, (0, 0)),
        ({"mode": "given", "prompt_tokens": 7, "completion_tokens": 9}, (7, 9)),
    ],
)
def test_usage_can_be_wrong(program, http, fault, used):
    program("openai", {"kind": "wrong_usage", **fault})
    got = http.post(PATH, json=BODY).json().get("usage")
    assert (got and (got["prompt_tokens"], got["completion_tokens"])) == used


def test_an_answer_can_be_fixed_or_empty(program, oai):
    program("openai", {"kind": "answer", "text": "Exactly this.", "chunks": 4, "logprob": -1.5})
    whole = oai.chat.completions.create(**BODY, logprobs=True).choices[0]
    assert whole.message.content == "Exactly this."
    assert {t.logprob for t in whole.logprobs.content} == {-1.5}
    parts = list(oai.chat.completions.create(**BODY, stream=True))
    assert len(parts) == 1 + 4 + 1
    program("openai", {"kind": "empty"})
    assert oai.chat.completions.create(**BODY).choices[0].message.content == ""


def test_a_refusing_port_comes_back_when_cleared_or_after_its_time(program, server, http):
    url = f"{server.openai_alone}{PATH}"
    headers = {"authorization": "Bearer k"}
    program("openai", {"kind": "refuse"})
    with pytest.raises(httpx.ConnectError):
        httpx.post(url, json=BODY, headers=headers)
    assert http.get("/_practice/faults").json()["openai"]["refusing"] is True
    assert statuses(http, 1) == [200]
    http.delete("/_practice/faults", params={"provider": "openai"})
    assert httpx.post(url, json=BODY, headers=headers).status_code == 200
    program("openai", {"kind": "refuse", "for_s": 0.1})
    with pytest.raises(httpx.ConnectError):
        httpx.post(url, json=BODY, headers=headers)
    deadline = time.monotonic() + 5
    while http.get("/_practice/faults").json()["openai"]["refusing"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert httpx.post(url, json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"kind": "status", "status": 200}, "faults[0].status"),
        ({"kind": "status"}, "faults[0].status"),
        ({"kind": "no_such"}, "faults[0].kind"),
        ({"kind": "cut", "probability": 2}, "faults[0].probability"),
        ({"kind": "stall", "for_s": 1e9}, "faults[0].for_s"),
        ({"kind": "cut", "surprise": 1}, "faults[0].surprise"),
        ({"kind": "latency", "distribution": "uniform", "low_ms": 9}, "faults[0].low_ms"),
    ],
)
def test_a_wrong_fault_is_refused_with_its_field(program, fault, field):
    answer = program("openai", fault, expect=400)
    assert answer["field"] == field
    assert answer["error"]


def test_wrong_orders_are_refused(program, http):
    assert program("nobody", expect=400)["field"] == "provider"
    assert program("anthropic", {"kind": "refuse"}, expect=400)["field"] == "faults[0].kind"
    assert program("openai", *[{"kind": "cut"}] * 101, expect=400)["field"] == "faults"
    assert http.post("/_practice/faults", content=b"{").status_code == 400
    assert http.get("/_practice/requests?since=x").json()["field"] == "since"
    assert http.get("/_practice/nothing").status_code == 404


def test_the_journal_lists_what_was_seen_without_text_or_key(program, http):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    last = http.get("/_practice/stats").json()["last"]
    http.post(PATH, json=BODY, headers={"traceparent": trace, "authorization": "Bearer s3cret"})
    http.post(PATH, json={"model": "no-such-model", "messages": HELLO})
    answer = http.get(f"/_practice/requests?since={last}")
    one, two = answer.json()["requests"]
    assert (one["provider"], one["path"], one["model"]) == (
        "openai",
        "/v1/chat/completions",
        "gpt-4o",
    )
    assert (one["traceparent"], one["status"], one["aborted"]) == (trace, 200, False)
    assert len(one["body_hash"]) == 24
    assert (two["status"], two["model"]) == (404, "no-such-model")
    assert "s3cret" not in answer.text
    assert "hello" not in answer.text
    counts = http.get("/_practice/stats").json()["providers"]["openai"]
    assert (counts["status_200"], counts["status_404"]) == (1, 1)
