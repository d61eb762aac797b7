"""LangChain's ChatOpenAI and OpenAIEmbeddings, pointed at the gateway and otherwise unchanged."""

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.gateway.running import UNCACHED, Gateway


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"4 degrees in {city}"


class Verdict(BaseModel):
    """What is thought of a candidate."""

    recommendation: str
    score: int


def _chat(gateway: Gateway, model: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=model,
        base_url=gateway.base_url + "/v1",
        api_key=SecretStr(gateway.demo_key),
        max_retries=0,
        stream_usage=True,
        default_headers=UNCACHED,
    )


@pytest.mark.parametrize("model", ["matching", "decision", "llama-3"])
async def test_a_chain_is_invoked_and_streamed(gateway: Gateway, model: str) -> None:
    chat = _chat(gateway, model)
    whole = chat.invoke("Name one strength.")
    assert whole.content
    assert isinstance(whole, AIMessage)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] > 0
    pieces = [piece async for piece in chat.astream("Name one strength.")]
    assert "".join(str(piece.content) for piece in pieces) == whole.content
    total = sum((p.usage_metadata or {}).get("output_tokens", 0) for p in pieces)
    assert total == whole.usage_metadata["output_tokens"]


@pytest.mark.parametrize("model", ["matching", "decision"])
def test_a_bound_tool_makes_its_round(gateway: Gateway, model: str) -> None:
    chat = _chat(gateway, model).bind_tools([weather])
    question = HumanMessage("What is the weather in Oslo?")
    called = chat.invoke([question])
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    assert call["name"] == "weather"
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=str(call["id"]))
    assert chat.invoke([question, called, result]).content


@pytest.mark.parametrize("model", ["matching", "decision"])
def test_a_bound_tool_is_called_in_a_stream(gateway: Gateway, model: str) -> None:
    chat = _chat(gateway, model).bind_tools([weather])
    pieces = list(chat.stream("What is the weather in Oslo?"))
    total = pieces[0]
    for piece in pieces[1:]:
        total += piece
    assert isinstance(total, AIMessageChunk)
    assert [call["name"] for call in total.tool_calls] == ["weather"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("model", ["matching", "decision"])
def test_structured_output_becomes_a_model(gateway: Gateway, model: str, method: str) -> None:
    chat = _chat(gateway, model).with_structured_output(Verdict, method=method)
    assert isinstance(chat.invoke("Judge this candidate."), Verdict)


def test_texts_are_embedded(gateway: Gateway) -> None:
    embed = OpenAIEmbeddings(
        model="embedding",
        base_url=gateway.base_url + "/v1",
        api_key=SecretStr(gateway.demo_key),
        check_embedding_ctx_length=False,
    )
    vectors = embed.embed_documents(["one", "two", "three"])
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert embed.embed_query("two") == pytest.approx(vectors[1], abs=1e-6)
