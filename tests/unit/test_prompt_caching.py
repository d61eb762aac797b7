"""Cache points are set where a prefix comes again, and nowhere else."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.call import Endpoint
from plugins.prompt_caching.rules import LIFETIME_S, POINT, Prefixes, key_for, mark
from plugins.prompt_caching.stage import PromptCachingStage
from tests.making import a_call

LONG = "Weigh what the resume says, and nothing else. " * 120
TOOL = {"type": "function", "function": {"name": "book", "description": LONG}}


class Clock:
    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


def _points(value: Any) -> int:
    if isinstance(value, dict):
        return (value.get("cache_control") == POINT) + sum(map(_points, value.values()))
    return sum(map(_points, value)) if isinstance(value, list) else 0


def _chat(*said: str, system: str = LONG) -> dict[str, Any]:
    roles = ("user", "assistant")
    turns = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return {"messages": [{"role": "system", "content": system}, *turns]}


def _marked(body: dict[str, Any], prefixes: Prefixes, now_s: float = 0.0) -> dict[str, Any]:
    endpoint = Endpoint.MESSAGES if "max_tokens" in body else Endpoint.CHAT
    sent = dict(body)
    before = copy.deepcopy(body)
    mark(endpoint, sent, prefixes, now_s)
    assert body == before, "the client's own body was changed"
    return sent


@pytest.mark.spec("2.12")
def test_instructions_that_come_again_get_a_point_and_the_first_time_none() -> None:
    prefixes = Prefixes()
    assert _points(_marked(_chat("first candidate"), prefixes)) == 0
    sent = _marked(_chat("second candidate"), prefixes, 10)
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": LONG, "cache_control": POINT}
    ]
    assert _points(sent) == 1


def test_after_the_providers_five_minutes_a_prefix_is_new_again() -> None:
    prefixes = Prefixes()
    _marked(_chat("a"), prefixes)
    assert _points(_marked(_chat("b"), prefixes, LIFETIME_S)) == 0
    assert _points(_marked(_chat("c"), prefixes, LIFETIME_S + 1)) == 1


def test_a_document_of_each_calls_own_among_the_instructions_is_never_written() -> None:
    prefixes = Prefixes()
    for n in range(5):
        assert _points(_marked(_chat("x", system=f"candidate {n}: {LONG}"), prefixes)) == 0


def test_short_instructions_are_left_alone() -> None:
    prefixes = Prefixes()
    for _ in range(3):
        assert _points(_marked(_chat("x", system="Be kind."), prefixes)) == 0


@pytest.mark.spec("2.12")
def test_a_conversation_that_goes_on_gets_a_point_at_its_end() -> None:
    prefixes = Prefixes()
    _marked(_chat("q1"), prefixes)
    second = _marked(_chat("q1", "a1", "q2"), prefixes, 5)
    assert second["messages"][-1]["content"] == [
        {"type": "text", "text": "q2", "cache_control": POINT}
    ]
    assert _points(second) == 2
    third = _marked(_chat("q1", "a1", "q2", "a2", "q3"), prefixes, 10)
    assert _points(third["messages"][-1]) == 1


def test_a_conversation_that_nobody_began_here_gets_none() -> None:
    assert _points(_marked(_chat("q1", "a1", "q2"), Prefixes())) == 0


def test_tools_alone_get_the_point_on_the_last_of_them() -> None:
    prefixes = Prefixes()
    body = {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL, TOOL]}
    _marked(body, prefixes)
    sent = _marked(body, prefixes)
    assert [_points(tool) for tool in sent["tools"]] == [0, 1]


@pytest.mark.parametrize("system", [LONG, [{"type": "text", "text": LONG}]])
def test_anthropics_own_format_gets_its_point_in_system(system: Any) -> None:
    prefixes = Prefixes()
    body = {"max_tokens": 9, "system": system, "messages": [{"role": "user", "content": "x"}]}
    assert _points(_marked(body, prefixes)) == 0
    sent = _marked(body, prefixes)
    assert sent["system"][-1]["cache_control"] == POINT
    assert _points(sent) == 1


def test_a_client_that_sets_points_keeps_them_and_gets_no_others() -> None:
    prefixes = Prefixes()
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    body = _chat("q")
    body["messages"].append({"role": "user", "content": [part]})
    for _ in range(3):
        assert _marked(body, prefixes) == body


@given(st.text(min_size=1), st.text(min_size=1), st.text(), st.text())
def test_keys_of_two_tenants_or_agents_differ_and_tell_nothing(
    tenant: str, other: str, agent: str, second: str
) -> None:
    key = key_for(b"k" * 32, tenant, agent)
    assert key == key_for(b"k" * 32, tenant, agent)
    assert (key == key_for(b"k" * 32, other, second)) == ((tenant, agent) == (other, second))


def _shaped(group: str, **changes: Any) -> dict[str, Any]:
    stage = PromptCachingStage({"gpt-4o": "openai", "llama-3": "vllm"}, "s" * 32, Clock())  # type: ignore[arg-type]
    call = a_call(**changes)
    body = dict(call.body)
    stage.shape(call, group, body)
    return body


def test_openai_is_told_whose_calls_belong_together() -> None:
    body = _chat("q")
    one, again = (_shaped("gpt-4o", tenant_id="acme", body=body) for _ in range(2))
    other = _shaped("gpt-4o", tenant_id="globex", body=body)
    assert one["prompt_cache_key"] == again["prompt_cache_key"] != other["prompt_cache_key"]
    assert "acme" not in one["prompt_cache_key"]
    assert one["messages"] == body["messages"]


def test_a_clients_own_key_never_meets_another_tenants() -> None:
    body = {**_chat("q"), "prompt_cache_key": "mine"}
    keys = {
        _shaped("gpt-4o", tenant_id=tenant, body=body)["prompt_cache_key"]
        for tenant in ("acme", "globex")
    }
    assert len(keys) == 2
    assert "mine" not in keys


def test_other_providers_and_endpoints_get_their_body_as_it_is() -> None:
    body = _chat("q")
    assert _shaped("llama-3", body=body) == body
    assert _shaped("gpt-4o", endpoint=Endpoint.EMBEDDINGS, body={"input": "x"}) == {"input": "x"}
