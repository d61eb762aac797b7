"""Answers are confirmed, heard and judged on every endpoint, stream or not, with official SDKs."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from plugins.core.answer_text import text_of_event
from plugins.core.call import Endpoint
from tests.gateway.running import UNCACHED, Gateway, eventually, running
from tests.gateway.test_drivers import ENDPOINTS

TEXTUAL = [n for n in ENDPOINTS if n.split()[0] in {"chat", "completions", "responses", "messages"}]
WHOLE = [name for name in TEXTUAL if "stream" not in name]
STREAMS = [name for name in TEXTUAL if "stream" in name]
SAID = "practice provider"
MESSAGE: Any = [{"role": "user", "content": "hello there"}]
LONG = {"kind": "answer", "text": "word " * 200, "chunks": 200}
FIRST_TEN = {"kind": "stream_stall", "after_chunks": 10, "for_s": 0.5}
"""Some fifty characters of it come first, and have been seen to before the rest does."""


@pytest.fixture(scope="module")
def checked(new_folder: Callable[[str], Path]) -> Iterator[Gateway]:
    """A gateway with output checks that do what a call's session says."""
    with running(new_folder("checked"), probe=True, checks=True) as started:
        yield started


@pytest.fixture(autouse=True)
def _mended_too(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "checked" in request.fixturenames:
        request.getfixturevalue("checked").mend()


def _cue(cues: str) -> dict[str, str]:
    return {"x-sluice-session": f"checks:{cues}"}


def _send(gateway: Gateway, name: str, cues: str = "", **more: Any) -> httpx.Response:
    path, body = ENDPOINTS[name]
    return gateway.request("POST", path, gateway.demo_key, json=body | more, headers=_cue(cues))


def _row(gateway: Gateway, answer: httpx.Response) -> dict[str, Any]:
    return gateway.call_row(answer.headers["x-sluice-call-id"])


def _seen(gateway: Gateway, answer: httpx.Response, stage: str = "checking") -> list[Any]:
    notes = eventually(
        lambda: gateway.phases(answer.headers["x-sluice-call-id"]),
        lambda seen: seen and seen[-1]["phase"] == "observe",
    )
    return [note for note in notes if note["stage"] == stage]


def _events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line[5:].strip() for line in answer.text.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _text(answer: httpx.Response, name: str) -> str:
    """Gather what the client was given of a stream's text."""
    endpoint = Endpoint(name.split()[0])
    return "".join(text_of_event(endpoint, event) for event in _events(answer))


def _review(answer: httpx.Response) -> dict[str, Any] | None:
    """Find `x_review` wherever the endpoint has it; it is there once."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return answer.json().get("x_review")
    events = _events(answer)
    found = [e.get("x_review") or e.get("response", {}).get("x_review") for e in events]
    told = [review for review in found if review]
    assert len(told) <= 1
    return told[0] if told else None


def _finish(answer: httpx.Response) -> str:
    """Read why an answer ended, in the endpoint's word."""
    events = _events(answer) if "event-stream" in answer.headers["content-type"] else []
    for body in events or [answer.json()]:
        body = body.get("response") or body
        reason = (body.get("incomplete_details") or {}).get("reason") or body.get("stop_reason")
        delta = body.get("delta")
        reason = reason or (delta.get("stop_reason") if isinstance(delta, dict) else None)
        for choice in body.get("choices") or ():
            reason = reason or choice.get("finish_reason")
        if reason:
            return reason
    return "stop"


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_phase_of_the_output_runs_once(checked: Gateway, name: str) -> None:
    answer = _send(checked, name, "judge=none")
    assert answer.status_code == 200, answer.text
    seen = [note["phase"] for note in _seen(checked, answer)]
    if name not in TEXTUAL:
        assert seen == ["confirm"]
    elif name in STREAMS:
        assert seen == ["confirm", "keeps_back", "judge"]
    else:
        assert seen == ["confirm", "judge"]
    assert _row(checked, answer)["outcome"] == "answered"
    assert answer.headers.get("x-sluice-verdict") is None
    assert "x_review" not in answer.text


@pytest.mark.parametrize("name", TEXTUAL)
def test_a_judge_sees_the_same_text_whole_and_streamed(checked: Gateway, name: str) -> None:
    (judged,) = [n for n in _seen(checked, _send(checked, name)) if n["phase"] == "judge"]
    (text,) = judged["texts"]
    assert text.startswith("This is the practice provider. You said: hello")
    assert judged["finish"] in {"stop", "end_turn", "completed"}
    assert judged["heard"] == (len(text) if name in STREAMS else 0)


@pytest.mark.parametrize("phase", ["confirm", "judge"])
@pytest.mark.parametrize("keeps", ["0", "all"])
@pytest.mark.parametrize("name", TEXTUAL)
def test_a_refused_answer_is_not_given_and_is_charged(
    checked: Gateway, name: str, phase: str, keeps: str
) -> None:
    answer = _send(checked, name, f"{phase}=refuse&keeps={keeps}")
    row = _row(checked, answer)
    assert (row["outcome"], row["verdict"]) == ("refused", "block")
    assert float(row["cost_usd"]) > 0
    if name in STREAMS and phase == "judge" and keeps == "0":
        assert answer.status_code == 200
        assert _finish(answer) in {"content_filter", "refusal"}
        assert SAID in answer.text.replace(' "}', "") or "provider" in answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_blocked")
        assert "provider" not in answer.text
        assert answer.headers["x-sluice-verdict"] == "block"
    review = _review(answer)
    assert review is not None
    assert review["verdict"] == "block"


@pytest.mark.parametrize("name", TEXTUAL)
def test_a_held_answer_is_empty_and_says_where_to_ask(checked: Gateway, name: str) -> None:
    answer = _send(checked, name, "judge=hold&keeps=all&sure=0.4")
    assert answer.status_code == 200
    assert "provider" not in answer.text
    assert _finish(answer) in {"content_filter", "refusal"}
    review = _review(answer)
    assert review is not None
    assert (review["verdict"], review["confidence"]) == ("soft_reject", 0.4)
    assert review["review_id"] == answer.headers["x-sluice-review-id"]
    assert answer.headers["x-sluice-confidence"] == "0.400"
    assert [f["code"] for f in review["findings"]] == ["unfounded"]
    row = _row(checked, answer)
    assert (row["outcome"], row["verdict"], row["confidence"]) == ("answered", "soft_reject", 0.4)
    assert float(row["cost_usd"]) > 0


@pytest.mark.parametrize("name", TEXTUAL)
def test_a_mended_answer_is_given_mended(checked: Gateway, name: str) -> None:
    answer = _send(checked, name, "judge=mend&keeps=all")
    assert answer.status_code == 200
    assert "This is the ****** provider. You said: hello" in answer.text
    assert SAID not in answer.text
    assert _finish(answer) in {"stop", "end_turn"}
    review = _review(answer)
    assert review is not None
    assert (review["verdict"], review["findings"][0]["action"]) == ("allow", "mask")


@pytest.mark.parametrize("name", STREAMS)
def test_what_the_client_has_is_not_mended_nor_held(checked: Gateway, name: str) -> None:
    for cue in ("mend", "hold", "escalate"):
        answer = _send(checked, name, f"judge={cue}&keeps=0")
        assert "practice" in answer.text
        assert _finish(answer) in {"stop", "end_turn"}
        assert _review(answer) is not None
        assert _row(checked, answer)["outcome"] == "answered"


@pytest.mark.parametrize("name", TEXTUAL)
def test_a_flagged_answer_is_given_and_says_so(checked: Gateway, name: str) -> None:
    answer = _send(checked, name, "judge=flag&sure=0.65")
    assert "provider" in answer.text
    review = _review(answer)
    assert review is not None
    assert review["review_id"]
    assert review | {"review_id": None} == {
        "verdict": "flag",
        "confidence": 0.65,
        "calibrated": False,
        "review_id": None,
        "findings": [
            {
                "check": "checking",
                "code": "unfounded",
                "action": "flag",
                "where": "answer",
                "excerpt": "a[...]",
                "score": 0.9,
            }
        ],
    }
    row = _row(checked, answer)
    assert (row["verdict"], row["confidence"]) == ("flag", 0.65)


AGENT = {"model": "decision"}
"""Its tiers: claude-3-5-sonnet, gpt-4o, llama-3."""


@pytest.mark.parametrize("name", [n for n in TEXTUAL if not n.startswith("completions")])
def test_a_doubtful_answer_makes_way_for_the_next_tiers(checked: Gateway, name: str) -> None:
    cues = "judge=escalate&keeps=all&on=claude-3-5-sonnet&sure=0.3"
    answer = _send(checked, name, cues, **AGENT)
    assert answer.headers["x-sluice-model"] == "gpt-4o"
    assert "provider" in answer.text
    assert _review(answer) is None
    row = _row(checked, answer)
    assert [a["error_class"] for a in row["attempts"]] == ["NotConfident", None]
    assert (row["outcome"], row["verdict"], row["confidence"]) == ("answered", "allow", None)
    assert [n["phase"] for n in _seen(checked, answer)].count("confirm") == 1
    alone = _row(checked, _send(checked, name, model="gpt-4o"))
    assert float(row["cost_usd"]) > float(alone["cost_usd"])


@pytest.mark.parametrize("name", ["chat", "chat stream", "messages", "messages stream"])
def test_of_doubtful_answers_alone_one_is_given_with_what_was_found(
    checked: Gateway, name: str
) -> None:
    answer = _send(checked, name, "judge=escalate&keeps=all&sure=0.3", **AGENT)
    assert answer.status_code == 200
    assert "provider" in answer.text
    review = _review(answer)
    assert review is not None
    assert (review["verdict"], review["confidence"]) == ("soft_reject", 0.3)
    row = _row(checked, answer)
    assert (row["outcome"], row["verdict"]) == ("answered", "soft_reject")
    assert len(row["attempts"]) == 3


def test_doubtful_answers_never_open_a_circuit(checked: Gateway) -> None:
    for _ in range(4):
        _send(checked, "chat", "judge=escalate&on=gpt-4o&sure=0.3", model="matching")
    assert _send(checked, "chat", model="matching").headers["x-sluice-model"] == "gpt-4o"


def _provider(name: str) -> str:
    return "anthropic" if ENDPOINTS[name][1]["model"] == "decision" else "openai"


def _unbounded(name: str) -> dict[str, Any]:
    return {"max_tokens": 30_000} if name.startswith("messages") else {}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_refused_midway_ends_properly_and_is_billed(
    checked: Gateway, name: str
) -> None:
    with checked.faulty(_provider(name), LONG, FIRST_TEN):
        answer = _send(checked, name, "listen=refuse&after=60", **_unbounded(name))
    assert _text(answer, name) in {"word " * 10, "word " * 11}
    assert _finish(answer) in {"content_filter", "refusal"}
    review = _review(answer)
    assert review is not None
    assert (review["verdict"], review["findings"][0]["code"]) == ("block", "unfounded")
    row = _row(checked, answer)
    assert (row["outcome"], row["status"], row["usage_source"]) == ("refused", 200, "counted")
    assert 10 <= row["output_tokens"] < 200
    assert float(row["cost_usd"]) > 0
    phases = [n["phase"] for n in _seen(checked, answer, "probe")]
    assert phases.count("settle") == 1


# LiteLLM's translation of chats into messages does not pass a cancellation on to the provider.
@pytest.mark.parametrize("name", [name for name in STREAMS if name != "messages stream on openai"])
def test_a_refused_stream_lets_go_of_its_provider_at_once(checked: Gateway, name: str) -> None:
    """The provider is silent while it is refused: nothing of it is awaited."""
    silent = {"kind": "stream_stall", "after_chunks": 10, "for_s": 4}
    with checked.faulty(_provider(name), LONG, silent):
        began_s = time.monotonic()
        _send(checked, name, "listen=refuse&after=20", **_unbounded(name))
        assert time.monotonic() - began_s < 3
        eventually(lambda: checked.practice_requests()[-1], lambda last: last["aborted"], limit_s=8)


@pytest.mark.parametrize("name", STREAMS)
def test_a_client_lags_as_far_behind_as_it_is_kept(checked: Gateway, name: str) -> None:
    with checked.faulty(_provider(name), LONG, FIRST_TEN):
        answer = _send(checked, name, "listen=refuse&after=60&keeps=30", **_unbounded(name))
    # Of the 50 characters that had come the last 30 were kept back.
    assert _text(answer, name) in {"word " * 4, "word " * 5}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_kept_back_whole_comes_all_the_same(checked: Gateway, name: str) -> None:
    plain, kept = _send(checked, name), _send(checked, name, "keeps=all")
    lagging = _send(checked, name, "keeps=20")

    def texts(answer: httpx.Response) -> list[str]:
        return [json.dumps(e.get("choices") or e.get("delta")) for e in _events(answer)]

    assert texts(kept) == texts(lagging) == texts(plain)


@pytest.mark.parametrize("phase", ["confirm", "judge", "listen"])
@pytest.mark.parametrize("name", ["chat", "chat stream", "messages stream"])
def test_a_bug_in_a_check_costs_its_call_alone(checked: Gateway, name: str, phase: str) -> None:
    if phase == "listen" and name == "chat":
        return
    answer = _send(checked, name, f"{phase}=bug&keeps=all")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    row = _row(checked, answer)
    assert row["outcome"] == "refused"
    assert float(row["cost_usd"]) > 0
    assert _send(checked, name).status_code == 200


@pytest.mark.parametrize("name", ["chat", "chat stream"])
def test_a_client_that_leaves_while_its_answer_is_judged_is_charged_once(
    checked: Gateway, name: str
) -> None:
    path, body = ENDPOINTS[name]
    session = "judge=slow&keeps=all"
    headers = {"authorization": f"Bearer {checked.demo_key}", **UNCACHED, **_cue(session)}
    before = checked.probe.stat().st_size
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(checked.base_url + path, json=body, headers=headers, timeout=1.0)

    def settled() -> list[Any]:
        with checked.probe.open("rb") as file:
            file.seek(before)
            notes = [json.loads(line) for line in file.read().splitlines()]
        return [n for n in notes if n["phase"] == "settle"]

    (note,) = eventually(settled, bool)
    row = checked.call_row(note["call"])
    assert row["outcome"] == "disconnected"
    assert float(row["cost_usd"]) > 0
    assert row["output_tokens"] == 13


def test_token_probabilities_that_only_a_check_wants_are_not_seen(checked: Gateway) -> None:
    for name in ("chat", "chat stream"):
        answer = _send(checked, name, "logprobs=1")
        assert "logprobs" not in answer.text
        (judged,) = [n for n in _seen(checked, answer) if n["phase"] == "judge"]
        assert judged["logprobs"] > 5


def test_a_check_asks_a_model_by_a_call_of_its_own(checked: Gateway) -> None:
    answer = _send(checked, "chat", "judge=ask")
    (asked,) = [n for n in _seen(checked, answer) if n["phase"] == "asked"]
    assert asked["text"].endswith("is it so?")
    call_id = answer.headers["x-sluice-call-id"]
    own = _row(checked, answer)
    inner = eventually(lambda: _children(checked, call_id), bool)
    assert [c["call_id"] != call_id for c in inner] == [True]
    row = checked.call_row(inner[0]["call_id"])
    assert row["tenant_id"] == own["tenant_id"]
    assert row["key_id"] == own["key_id"]
    assert row["parent_call_id"] == call_id
    assert (row["variants"]["purpose"], row["model_served"]) == ("judge", "gpt-4o-mini")
    assert row["outcome"] == "answered"


def _children(gateway: Gateway, call_id: str) -> list[dict[str, Any]]:
    lines = gateway.probe.read_bytes().splitlines()
    seen = {json.loads(line)["call"] for line in lines[-60:]}
    rows = [gateway.call_row(one) for one in seen]
    return [row for row in rows if row["parent_call_id"] == call_id]


def _openai(gateway: Gateway, cues: str) -> OpenAI:
    return OpenAI(
        base_url=f"{gateway.base_url}/v1",
        api_key=gateway.demo_key,
        max_retries=0,
        default_headers=UNCACHED | _cue(cues),
    )


def _anthropic(gateway: Gateway, cues: str) -> Anthropic:
    return Anthropic(
        base_url=gateway.base_url,
        api_key=gateway.demo_key,
        max_retries=0,
        default_headers=UNCACHED | _cue(cues),
    )


PAUSING = {"kind": "stream_stall", "after_chunks": 3, "for_s": 0.3}
"""Some of a stream has reached its client before the rest comes."""
ENDINGS = {
    "held": "judge=hold&keeps=all",
    "cut": "listen=refuse&after=20",
    "judged late": "judge=refuse",
}


@pytest.mark.parametrize("cues", ENDINGS.values(), ids=ENDINGS)
def test_openais_helpers_end_without_an_error(checked: Gateway, cues: str) -> None:
    with _openai(checked, cues) as client, checked.faulty("openai", PAUSING):
        with client.chat.completions.stream(
            model="gpt-4o", messages=MESSAGE, stream_options={"include_usage": True}
        ) as stream:
            assert list(stream)
            # `get_final_completion` itself raises for every answer that a filter has cut.
            final = stream.current_completion_snapshot
        assert final.choices[0].finish_reason == "content_filter"
        assert final.usage is not None
        assert final.usage.completion_tokens > 0
        *_, last = client.completions.create(model="gpt-4o", prompt="hello", stream=True)
        assert last.choices[0].finish_reason == "content_filter"
        *_, ended = client.responses.create(model="gpt-4o", input="hello", stream=True)
    assert ended.type == "response.incomplete"
    assert ended.response.incomplete_details is not None
    assert ended.response.incomplete_details.reason == "content_filter"
    assert ("This is" in ended.response.output_text) == ("hold" not in cues)


@pytest.mark.parametrize("cues", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("model", ["decision", "gpt-4o"])
def test_anthropics_helper_ends_without_an_error(checked: Gateway, cues: str, model: str) -> None:
    with (
        checked.faulty("openai", PAUSING),
        checked.faulty("anthropic", PAUSING),
        _anthropic(checked, cues) as client,
        client.messages.stream(model=model, max_tokens=64, messages=MESSAGE) as stream,
    ):
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.stop_reason == "refusal"
    assert ("This is" in text) == ("hold" not in cues)
    assert final.usage.output_tokens > 0


def test_sdks_read_held_answers_and_refusals(checked: Gateway) -> None:
    with _openai(checked, "judge=hold&sure=0.4") as client:
        chat = client.chat.completions.create(model="gpt-4o", messages=MESSAGE)
        assert (chat.choices[0].message.content, chat.choices[0].finish_reason) == (
            "",
            "content_filter",
        )
        response = client.responses.create(model="gpt-4o", input="hello")
        assert (response.status, response.output_text) == ("incomplete", "")
    with _anthropic(checked, "judge=hold") as client:
        message = client.messages.create(model="decision", max_tokens=64, messages=MESSAGE)
        assert (message.stop_reason, message.content) == ("refusal", [])
    with _openai(checked, "judge=refuse") as client, pytest.raises(openai.BadRequestError) as no:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGE)
    assert no.value.code == "content_blocked"
    with (
        _anthropic(checked, "judge=refuse") as client,
        pytest.raises(anthropic.BadRequestError) as also,
    ):
        client.messages.create(model="decision", max_tokens=64, messages=MESSAGE)
    assert "blocked on cue" in str(also.value)


@pytest.mark.parametrize("form", ["json", "text", "verbose_json", "srt", "vtt"])
def test_transcripts_are_judged_and_mended_in_every_form(checked: Gateway, form: str) -> None:
    def transcribe(cues: str) -> httpx.Response:
        return checked.request(
            "POST",
            "/v1/audio/transcriptions",
            checked.demo_key,
            files={"file": ("a.wav", b"RIFF....WAVE", "audio/wav")},
            data={"model": "whisper-1", "response_format": form},
            headers=_cue(cues),
        )

    plain = transcribe("judge=none")
    assert plain.status_code == 200, plain.text
    (judged,) = [n for n in _seen(checked, plain) if n["phase"] == "judge"]
    assert judged["texts"][0].strip()
    assert "-->" not in judged["texts"][0]
    held = transcribe("judge=hold")
    assert held.headers["x-sluice-review-id"]
    assert judged["texts"][0].split()[0] not in held.text
