"""The cache through the running gateway (two workers), as clients and their SDKs see it."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.gateway.running import Gateway
from tests.gateway.test_cli_live import refused, told

CHAT = "/v1/chat/completions"
ASK = [{"role": "user", "content": "What is the weather in Oslo?"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture
def tenant(gateway: Gateway) -> str:
    """A tenant with an empty cache."""
    return gateway.new_tenant()


@pytest.fixture
def key(gateway: Gateway, tenant: str) -> str:
    return gateway.new_key(tenant)


@pytest.fixture
def ask(gateway: Gateway, key: str) -> Iterator[Callable[..., httpx.Response]]:
    """Ask as a client that says nothing of caches does."""
    with httpx.Client(base_url=gateway.base_url, timeout=60) as client:

        def post(body: dict[str, Any], path: str = CHAT, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            named = {"authorization": f"Bearer {key}"} | named
            return client.post(path, json=body, headers=named)

        yield post


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": ASK, **more}


def state(answer: httpx.Response) -> str:
    return answer.headers["x-sluice-cache"]


OPENAI: dict[str, Callable[[OpenAI], Any]] = {
    "chat": lambda c: c.chat.completions.with_raw_response.create(model="matching", messages=ASK),
    "completions": lambda c: c.completions.with_raw_response.create(model="gpt-4o", prompt="hi"),
    "responses": lambda c: c.responses.with_raw_response.create(model="gpt-4o", input="hi"),
    "responses of Claude": lambda c: c.responses.with_raw_response.create(
        model="decision", input="hi"
    ),
    "embeddings": lambda c: c.embeddings.with_raw_response.create(model="embedding", input="hi"),
}
OPENAI_STREAMS: dict[str, Callable[[OpenAI], Any]] = {
    "chat": lambda c: c.chat.completions.with_raw_response.create(
        model="matching", messages=ASK, stream=True
    ),
    "chat with usage": lambda c: c.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True}
    ),
    "chat of Claude": lambda c: c.chat.completions.with_raw_response.create(
        model="decision", messages=ASK, stream=True
    ),
    "completions": lambda c: c.completions.with_raw_response.create(
        model="gpt-4o", prompt="hi", stream=True
    ),
    "responses": lambda c: c.responses.with_raw_response.create(
        model="gpt-4o", input="hi", stream=True
    ),
}
MESSAGE: dict[str, Any] = {"messages": ASK, "max_tokens": 200}


@pytest.fixture
def openai(gateway: Gateway, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url + "/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("name", OPENAI)
def test_openais_sdk_reads_a_hit_as_it_reads_the_answer(openai: OpenAI, name: str) -> None:
    first, second = OPENAI[name](openai), OPENAI[name](openai)
    assert [a.headers["x-sluice-cache"] for a in (first, second)] == ["miss", "hit"]
    assert second.parse().model_dump() == first.parse().model_dump()
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-sluice-cost-usd"] == "0"
    assert int(second.headers["age"]) >= 0
    for header in ("x-sluice-tier", "x-sluice-model", "x-sluice-practice"):
        assert second.headers[header] == first.headers[header]


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("name", OPENAI_STREAMS)
def test_openais_sdk_reads_a_replayed_stream_event_by_event(openai: OpenAI, name: str) -> None:
    def read() -> tuple[str, list[Any]]:
        answer = OPENAI_STREAMS[name](openai)
        return answer.headers["x-sluice-cache"], [e.model_dump() for e in answer.parse()]

    (first, events), (second, again) = read(), read()
    assert (first, second) == ("miss", "hit")
    assert again == events
    assert len(events) > 3
    shows_usage = [e for e in again if e.get("usage")]
    assert bool(shows_usage) is (name == "chat with usage")


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("model", ["decision", "gpt-4o"])
def test_anthropics_sdk_reads_hits_whole_and_streamed(
    gateway: Gateway, key: str, model: str
) -> None:
    with Anthropic(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        first, second = (
            client.messages.with_raw_response.create(model=model, **MESSAGE) for _ in range(2)
        )
        assert [a.headers["x-sluice-cache"] for a in (first, second)] == ["miss", "hit"]
        assert second.parse().model_dump() == first.parse().model_dump()
        finals: list[Any] = []
        for expected in ("miss", "hit"):
            with client.messages.stream(model=model, **MESSAGE) as stream:
                finals.append(stream.get_final_message().model_dump())
                assert stream.response.headers["x-sluice-cache"] == expected
    assert finals[0] == finals[1]
    assert finals[0]["stop_reason"] == "end_turn"


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("form", [None, "mp3", "wav", "pcm"])
def test_speech_is_given_again_with_its_type(
    ask: Callable[..., httpx.Response], form: str | None
) -> None:
    body = {"model": "tts-1", "input": "Good morning", "voice": "alloy"}
    body |= {"response_format": form} if form else {}
    first, second = (ask(body, "/v1/audio/speech") for _ in range(2))
    assert [state(first), state(second)] == ["miss", "hit"]
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]


@pytest.mark.spec("8.1", "11.2", "11.5")
def test_a_hit_has_one_row_that_costs_nothing_and_says_what_it_saved(
    gateway: Gateway, ask: Callable[..., httpx.Response], tenant: str
) -> None:
    for stream in (False, True):
        first, second = (ask(chat(stream=stream)) for _ in range(2))
        rows = [gateway.call_row(a.headers["x-sluice-call-id"]) for a in (first, second)]
        paid, hit = rows
        assert (paid["cache"], hit["cache"]) == ("miss", "hit")
        assert Decimal(paid["cost_usd"]) > 0
        assert (hit["cost_usd"], hit["saved_usd"]) == ("0", paid["cost_usd"])
        assert (hit["input_tokens"], hit["output_tokens"], hit["attempts"]) == (0, 0, [])
        assert (hit["outcome"], hit["status"], hit["cost_note"]) == ("answered", 200, None)
        assert (hit["model_served"], hit["provider"]) == (paid["model_served"], "openai")
    (spent,) = gateway.admin("GET", f"/sluice/spend?tenant_id={tenant}&by=model").json()["rows"]
    assert (spent["calls"], spent["answered"]) == (4, 4)


@pytest.mark.spec("8.1", "13.2")
def test_no_other_tenant_is_answered_from_it_whatever_it_sends(
    gateway: Gateway, ask: Callable[..., httpx.Response], tenant: str
) -> None:
    assert state(ask(chat())) == "miss"
    stranger = f"Bearer {gateway.new_key()}"
    for n, forged in enumerate(
        (
            {},
            {"x_sluice_tenant": tenant, "x_tenant_id": tenant},
            {"x_litellm_cache_key": "x", "x_sluice_call_id": str(uuid.uuid4())},
            {"cache_control": f'max-age=99, tenant="{tenant}"'},
        )
    ):
        answer = ask(chat(seed=n), authorization=stranger, **forged)
        assert (answer.status_code, state(answer)) == (200, "miss")
    answer = ask(chat(metadata={"tenant_id": tenant}), authorization=stranger)
    assert answer.headers.get("x-sluice-cache") != "hit"
    assert state(ask(chat())) == "hit"


def test_another_key_of_the_same_tenant_is_answered_from_it(
    gateway: Gateway, ask: Callable[..., httpx.Response], tenant: str
) -> None:
    ask(chat())
    assert state(ask(chat(), authorization=f"Bearer {gateway.new_key(tenant)}")) == "hit"


def test_a_key_that_may_not_use_the_model_gets_no_hit(
    gateway: Gateway, ask: Callable[..., httpx.Response], tenant: str
) -> None:
    ask(chat())
    other = gateway.new_key(tenant, models=["llama-3"])
    assert ask(chat(), authorization=f"Bearer {other}").status_code == 403


@pytest.mark.spec("8.1")
def test_a_client_can_bypass_the_cache_and_refuse_storage(
    ask: Callable[..., httpx.Response],
) -> None:
    assert state(ask(chat(), cache_control="no-store")) == "bypass"
    assert state(ask(chat(), cache_control="no-cache")) == "bypass"
    assert state(ask(chat())) == "hit"  # what no-cache asked for was kept
    kept = ask(chat()).content
    assert ask(chat(), cache_control="no-store").content != kept
    assert ask(chat()).content == kept
    assert state(ask(chat(), cache_control="max-age=3600")) == "hit"
    assert state(ask(chat(), cache_control="max-age=0")) == "bypass"
    assert state(ask(chat(), cache_control="soon, sooner")) == "hit"


NOT_KEPT: dict[str, tuple[str, dict[str, Any]]] = {
    "truncated": (CHAT, chat(max_tokens=2)),
    "truncated stream": (CHAT, chat(max_tokens=2, stream=True)),
    "truncated message": ("/v1/messages", {"model": "decision", **MESSAGE, "max_tokens": 2}),
    "truncated response": ("/v1/responses", {"model": "gpt-4o", "input": "hi hi",
                                             "max_output_tokens": 16}),
    "tool call": (CHAT, chat(tools=[TOOL])),
    "tool call stream": (CHAT, chat(tools=[TOOL], stream=True)),
    "tool use": ("/v1/messages", {"model": "decision", **MESSAGE, "tools": [
        {"name": "weather", "input_schema": {"type": "object"}}]}),
    "tool call response": ("/v1/responses", {"model": "gpt-4o", "input": "hi", "tools": [
        {"type": "function", "name": "weather", "parameters": {"type": "object"},
         "strict": False}]}),
}  # fmt: skip


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("name", NOT_KEPT)
def test_truncated_and_tool_calling_answers_are_never_kept(
    ask: Callable[..., httpx.Response], name: str, gateway: Gateway
) -> None:
    path, body = NOT_KEPT[name]
    long = {"kind": "answer", "text": "many words " * 40}
    with gateway.faulty("openai", *([long] if name == "truncated response" else [])):
        for _ in range(2):
            answer = ask(body, path)
            assert (answer.status_code, state(answer)) == (200, "miss"), answer.text


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("stream", [False, True])
def test_refused_failed_broken_and_empty_answers_are_never_kept(
    gateway: Gateway, ask: Callable[..., httpx.Response], stream: bool
) -> None:
    body = chat(stream=stream)
    phase = "check_chunk" if stream else "check_output"
    ask(body, x_sluice_session=f"refuse-in:probe.{phase}")
    assert state(ask(chat(stream=stream, seed=1), x_sluice_session="free")) == "miss"
    with gateway.faulty("openai", {"kind": "status", "status": 500}):
        assert ask(body).status_code == 502
    with gateway.faulty("openai", {"kind": "empty"}):
        ask(body)
    if stream:
        with gateway.faulty("openai", {"kind": "stream_cut", "after_chunks": 2}):
            ask(body)
    gateway.release("openai")
    assert state(ask(body)) == "miss"
    assert state(ask(body)) == "hit"


async def _at_once(
    gateway: Gateway, key: str, body: dict[str, Any], count: int
) -> list[httpx.Response]:
    async def one(n: int) -> httpx.Response:
        # A connection each, so that both workers get some.
        async with httpx.AsyncClient(base_url=gateway.base_url, timeout=60) as client:
            headers = {"authorization": f"Bearer {key}"}
            return await client.post(CHAT, json=body, headers=headers)

    return await asyncio.gather(*map(one, range(count)))


@pytest.mark.spec("2.14", "8.1")
@pytest.mark.parametrize("stream", [False, True])
async def test_fifty_identical_calls_at_once_are_one_upstream_call_over_both_workers(
    gateway: Gateway, key: str, tenant: str, stream: bool
) -> None:
    before = len(gateway.practice_requests())
    with gateway.faulty("openai", {"kind": "latency", "ms": 1500}):
        answers = await _at_once(gateway, key, chat(stream=stream), 50)
    assert len(gateway.practice_requests()) - before == 1
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    states = Counter(map(state, answers))
    assert states["miss"] == 1
    assert states["miss"] + states["coalesced"] + states["hit"] == 50
    assert states["coalesced"] >= 25
    rows = [gateway.call_row(a.headers["x-sluice-call-id"]) for a in answers]
    paid = [row for row in rows if row["cache"] == "miss"]
    assert {row["saved_usd"] for row in rows if row["cache"] != "miss"} == {paid[0]["cost_usd"]}
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal(paid[0]["cost_usd"])
    (spent,) = gateway.admin("GET", f"/sluice/spend?tenant_id={tenant}&by=model").json()["rows"]
    assert spent["calls"] == 50


@pytest.mark.spec("2.14")
async def test_after_a_leader_that_failed_another_asks_and_nobody_stampedes(
    gateway: Gateway, key: str
) -> None:
    before = len(gateway.practice_requests())
    slow = {"kind": "latency", "ms": 700}
    with gateway.faulty("openai", slow, {"kind": "status", "status": 500, "times": 1}):
        answers = await _at_once(gateway, key, chat(), 20)
    assert Counter(a.status_code for a in answers) == {200: 19, 502: 1}
    assert len(gateway.practice_requests()) - before == 2


@pytest.mark.spec("2.14")
async def test_identical_calls_whose_answer_may_not_be_kept_each_get_their_own(
    gateway: Gateway, key: str
) -> None:
    with gateway.faulty("openai", {"kind": "latency", "ms": 500}):
        answers = await _at_once(gateway, key, chat(tools=[TOOL]), 10)
    assert {a.status_code for a in answers} == {200}
    assert {state(a) for a in answers} == {"miss"}
    slowest = max(a.elapsed.total_seconds() for a in answers)
    assert slowest < 4  # in a row they would have taken 5


def test_a_voice_interview_is_never_answered_from_the_cache(
    ask: Callable[..., httpx.Response],
) -> None:
    for _ in range(2):
        assert state(ask(chat(model="voice_interview"))) == "off"


def test_moderations_and_transcriptions_have_no_cache(ask: Callable[..., httpx.Response]) -> None:
    for _ in range(2):
        assert state(ask({"input": "hello"}, "/v1/moderations")) == "off"


@pytest.mark.spec("8.1", "13.2")
def test_a_tenant_sees_and_clears_its_own_entries_and_an_operator_anybodys(
    gateway: Gateway, ask: Callable[..., httpx.Response], tenant: str, key: str
) -> None:
    first = ask(chat())
    for _ in range(3):
        last = ask(chat())
    gateway.call_row(first.headers["x-sluice-call-id"])
    gateway.call_row(last.headers["x-sluice-call-id"])
    (mine,) = told(gateway, "cache", "show", key=key)
    (theirs,) = told(gateway, "cache", "show", "--tenant", tenant)
    # Shares shrink with every tenant that another test makes; each worker counts now and then.
    assert min(mine.pop("share_bytes"), theirs.pop("share_bytes")) > 0
    assert mine == theirs
    assert (mine["tenant_id"], mine["entries"], mine["calls"], mine["hits"]) == (tenant, 1, 4, 3)
    assert mine["hit_share"] == 0.75
    assert 0 < mine["bytes"] < 5000
    assert Decimal(mine["saved_usd"]) > 0
    other = gateway.new_tenant()
    assert "own tenant" in refused(gateway, "cache", "clear", "--tenant", other, key=key)
    assert "no tenant" in refused(gateway, "cache", "clear", "--tenant", "nobody")
    assert "name the tenant" in refused(gateway, "cache", "clear")
    assert told(gateway, "cache", "clear", "--tenant", other)["removed"] == 0
    assert told(gateway, "cache", "clear", key=key) == {"tenant_id": tenant, "removed": 1}
    assert told(gateway, "cache", "show", "--tenant", tenant)[0]["entries"] == 0
