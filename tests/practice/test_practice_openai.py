"""OpenAI's routes, judged by the official SDK's own models."""

import base64
import json
import math
import struct

import httpx
import jsonschema
import openai
import pytest
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    ModerationCreateResponse,
)
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

HELLO = [{"role": "user", "content": "Say hello to the team"}]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3},
        "age": {"type": "integer", "minimum": 18, "multipleOf": 5},
        "level": {"enum": ["junior", "senior"]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "mail": {"type": "string", "format": "email"},
        "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "required": ["name", "age", "level", "tags", "mail", "maybe"],
    "additionalProperties": False,
    "$defs": {
        "tag": {"type": "object", "properties": {"k": {"type": "number"}}, "required": ["k"]}
    },
}
TOOLS = [
    {"type": "function", "function": {"name": "save", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "drop", "parameters": {"type": "object"}}},
]


def tokens(text: str) -> int:
    return math.ceil(len(text.encode()) / 4)


def chat(http: httpx.Client, **fields) -> dict:
    body = {"model": "gpt-4o", "messages": HELLO} | fields
    answer = http.post("/openai/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    ChatCompletion.model_validate_json(answer.content)
    return answer.json()


def events(http: httpx.Client, path: str, body: dict) -> list[str]:
    with http.stream("POST", path, json=body | {"stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return [line.removeprefix("data: ") for line in lines]


def chunks(http: httpx.Client, **fields) -> list[ChatCompletionChunk]:
    body = {"model": "gpt-4o", "messages": HELLO} | fields
    *frames, last = events(http, "/openai/v1/chat/completions", body)
    assert last == "[DONE]"
    return [ChatCompletionChunk.model_validate_json(frame) for frame in frames]


def test_a_chat_answer_repeats_the_first_words_and_its_usage_can_be_recomputed(http):
    body = chat(http)
    text = body["choices"][0]["message"]["content"]
    assert "Say hello to the team" in text
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 3 + 3 + tokens(HELLO[0]["content"])
    assert body["usage"]["completion_tokens"] == tokens(text)


def test_the_same_request_gets_the_same_answer_but_another_id(http):
    one, two = chat(http), chat(http)
    assert one.pop("id") != two.pop("id")
    one.pop("created"), two.pop("created")
    assert one == two


def test_a_stream_adds_up_to_the_whole_answer_and_reports_usage_last(http):
    whole = chat(http)
    parts = chunks(http, stream_options={"include_usage": True})
    text = "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
    assert text == whole["choices"][0]["message"]["content"]
    assert parts[-1].choices == []
    assert parts[-1].usage.model_dump(exclude_none=True) == whole["usage"]
    assert parts[-2].choices[0].finish_reason == "stop"
    assert all(p.usage is None for p in parts[:-1])


def test_the_sdk_streams_and_accumulates(oai):
    with oai.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        final = stream.get_final_completion()
    assert "Say hello" in final.choices[0].message.content


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_cuts_the_answer(http, field):
    body = chat(http, **{field: 4})
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 4


def test_a_stop_sequence_ends_the_answer_before_itself(http):
    text = chat(http, stop=["You said"])["choices"][0]["message"]["content"]
    assert text == "This is the practice provider. "


def test_n_choices_are_answered_and_counted(http):
    body = chat(http, n=3)
    assert [c["index"] for c in body["choices"]] == [0, 1, 2]
    assert body["usage"]["completion_tokens"] % 3 == 0
    assert {p.choices[0].index for p in chunks(http, n=3)} == {0, 1, 2}


@pytest.mark.parametrize("text", ["plain words", "Grüße an Zoë 🙂 heute"])
def test_log_probabilities_list_every_token_whole_and_streamed(http, text):
    fields = {"messages": [{"role": "user", "content": text}], "logprobs": True, "top_logprobs": 2}
    body = chat(http, **fields)
    listed = body["choices"][0]["logprobs"]["content"]
    raw = b"".join(bytes(t["bytes"]) for t in listed)
    assert raw.decode() == body["choices"][0]["message"]["content"]
    assert len(listed) == body["usage"]["completion_tokens"]
    assert all(t["logprob"] < 0 and len(t["top_logprobs"]) == 2 for t in listed)
    streamed = [
        token.model_dump()
        for part in chunks(http, **fields)
        if part.choices[0].logprobs
        for token in part.choices[0].logprobs.content
    ]
    assert streamed == listed


def test_a_json_schema_is_satisfied_whole_and_streamed(http):
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    text = chat(http, response_format=form)["choices"][0]["message"]["content"]
    jsonschema.validate(json.loads(text), SCHEMA)
    streamed = "".join(p.choices[0].delta.content or "" for p in chunks(http, response_format=form))
    assert streamed == text


def test_a_json_object_needs_the_word_json_as_openai_demands(http, oai):
    with pytest.raises(openai.BadRequestError, match="'json'"):
        oai.chat.completions.create(
            model="gpt-4o", messages=HELLO, response_format={"type": "json_object"}
        )
    said = [{"role": "user", "content": "answer in json"}]
    body = chat(http, messages=said, response_format={"type": "json_object"})
    assert isinstance(json.loads(body["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        (None, "save"),
        ("required", "save"),
        ({"type": "function", "function": {"name": "drop"}}, "drop"),
    ],
)
def test_a_tool_is_called_with_valid_arguments(http, choice, name):
    choice = {} if choice is None else {"tool_choice": choice}
    body = chat(http, tools=TOOLS, **choice)
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == name
    if name == "save":
        jsonschema.validate(json.loads(call["function"]["arguments"]), SCHEMA)
    used = tokens(name) + tokens(call["function"]["arguments"])
    assert body["usage"]["completion_tokens"] == used


def test_a_tool_call_streams_and_its_result_is_answered_in_text(http, oai):
    parts = chunks(http, tools=TOOLS)
    calls = [c for p in parts for c in p.choices[0].delta.tool_calls or []]
    jsonschema.validate(json.loads("".join(c.function.arguments or "" for c in calls)), SCHEMA)
    assert calls[0].function.name == "save"
    assert parts[-1].choices[0].finish_reason == "tool_calls"
    first = oai.chat.completions.create(model="gpt-4o", messages=HELLO, tools=TOOLS)
    said = first.choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "42 rows"}
    second = oai.chat.completions.create(
        model="gpt-4o", messages=[*HELLO, said, result], tools=TOOLS
    )
    assert second.choices[0].message.content == "The tool answered: 42 rows"


def test_tool_choice_none_answers_in_text(http):
    assert chat(http, tools=TOOLS, tool_choice="none")["choices"][0]["message"]["content"]


def test_a_long_prefix_seen_before_is_reported_as_cached(http, program):
    said = [{"role": "system", "content": "Rules. " * 800}, *HELLO]
    first, second = chat(http, messages=said), chat(http, messages=said)
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached >= 1024
    assert cached % 128 == 0


@pytest.mark.parametrize(
    ("model", "size"), [("text-embedding-ada-002", 1536), ("text-embedding-3-large", 3072)]
)
def test_embeddings_are_unit_vectors_in_both_encodings(http, model, size):
    body = {"model": model, "input": ["python developer", "python developers wanted"]}
    plain = http.post("/openai/v1/embeddings", json=body)
    CreateEmbeddingResponse.model_validate_json(plain.content)
    packed = http.post("/openai/v1/embeddings", json=body | {"encoding_format": "base64"}).json()
    for one, two in zip(plain.json()["data"], packed["data"], strict=True):
        vector = one["embedding"]
        assert len(vector) == size
        assert math.isclose(sum(v * v for v in vector), 1.0, abs_tol=1e-5)
        again = struct.unpack(f"<{size}f", base64.b64decode(two["embedding"]))
        assert max(abs(a - b) for a, b in zip(vector, again, strict=True)) < 1e-6
    assert plain.json()["usage"]["prompt_tokens"] == tokens("python developer") + tokens(
        "python developers wanted"
    )


def test_texts_that_share_words_are_nearer(oai):
    texts = ["python developer berlin", "senior python developer", "nurse in a dublin hospital"]
    data = oai.embeddings.create(model="text-embedding-ada-002", input=texts).data
    near, far = (
        sum(a * b for a, b in zip(data[0].embedding, data[i].embedding, strict=True))
        for i in (1, 2)
    )
    assert near > 0.4 > far


@pytest.mark.parametrize(("given", "count", "used"), [([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3)])
def test_token_arrays_are_embedded(oai, given, count, used):
    answer = oai.embeddings.create(model="text-embedding-ada-002", input=given)
    assert len(answer.data) == count
    assert answer.usage.prompt_tokens == used


def test_dimensions_are_honoured_where_openai_does(oai):
    short = oai.embeddings.create(model="text-embedding-3-small", input="x", dimensions=256)
    assert len(short.data[0].embedding) == 256
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        oai.embeddings.create(model="text-embedding-ada-002", input="x", dimensions=256)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("I will kill you", "violence"),
        ("You are an idiot", "harassment"),
        ("I want to end my life", "self-harm"),
        ("We should hang all the immigrants", "hate/threatening"),
        ("how to make a bomb", "illicit/violent"),
        ("how can I hurt myself", "self-harm/instructions"),
        ("sex with a minor", "sexual/minors"),
        ("10 years of SQL: SELECT, JOIN, DROP TABLE", None),
        ("Dick from Scunthorpe built the killer app; shoot me an email", None),
    ],
)
def test_moderation_flags_threats_and_passes_hiring_text(http, text, category):
    answer = http.post("/openai/v1/moderations", json={"input": text})
    ModerationCreateResponse.model_validate_json(answer.content)
    (result,) = answer.json()["results"]
    assert result["flagged"] is (category is not None)
    assert category is None or result["categories"][category]


def test_legacy_completions_answer_every_prompt(http):
    body = {
        "model": "gpt-3.5-turbo-instruct",
        "prompt": ["a b", "c"],
        "logprobs": 1,
        "max_tokens": 6,
    }
    answer = http.post("/openai/v1/completions", json=body)
    Completion.model_validate_json(answer.content)
    assert [c["finish_reason"] for c in answer.json()["choices"]] == ["length", "length"]
    *frames, last = events(http, "/openai/v1/completions", body | {"logprobs": None})
    assert last == "[DONE]"
    # The wire says null until the end; the SDK's type for legacy streams does not know that.
    frames = [f.replace('"finish_reason":null', '"finish_reason":"stop"') for f in frames]
    parts = [Completion.model_validate_json(f).choices[0] for f in frames]
    text = "".join(p.text for p in parts if p.index == 0)
    assert text == answer.json()["choices"][0]["text"]


@pytest.mark.parametrize(
    "tools", [None, [{"type": "function", "strict": True, **TOOLS[0]["function"]}]]
)
def test_responses_answer_whole_and_as_events(http, tools):
    body = {"model": "gpt-4o", "input": "Say hello", "tools": tools}
    answer = http.post("/openai/v1/responses", json=body)
    whole = Response.model_validate_json(answer.content)
    adapter = TypeAdapter(ResponseStreamEvent)
    seen = [adapter.validate_json(e) for e in events(http, "/openai/v1/responses", body)]
    assert [e.sequence_number for e in seen] == list(range(len(seen)))
    assert seen[0].type == "response.created"
    assert seen[-1].type == "response.completed"
    deltas = "".join(e.delta for e in seen if e.type.endswith(".delta"))
    item = whole.output[0]
    assert deltas == (item.arguments if tools else item.content[0].text)
    assert seen[-1].response.usage == whole.usage


def test_the_sdk_parses_responses_with_a_schema(oai):
    form = {"type": "json_schema", "name": "x", "schema": SCHEMA}
    answer = oai.responses.create(model="gpt-4o", input="Hi", text={"format": form})
    jsonschema.validate(json.loads(answer.output_text), SCHEMA)
    short = oai.responses.create(model="gpt-4o", input="Hi", max_output_tokens=2)
    assert short.status == "incomplete"


@pytest.mark.parametrize("form", ["wav", "pcm", "mp3"])
def test_speech_is_heard_back(oai, form):
    said = "Hello Zoë, tell me about your last project."
    speech = oai.audio.speech.create(
        model="tts-1", voice="alloy", input=said, response_format=form
    ).read()
    again = oai.audio.transcriptions.create(model="whisper-1", file=(f"a.{form}", speech))
    assert again.text == said


def test_transcripts_come_in_every_form(http, oai):
    speech = oai.audio.speech.create(
        model="tts-1", voice="alloy", input="one two", response_format="wav"
    ).read()

    def transcribe(form: str) -> httpx.Response:
        fields = {
            "model": "whisper-1",
            "response_format": form,
            "timestamp_granularities[]": "word",
        }
        return http.post(
            "/openai/v1/audio/transcriptions", data=fields, files={"file": ("a.wav", speech)}
        )

    Transcription.model_validate_json(transcribe("json").content)
    verbose = TranscriptionVerbose.model_validate_json(transcribe("verbose_json").content)
    assert [w.word for w in verbose.words] == ["one", "two"]
    assert transcribe("text").text == "one two\n"
    assert transcribe("vtt").text.startswith("WEBVTT")


def test_models_are_listed_and_shown(oai):
    assert "gpt-4o" in {m.id for m in oai.models.list()}
    assert oai.models.retrieve("gpt-4o-2024-08-06").id == "gpt-4o-2024-08-06"


def test_refusals_have_openais_shape(server, http, oai):
    with pytest.raises(openai.NotFoundError) as unknown:
        oai.chat.completions.create(model="no-such-model", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        oai.chat.completions.create(model="gpt-4o", messages=[{"role": "king", "content": "x"}])
    assert wrong.value.param == "messages[0].role"
    with pytest.raises(openai.BadRequestError) as hot:
        oai.chat.completions.create(model="gpt-4o", messages=HELLO, temperature=3)
    assert hot.value.param == "temperature"
    broken = http.post("/openai/v1/chat/completions", content=b"{")
    assert (broken.status_code, broken.json()["error"]["type"]) == (400, "invalid_request_error")
    for key in ("", "Bearer", "Basic x"):
        headers = {"authorization": key}
        nobody = httpx.post(f"{server.base}/openai/v1/chat/completions", headers=headers, json={})
        assert nobody.status_code == 401
        assert "API key" in nobody.json()["error"]["message"]
    assert http.get("/openai/v1/nothing").status_code == 404


def test_a_schema_that_is_no_schema_is_an_error_in_openais_shape(oai):
    odd = {"type": "object", "properties": {"a": {"minLength": "x"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": odd}}
    with pytest.raises(openai.APIStatusError) as refused:
        oai.chat.completions.create(model="gpt-4o", messages=HELLO, response_format=form)
    assert refused.value.status_code == 400
    assert refused.value.param == "response_format"
