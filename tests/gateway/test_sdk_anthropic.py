"""Anthropic's official SDK, unchanged but for its address and key, against the running gateway."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.gateway.running import UNCACHED, Gateway

MODELS = ("decision", "gpt-4o", "llama-3")
"""Behind Anthropic's own wire format, and behind two that are translated."""
ASK: dict[str, Any] = {
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
}
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PROVIDERS = ("openai", "anthropic", "vllm")


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(
        base_url=gateway.base_url, api_key=gateway.demo_key, max_retries=0, default_headers=UNCACHED
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


def _text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", MODELS)
def test_a_message_is_answered_and_streamed_alike(client: Anthropic, model: str) -> None:
    whole = client.messages.create(model=model, **ASK)
    with client.messages.stream(model=model, **ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == _text(final) == _text(whole) != ""
    assert whole.stop_reason == final.stop_reason == "end_turn"
    assert whole.usage.input_tokens == final.usage.input_tokens > 0
    assert whole.usage.output_tokens == final.usage.output_tokens > 0


async def test_the_async_client_works_whole_and_streamed(gateway: Gateway) -> None:
    async with AsyncAnthropic(
        base_url=gateway.base_url,
        api_key=gateway.demo_key,
        max_retries=0,
        default_headers=UNCACHED,
    ) as client:
        whole = await client.messages.create(model="explanation", **ASK)
        async with client.messages.stream(model="explanation", **ASK) as stream:
            text = "".join([piece async for piece in stream.text_stream])
    assert text == _text(whole)


@pytest.mark.spec("2.6", "2.7", "2.8")
@pytest.mark.parametrize("agent", ["decision", "explanation"])
def test_an_answer_says_what_it_is(client: Anthropic, agent: str) -> None:
    raw = client.messages.with_raw_response.create(model=agent, **ASK)
    assert raw.headers["x-sluice-agent"] == agent
    assert raw.headers["x-sluice-model"] == "claude-3-5-sonnet"
    assert raw.headers["x-sluice-tier"] == "primary"
    assert raw.headers["x-sluice-cost-usd"] == "0.000309"  # 13 in, 18 out
    assert not [name for name in raw.headers if "litellm" in name.lower()]


def test_the_most_tokens_asked_for_are_kept_on_every_provider(client: Anthropic) -> None:
    for model in MODELS:
        message = client.messages.create(model=model, **{**ASK, "max_tokens": 3})
        assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_is_called_and_its_result_used(client: Anthropic, model: str) -> None:
    first = client.messages.create(model=model, tools=[WEATHER], **ASK)
    assert first.stop_reason == "tool_use"
    (called,) = [block for block in first.content if block.type == "tool_use"]
    assert called.name == "weather"
    history = [
        *ASK["messages"],
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in first.content]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": called.id, "content": "4 degrees"}],
        },
    ]
    second = client.messages.create(
        model=model, max_tokens=64, messages=history, tools=[WEATHER], tool_choice={"type": "none"}
    )
    assert second.stop_reason == "end_turn"
    assert _text(second)


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_is_called_in_a_stream(client: Anthropic, model: str) -> None:
    with client.messages.stream(model=model, tools=[WEATHER], **ASK) as stream:
        final = stream.get_final_message()
    (called,) = [block for block in final.content if block.type == "tool_use"]
    assert called.name == "weather"
    assert isinstance(called.input, dict)
    assert "city" in called.input


def test_counting_tokens_is_refused_clearly(client: Anthropic) -> None:
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        client.messages.count_tokens(model="decision", messages=ASK["messages"])
    assert "/v1/messages/count_tokens" in caught.value.message


def test_a_wrong_key_is_an_authentication_error(gateway: Gateway, client: Anthropic) -> None:
    with pytest.raises(anthropic.AuthenticationError) as caught:
        client.with_options(api_key="sk-nobodys").messages.create(model="decision", **ASK)
    assert _kind(caught.value) == "authentication_error"
    by_bearer = client.with_options(api_key=None, auth_token=gateway.demo_key)
    assert by_bearer.messages.create(model="decision", **ASK).content


def test_a_model_outside_the_keys_rights_is_a_permission_error(
    gateway: Gateway, client: Anthropic
) -> None:
    limited = client.with_options(api_key=gateway.new_key(agents=["explanation"]))
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        limited.messages.create(model="decision", **ASK)
    assert _kind(caught.value) == "permission_error"


def test_an_unknown_model_is_not_found(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="claude-9", **ASK)
    assert _kind(caught.value) == "not_found_error"


def test_a_wrong_body_is_a_bad_request_that_names_the_field(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model="decision", max_tokens=64, messages=[])
    assert _kind(caught.value) == "invalid_request_error"
    assert "messages" in caught.value.message


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "api_error"),
        (408, anthropic.APIStatusError, "api_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_fails_is_an_api_status_error(
    client: Anthropic,
    broken: Callable[..., None],
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    broken({"kind": "status", "status": status})
    with pytest.raises(error) as caught:
        client.messages.create(model="decision", stream=stream, **ASK)
    assert _kind(caught.value) == kind
    assert "itellm" not in caught.value.response.text


@pytest.mark.spec("2.10")
@pytest.mark.parametrize("stream", [False, True])
def test_another_tier_answers_in_anthropics_shape(
    gateway: Gateway, client: Anthropic, stream: bool
) -> None:
    with gateway.faulty("anthropic", {"kind": "status", "status": 500}):
        raw = client.messages.with_raw_response.create(model="decision", stream=stream, **ASK)
        assert raw.headers["x-sluice-tier"] == "secondary"
        assert raw.headers["x-sluice-model"] == "gpt-4o"
        raw.parse()


CUTS: dict[str, tuple[dict[str, Any], ...]] = {
    "cut": (
        {"kind": "stream_stall", "after_chunks": 2, "for_s": 0.2},
        {"kind": "stream_cut", "after_chunks": 3},
    ),
    "damaged": ({"kind": "malformed", "after_chunks": 3},),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("model", ["claude-3-5-sonnet", "gpt-4o", "llama-3"])
def test_a_broken_stream_never_passes_for_a_whole_one(
    client: Anthropic, broken: Callable[..., None], model: str, cut: str
) -> None:
    broken(*CUTS[cut])
    kinds: list[str] = []

    def read() -> None:
        stream = client.messages.create(model=model, stream=True, **ASK)
        kinds.extend(event.type for event in stream)

    with pytest.raises(anthropic.APIError):
        read()
    assert "message_stop" not in kinds


def _kind(error: anthropic.APIStatusError) -> str:
    return str(error.response.json()["error"]["type"])
