"""What a request needs of a model, and which tier cannot take it."""

from typing import Any

import pytest

from plugins.agents.abilities import Abilities, Ability, needs_of, unable
from plugins.core.call import Endpoint
from plugins.core.tokens import estimated_input_tokens, prompt_texts
from tests.making import a_call

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}


def _user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"messages": [{"role": "user", "content": "plain words"}]}, set()),
        (_user({"type": "text", "text": "image_url"}), set()),
        (_user(IMAGE), {Ability.IMAGES}),
        (_user({"type": "file", "file": {"file_data": "x"}}), {Ability.DOCUMENTS}),
        (_user({"type": "input_audio", "input_audio": {}}), {Ability.AUDIO}),
        ({"tools": [TOOL]}, {Ability.TOOLS}),
        ({"functions": [{"name": "f"}]}, {Ability.TOOLS}),
        ({"tools": []}, set()),
        ({"response_format": SCHEMA}, {Ability.JSON_SCHEMA}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"text": {"format": {"type": "json_schema"}}}, {Ability.JSON_SCHEMA}),
        ({"input": "words"}, set()),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            {Ability.IMAGES},
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            {Ability.IMAGES},
        ),
        (
            # An image that a tool gave back, within Anthropic's block of its result.
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": [{"type": "image"}]}],
                    }
                ]
            },
            {Ability.IMAGES},
        ),
        (_user(IMAGE) | {"tools": [TOOL]}, {Ability.IMAGES, Ability.TOOLS}),
    ],
)
def test_a_request_needs_what_it_holds(body: dict[str, Any], needs: set[Ability]) -> None:
    assert needs_of(body) == needs


def test_silence_of_the_price_list_means_no_and_silence_of_an_operator_means_yes() -> None:
    listed = Abilities.read({"supports_vision": True, "max_input_tokens": 100}, listed=True)
    assert listed.lacking == set(Ability) - {Ability.IMAGES}
    assert listed.max_input_tokens == 100
    own = Abilities.read({"supports_vision": False}, listed=False)
    assert own == Abilities(frozenset({Ability.IMAGES}), None)


def test_a_group_can_no_more_than_each_of_its_deployments() -> None:
    one = Abilities(frozenset({Ability.IMAGES}), 8000)
    other = Abilities(frozenset({Ability.AUDIO}), None)
    assert one & other == Abilities(frozenset({Ability.IMAGES, Ability.AUDIO}), 8000)


@pytest.mark.spec("2.10")
def test_a_tier_that_cannot_take_a_request_says_what_it_lacks() -> None:
    call = a_call(body=_user(IMAGE))
    refusal = unable(call, "llama-3", Abilities(frozenset({Ability.IMAGES})))
    assert refusal is not None
    assert refusal.code == "model_lacks_images"
    assert "'llama-3' cannot take images" in refusal.message
    assert unable(call, "gpt-4o", Abilities()) is None


@pytest.mark.parametrize(("characters", "fits"), [(400, True), (476, True), (480, False)])
def test_a_context_is_too_short_only_when_the_estimate_passes_it_by_a_fifth(
    characters: int, fits: bool
) -> None:
    call = a_call(body={"messages": [{"role": "user", "content": "x" * characters}]})
    refusal = unable(call, "llama-3", Abilities(max_input_tokens=100))
    assert (refusal is None) == fits
    if refusal is not None:
        assert refusal.code == "context_length_exceeded"


def test_speech_needs_nothing_of_a_chat_model() -> None:
    call = a_call(endpoint=Endpoint.SPEECH, body={"input": "x" * 10_000})
    assert unable(call, "tts-1", Abilities(frozenset(Ability), 1)) is None


def test_every_text_of_a_prompt_is_counted_and_no_picture() -> None:
    body = {
        "instructions": "first",
        "messages": [
            {"role": "system", "content": "second"},
            {"role": "user", "content": [{"type": "text", "text": "third"}, IMAGE]},
        ],
        "tools": [TOOL],
    }
    texts = " ".join(prompt_texts(body))
    assert all(word in texts for word in ("first", "second", "third", "book"))
    assert "AAAA" not in texts


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("简历", 2), ("ab简历", 2)]
)
def test_tokens_are_a_fourth_of_the_bytes(text: str, tokens: int) -> None:
    assert estimated_input_tokens({"input": text}) == tokens
