"""OpenAI's official SDK, unchanged but for its address and key, against the running gateway."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.gateway.running import UNCACHED, Gateway

QUESTION: Any = [{"role": "user", "content": "What is the weather in Oslo?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
RESUME = """Maria Okafor
Senior Backend Engineer, Lisbon, Portugal
maria.okafor@example.com

EXPERIENCE
2019-2025  Northwind Logistics, Staff Engineer
  - Led a team of 6; Python, PostgreSQL
2015-2019  Bluebird Pay, Backend Engineer
  - Kafka

EDUCATION
2015  MSc Computer Science, University of Porto
"""
AGENTS = {
    "resume_parsing": ("gpt-4o-mini", "gpt-4o-mini"),
    "jd_enrichment": ("gpt-4o", "gpt-4o"),
    "matching": ("gpt-4o", "gpt-4o"),
    "screening": ("gpt-4o", "gpt-4o"),
    "voice_interview": ("gpt-4o", "gpt-4o"),
    "decision": ("claude-3-5-sonnet", "claude-sonnet-4-6"),
    "explanation": ("claude-3-5-sonnet", "claude-sonnet-4-6"),
}
"""Primary model of each agent as SPEC section 2 names it, and what is asked of the provider."""
PROVIDERS = ("openai", "anthropic", "vllm")


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=gateway.base_url + "/v1",
        api_key=gateway.demo_key,
        max_retries=0,
        default_headers=UNCACHED,
    ) as made:
        yield made


@pytest.fixture
def broken(gateway: Gateway) -> Iterator[Callable[..., None]]:
    """Give every chat provider the same faults; all are mended after the test."""

    def set_faults(*faults: dict[str, Any]) -> None:
        for provider in PROVIDERS:
            gateway.faults(provider, *faults)

    yield set_faults
    set_faults()


def _upstream(gateway: Gateway, since: int) -> list[dict[str, Any]]:
    seen = httpx.get(f"{gateway.practice_url}/_practice/requests", params={"since": since})
    return list(seen.json()["requests"])


def _last_seen(gateway: Gateway) -> int:
    return int(httpx.get(f"{gateway.practice_url}/_practice/stats").json()["last"])


@pytest.mark.spec("2.8", "2.9")
@pytest.mark.parametrize("agent", AGENTS)
def test_each_agent_answers_from_its_primary_model(
    gateway: Gateway, client: OpenAI, agent: str
) -> None:
    group, upstream = AGENTS[agent]
    since = _last_seen(gateway)
    raw = client.chat.completions.with_raw_response.create(model=agent, messages=QUESTION)
    assert raw.headers["x-sluice-agent"] == agent
    assert raw.headers["x-sluice-model"] == group
    assert raw.headers["x-sluice-tier"] == "primary"
    assert raw.parse().choices[0].message.content
    assert upstream in [seen["model"] for seen in _upstream(gateway, since)]


@pytest.mark.spec("2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7")
def test_the_agents_are_those_of_the_specification(client: OpenAI) -> None:
    for agent, (group, _) in AGENTS.items():
        raw = client.chat.completions.with_raw_response.create(model=agent, messages=QUESTION)
        assert raw.headers["x-sluice-model"] == group


@pytest.mark.spec("2.8")
def test_a_plain_model_name_keeps_working(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=QUESTION)
    assert "x-sluice-agent" not in raw.headers
    assert (raw.headers["x-sluice-model"], raw.headers["x-sluice-tier"]) == ("gpt-4o", "primary")


def test_an_answer_says_what_it_is(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="matching", messages=QUESTION)
    answer = raw.parse()
    call_id = raw.headers["x-sluice-call-id"]
    assert answer._request_id == call_id
    assert raw.headers["x-request-id"] == call_id
    assert raw.headers["x-sluice-cost-usd"] == "0.0002125"  # 13 in, 18 out
    assert raw.headers["x-sluice-cache"]
    assert raw.headers["x-sluice-practice"] == "true"
    assert not [name for name in raw.headers if "litellm" in name.lower()]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (13, 18)


async def test_the_async_client_works_whole_and_streamed(gateway: Gateway) -> None:
    async with AsyncOpenAI(
        base_url=gateway.base_url + "/v1",
        api_key=gateway.demo_key,
        max_retries=0,
        default_headers=UNCACHED,
    ) as client:
        whole = await client.chat.completions.create(model="screening", messages=QUESTION)
        stream = await client.chat.completions.create(
            model="screening", messages=QUESTION, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == whole.choices[0].message.content


@pytest.mark.parametrize("model", ["gpt-4o", "decision", "llama-3"])
def test_a_stream_holds_no_usage_unless_asked_for(client: OpenAI, model: str) -> None:
    chunks = list(client.chat.completions.create(model=model, messages=QUESTION, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]


@pytest.mark.parametrize("model", ["gpt-4o", "decision", "llama-3"])
def test_a_stream_ends_with_its_usage_where_asked_for(client: OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=QUESTION)
    chunks = list(
        client.chat.completions.create(
            model=model, messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    last = chunks[-1].usage
    assert last is not None
    assert whole.usage is not None
    assert last.prompt_tokens == whole.usage.prompt_tokens
    assert last.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize("model", ["gpt-4o", "decision", "llama-3"])
def test_a_tool_is_called_and_its_result_used(client: OpenAI, model: str) -> None:
    first = client.chat.completions.create(model=model, messages=QUESTION, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    (called,) = first.choices[0].message.tool_calls or []
    assert called.type == "function"
    assert called.function.name == "weather"
    history = [
        *QUESTION,
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": called.id, "content": "4 degrees and rain"},
    ]
    second = client.chat.completions.create(model=model, messages=history, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content


@pytest.mark.parametrize("model", ["gpt-4o", "decision", "llama-3"])
def test_a_tool_is_called_in_a_stream(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=QUESTION, tools=[WEATHER]) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    (called,) = final.choices[0].message.tool_calls or []
    assert called.function.name == "weather"
    assert called.function.arguments.startswith('{"city":')


class Personal(BaseModel):
    full_name: str
    email: str


class Job(BaseModel):
    title: str
    company: str
    start_date: str
    end_date: str | None
    current: bool


class Resume(BaseModel):
    personal: Personal
    experience: list[Job]


def test_structured_output_is_parsed_into_a_model(client: OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="resume_parsing",
        messages=[{"role": "user", "content": RESUME}],
        response_format=Resume,
    )
    resume = answer.choices[0].message.parsed
    assert resume is not None
    assert resume.personal.full_name == "Maria Okafor"
    assert resume.personal.email == "maria.okafor@example.com"
    assert [job.company for job in resume.experience] == ["Northwind Logistics", "Bluebird Pay"]
    assert resume.experience[0].start_date == "2019-01"


def test_a_json_object_is_one(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Answer in json: what is 2 + 2?"}],
        response_format={"type": "json_object"},
    )
    assert (answer.choices[0].message.content or "").startswith("{")


def test_log_probabilities_come_through(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, logprobs=True, top_logprobs=2
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    tokens = logprobs.content or []
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)


def test_several_choices_stop_words_and_limits(client: OpenAI) -> None:
    several = client.chat.completions.create(model="gpt-4o", messages=QUESTION, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    stopped = client.chat.completions.create(model="gpt-4o", messages=QUESTION, stop=["provider"])
    assert stopped.choices[0].message.content == "This is the practice "
    short = client.chat.completions.create(model="gpt-4o", messages=QUESTION, max_tokens=2)
    assert short.choices[0].finish_reason == "length"


def test_a_stream_of_several_choices_holds_them_all(client: OpenAI) -> None:
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, n=2, stream=True
    ):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts[0]
    assert texts[0] == texts[1]


def test_the_legacy_completions_work(client: OpenAI) -> None:
    whole = client.completions.create(model="gpt-4o", prompt="hello")
    stream = client.completions.create(model="gpt-4o", prompt="hello", stream=True)
    text = "".join(chunk.choices[0].text or "" for chunk in stream)
    assert text == whole.choices[0].text != ""


@pytest.mark.spec("3.1")
def test_the_default_embedding_model_has_1536_dimensions(client: OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(model="embedding", input="ten years of SQL")
    (entry,) = raw.parse().data  # the SDK asks for base64 and unpacks it
    assert len(entry.embedding) == 1536
    assert raw.headers["x-sluice-model"] == "text-embedding-ada-002"


def test_embeddings_are_alike_in_both_formats_and_keep_their_order(client: OpenAI) -> None:
    packed = client.embeddings.create(model="embedding", input=["one", "two"])
    plain = client.embeddings.create(
        model="embedding", input=["one", "two"], encoding_format="float"
    )
    assert [entry.index for entry in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding


def test_token_lists_are_embedded(client: OpenAI) -> None:
    answer = client.embeddings.create(model="embedding", input=[[1, 2, 3], [4]])
    assert len(answer.data) == 2
    assert answer.usage.prompt_tokens == 4


@pytest.mark.spec("3.1")
def test_the_alternative_embedding_model_answers_in_openais_shape(client: OpenAI) -> None:
    answer = client.embeddings.create(model="embed-english-v3.0", input=["one", "two"])
    assert [len(entry.embedding) for entry in answer.data] == [1024, 1024]


@pytest.mark.parametrize("model", ["gpt-4o", "decision"])
def test_a_response_is_made_and_streamed(client: OpenAI, model: str) -> None:
    whole = client.responses.create(model=model, input="hello")
    assert whole.status == "completed"
    assert whole.output_text
    with client.responses.stream(model=model, input="hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == whole.output_text


def test_a_response_is_parsed_into_a_model(client: OpenAI) -> None:
    answer = client.responses.parse(model="resume_parsing", input=RESUME, text_format=Resume)
    assert answer.output_parsed is not None
    assert answer.output_parsed.personal.full_name == "Maria Okafor"


def test_a_text_is_moderated(client: OpenAI) -> None:
    answer = client.moderations.create(input="a friendly sentence")
    assert [result.flagged for result in answer.results] == [False]


def test_what_is_spoken_is_heard_again(client: OpenAI) -> None:
    spoken = client.audio.speech.create(
        model="tts-1", voice="alloy", input="Good morning", response_format="wav"
    )
    heard = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", spoken.content))
    assert heard.text == "Good morning"
    as_text = client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", spoken.content), response_format="verbose_json"
    )
    assert as_text.text == "Good morning"


def test_speech_can_be_streamed_to_a_file(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Good morning", response_format="mp3"
    ) as spoken:
        assert spoken.read().startswith(b"ID3")


def test_the_models_are_what_the_key_may_use(gateway: Gateway, client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert set(AGENTS) < set(names)
    assert "gpt-4o" in names
    limited = client.with_options(api_key=gateway.new_key(agents=["matching"]))
    assert [model.id for model in limited.models.list()] == ["matching"]


def test_a_wrong_key_is_an_authentication_error(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="sk-nobodys").chat.completions.create(
            model="gpt-4o", messages=QUESTION
        )
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_a_model_outside_the_keys_rights_is_a_permission_error(
    gateway: Gateway, client: OpenAI
) -> None:
    limited = client.with_options(api_key=gateway.new_key(models=["gpt-4o"]))
    assert limited.chat.completions.create(model="gpt-4o", messages=QUESTION).choices
    with pytest.raises(openai.PermissionDeniedError) as caught:
        limited.chat.completions.create(model="matching", messages=QUESTION)
    assert (caught.value.code, caught.value.param) == ("model_not_allowed", "model")


def test_an_administrators_key_calls_no_model(gateway: Gateway, client: OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        client.with_options(api_key=gateway.admin_key).chat.completions.create(
            model="gpt-4o", messages=QUESTION
        )


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=QUESTION)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_wrong_body_is_a_bad_request_that_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=[])
    assert caught.value.param == "messages"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="gpt-4o", messages=QUESTION, extra_body={"api_base": "http://evil.example"}
        )
    assert caught.value.param == "api_base"


def test_a_model_on_the_wrong_endpoint_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="gpt-4o", input="hello")
    assert caught.value.code == "model_not_supported"


def test_a_providers_refusal_is_a_bad_request_without_its_inside(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="gpt-4o", messages=QUESTION, response_format={"type": "json_object"}
        )
    assert "json" in caught.value.message
    assert "litellm" not in caught.value.message.lower()


def test_a_providers_limit_is_a_rate_limit_error_with_a_time_to_wait(
    client: OpenAI, broken: Callable[..., None]
) -> None:
    broken({"kind": "status", "status": 429})
    for model in ("gpt-4o", "matching"):
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=model, messages=QUESTION)
        assert int(caught.value.response.headers["retry-after"]) >= 1


FAILURES: dict[str, tuple[dict[str, Any], int]] = {
    "500": ({"kind": "status", "status": 500}, 502),
    "503": ({"kind": "status", "status": 503}, 502),
    "401": ({"kind": "status", "status": 401, "message": "key sk-secret-of-ours"}, 502),
    "408": ({"kind": "status", "status": 408}, 504),
    "cut": ({"kind": "cut"}, 502),
    "damaged": ({"kind": "malformed"}, 502),
}


@pytest.mark.parametrize(
    ("name", "stream"),
    # A stream has begun before it is found to be damaged: see the streams below.
    [(n, s) for n in FAILURES for s in (False, True) if (n, s) != ("damaged", True)],
)
def test_a_provider_that_fails_is_an_api_status_error(
    client: OpenAI, broken: Callable[..., None], name: str, stream: bool
) -> None:
    fault, status = FAILURES[name]
    broken(fault)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="matching", messages=QUESTION, stream=stream)
    assert caught.value.status_code == status
    assert "x-sluice-call-id" in caught.value.response.headers
    assert not any(word in caught.value.response.text for word in ("sk-", "127.0.0.1", "itellm"))


@pytest.mark.spec("2.10")
def test_an_answer_of_another_tier_says_so(gateway: Gateway, client: OpenAI) -> None:
    with gateway.faulty("openai", {"kind": "status", "status": 500}):
        raw = client.chat.completions.with_raw_response.create(model="matching", messages=QUESTION)
        assert raw.headers["x-sluice-tier"] == "secondary"
        assert raw.headers["x-sluice-model"] == "claude-3-5-sonnet"
        with gateway.faulty("anthropic", {"kind": "status", "status": 500}):
            raw = client.chat.completions.with_raw_response.create(
                model="matching", messages=QUESTION
            )
            assert raw.headers["x-sluice-tier"] == "tertiary"
            assert raw.headers["x-sluice-model"] == "llama-3"
    with gateway.faulty("anthropic", {"kind": "status", "status": 500}):
        raw = client.chat.completions.with_raw_response.create(model="decision", messages=QUESTION)
        assert raw.headers["x-sluice-tier"] == "secondary"
        assert raw.headers["x-sluice-model"] == "gpt-4o"


CUTS: dict[str, tuple[dict[str, Any], ...]] = {
    "cut": (
        {"kind": "stream_stall", "after_chunks": 2, "for_s": 0.2},
        {"kind": "stream_cut", "after_chunks": 3},
    ),
    "damaged": ({"kind": "malformed", "after_chunks": 3},),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("model", ["gpt-4o", "claude-3-5-sonnet", "llama-3"])
def test_a_broken_stream_never_passes_for_a_whole_one(
    client: OpenAI, broken: Callable[..., None], model: str, cut: str
) -> None:
    broken(*CUTS[cut])
    got: list[str | None] = []

    def read() -> None:
        stream = client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        got.extend(chunk.choices[0].finish_reason for chunk in stream)

    with pytest.raises(openai.APIError):
        read()
    assert not any(got)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("model", ["gpt-4o", "claude-3-5-sonnet"])
def test_a_broken_stream_of_a_response_never_passes_for_a_whole_one(
    client: OpenAI, broken: Callable[..., None], model: str, cut: str
) -> None:
    broken(*CUTS[cut])
    kinds: list[str] = []

    def read() -> None:
        stream = client.responses.create(model=model, input="of the weather", stream=True)
        kinds.extend(event.type for event in stream)

    with pytest.raises(openai.APIError):
        read()
    assert "response.completed" not in kinds


@pytest.mark.parametrize("cut", CUTS)
def test_a_broken_stream_of_a_completion_never_passes_for_a_whole_one(
    client: OpenAI, broken: Callable[..., None], cut: str
) -> None:
    broken(*CUTS[cut])

    def read() -> None:
        list(client.completions.create(model="gpt-4o", prompt="of the weather", stream=True))

    with pytest.raises(openai.APIError):
        read()
