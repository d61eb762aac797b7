"""Cohere, vLLM, Deepgram and ElevenLabs."""

import json

import cohere
import httpx
import pytest
from cohere.types import EmbedByTypeResponse, EmbedFloatsResponse
from openai.types.chat import ChatCompletion

HELLO = [{"role": "user", "content": "Say hello"}]
EMBED = {"model": "embed-english-v3.0", "texts": ["a b", "c"], "input_type": "search_document"}


def test_cohere_embeds_by_type(http, coh):
    answer = http.post("/cohere/v2/embed", json=EMBED | {"embedding_types": ["float", "ubinary"]})
    EmbedByTypeResponse.model_validate_json(answer.content)
    by_sdk = coh.embed(**EMBED, embedding_types=["float", "int8"])
    assert len(by_sdk.embeddings.float_) == 2
    assert len(by_sdk.embeddings.float_[0]) == 1024
    assert by_sdk.embeddings.float_ == answer.json()["embeddings"]["float"]
    assert by_sdk.meta.billed_units.input_tokens == 2


def test_cohere_version_1_answers_plain_floats(http):
    answer = http.post("/cohere/v1/embed", json=EMBED)
    EmbedFloatsResponse.model_validate_json(answer.content)
    assert answer.json()["response_type"] == "embeddings_floats"


def test_cohere_refuses_in_its_own_shape(server, coh):
    with pytest.raises(cohere.errors.NotFoundError, match="not found"):
        coh.embed(**EMBED | {"model": "embed-none"}, embedding_types=["float"])
    nobody = httpx.post(f"{server.base}/cohere/v2/embed", json=EMBED)
    assert (nobody.status_code, nobody.json()) == (401, {"message": "no api key supplied"})


def test_vllm_answers_with_its_extras(http, vllm):
    answer = http.post("/vllm/v1/chat/completions", json={"model": "llama-3", "messages": HELLO})
    ChatCompletion.model_validate_json(answer.content)
    assert answer.json()["choices"][0]["stop_reason"] is None
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    for extra in ({"guided_json": schema}, {"structured_outputs": {"json": schema}}):
        guided = vllm.chat.completions.create(model="mistral", messages=HELLO, extra_body=extra)
        assert set(json.loads(guided.choices[0].message.content)) == {"q"}
    assert vllm.completions.create(model="llama-3", prompt="Hi").choices[0].text
    assert vllm.embeddings.create(model="intfloat/e5-mistral-7b-instruct", input="x").data
    assert "llama-3" in {m.id for m in vllm.models.list()}


def test_vllm_health_and_metrics_need_no_key(server, vllm, program):
    vllm.chat.completions.create(model="llama-3", messages=HELLO)
    assert httpx.get(f"{server.base}/vllm/health").status_code == 200
    text = httpx.get(f"{server.base}/vllm/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    counted = {name.split("{")[0]: float(value) for name, value in values.items()}
    assert counted["vllm:prompt_tokens_total"] == 9
    assert counted["vllm:num_requests_running"] == 0


def test_vllm_refuses_in_its_own_shape(http):
    body = {"model": "gpt-none", "messages": HELLO}
    answer = http.post("/vllm/v1/chat/completions", json=body)
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": "The model `gpt-none` does not exist.",
        "type": "NotFoundError",
        "param": "model",
        "code": 404,
    }


def test_elevenlabs_speaks_and_deepgram_hears(http):
    said = "Thank you for calling"
    speech = http.post(
        "/elevenlabs/v1/text-to-speech/voice1?output_format=pcm_16000", json={"text": said}
    )
    assert speech.headers["content-type"] == "audio/pcm"
    heard = http.post(
        "/deepgram/v1/listen?model=nova-2&encoding=linear16&sample_rate=16000",
        content=speech.content,
        headers={"authorization": "Token k", "content-type": "audio/raw"},
    ).json()
    best = heard["results"]["channels"][0]["alternatives"][0]
    assert best["transcript"] == said
    assert [w["word"] for w in best["words"]] == ["thank", "you", "for", "calling"]
    assert heard["metadata"]["duration"] == pytest.approx(len(said) * 0.02)


def test_speech_providers_refuse_in_their_own_shapes(server, http):
    deaf = httpx.post(f"{server.base}/deepgram/v1/listen", content=b"x")
    assert (deaf.status_code, deaf.json()["err_code"]) == (401, "INVALID_AUTH")
    mute = httpx.post(f"{server.base}/elevenlabs/v1/text-to-speech/v", json={"text": "x"})
    assert (mute.status_code, mute.json()["detail"]["status"]) == (401, "needs_authorization")
    body = {"text": "x", "model_id": "eleven_none"}
    assert http.post("/elevenlabs/v1/text-to-speech/v", json=body).status_code == 404
