"""Every text of a request is found at its place, and can be put back there."""

import copy
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import fields as struct_fields

from plugins.core.asked import Role, asked_of, token_counts, with_texts
from plugins.core.call import Endpoint
from plugins.proxy.schema import parse_body
from plugins.proxy.schema.body import _KINDS
from plugins.proxy.schema.checked import Base64, DataUrl, FileData, FreeObject, Metadata
from plugins.proxy.schema.form import Transcription
from plugins.proxy.schema.messages import AnthropicMetadata
from plugins.proxy.schema.responses_items import _ITEMS, InputItem

IMAGE = "data:image/png;base64,aGVsbG8="

BODIES: list[tuple[Endpoint, dict[str, Any], dict[str, tuple[Role, str]]]] = [
    (
        Endpoint.CHAT,
        {
            "model": "m",
            "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
                {
                    "role": "user",
                    "name": "Ann",
                    "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image_url", "image_url": {"url": IMAGE}},
                        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                        {"type": "file", "file": {"file_data": IMAGE, "filename": "cv.pdf"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "refusal": "no",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "look_up", "arguments": '{"of": "Bo"}'},
                        },
                        {"id": "call_2", "type": "custom", "custom": {"name": "x", "input": "raw"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "found"},
                {"role": "function", "name": "old", "content": "older"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "look_up",
                        "description": "Looks up.",
                        "parameters": {
                            "type": "object",
                            "properties": {"of": {"type": "string", "description": "who"}},
                        },
                    },
                }
            ],
            "x_sources": [{"name": "resume", "text": "Nine years.", "about": "candidate"}],
            "metadata": {"note": "not sent"},
            "user": "u",
        },
        {
            "messages[0].content": (Role.SYSTEM, "be kind"),
            "messages[1].content[0].text": (Role.SYSTEM, "be brief"),
            "messages[2].name": (Role.USER, "Ann"),
            "messages[2].content[0].text": (Role.USER, "look"),
            "messages[2].content[3].file.filename": (Role.DOCUMENT, "cv.pdf"),
            "messages[3].refusal": (Role.ASSISTANT, "no"),
            "messages[3].tool_calls[0].function.arguments": (Role.ASSISTANT, '{"of": "Bo"}'),
            "messages[3].tool_calls[1].custom.input": (Role.ASSISTANT, "raw"),
            "messages[4].content": (Role.TOOL, "found"),
            "messages[5].content": (Role.TOOL, "older"),
            "tools[0].function.description": (Role.SYSTEM, "Looks up."),
            "tools[0].function.parameters.properties.of.description": (Role.SYSTEM, "who"),
            "x_sources[0].name": (Role.DOCUMENT, "resume"),
            "x_sources[0].text": (Role.DOCUMENT, "Nine years."),
        },
    ),
    (
        Endpoint.MESSAGES,
        {
            "model": "m",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "be kind"}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "title": "CV",
                            "source": {
                                "type": "text",
                                "media_type": "text/plain",
                                "data": "Nine years.",
                            },
                        },
                        {
                            "type": "search_result",
                            "source": "intranet",
                            "title": "Hit",
                            "content": [{"type": "text", "text": "said"}],
                        },
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "aGk=",
                            },
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "tool_use", "id": "t", "name": "f", "input": {"type": "a card"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [{"type": "text", "text": "found"}],
                        }
                    ],
                },
            ],
        },
        {
            "system[0].text": (Role.SYSTEM, "be kind"),
            "messages[0].content[0].title": (Role.DOCUMENT, "CV"),
            "messages[0].content[0].source.data": (Role.DOCUMENT, "Nine years."),
            "messages[0].content[1].source": (Role.DOCUMENT, "intranet"),
            "messages[0].content[1].title": (Role.DOCUMENT, "Hit"),
            "messages[0].content[1].content[0].text": (Role.DOCUMENT, "said"),
            "messages[1].content[0].thinking": (Role.ASSISTANT, "hm"),
            "messages[1].content[1].input.type": (Role.ASSISTANT, "a card"),
            "messages[2].content[0].content[0].text": (Role.TOOL, "found"),
        },
    ),
    (
        Endpoint.RESPONSES,
        {
            "model": "m",
            "instructions": "be kind",
            "input": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "found"},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            ],
        },
        {
            "instructions": (Role.SYSTEM, "be kind"),
            "input[0].content": (Role.USER, "hello"),
            "input[1].content[0].text": (Role.ASSISTANT, "hi"),
            "input[2].arguments": (Role.ASSISTANT, "{}"),
            "input[3].output": (Role.TOOL, "found"),
            "input[4].summary[0].text": (Role.ASSISTANT, "hm"),
        },
    ),
    (Endpoint.RESPONSES, {"model": "m", "input": "hello"}, {"input": (Role.USER, "hello")}),
    (
        Endpoint.COMPLETIONS,
        {"model": "m", "prompt": ["a", "b"], "suffix": "c"},
        {
            "prompt[0]": (Role.USER, "a"),
            "prompt[1]": (Role.USER, "b"),
            "suffix": (Role.USER, "c"),
        },
    ),
    (Endpoint.EMBEDDINGS, {"model": "m", "input": ["a"]}, {"input[0]": (Role.DOCUMENT, "a")}),
    (Endpoint.EMBEDDINGS, {"model": "m", "input": [[1, 2], [3]]}, {}),
    (
        Endpoint.MODERATIONS,
        {"input": ["a", {"type": "text", "text": "b"}]},
        {"input[0]": (Role.USER, "a"), "input[1].text": (Role.USER, "b")},
    ),
    (
        Endpoint.SPEECH,
        {"model": "m", "voice": "alloy", "input": "a", "instructions": "slowly"},
        {"instructions": (Role.SYSTEM, "slowly"), "input": (Role.USER, "a")},
    ),
]


@pytest.mark.parametrize(("endpoint", "body", "texts"), BODIES)
def test_each_text_is_found_at_its_place_and_with_who_speaks(
    endpoint: Endpoint, body: dict[str, Any], texts: dict[str, tuple[Role, str]]
) -> None:
    parse_body(endpoint, msgspec.json.encode(body))
    found = {asked.path: (asked.role, asked.text) for asked in asked_of(endpoint, body)}
    assert found == texts


def test_the_fields_of_a_form_are_texts_too() -> None:
    body = {"model": "m", "prompt": "a", "keywords": ["b"], "language": "en"}
    found = {each.path: each.text for each in asked_of(Endpoint.TRANSCRIPTIONS, body)}
    assert found == {"prompt": "a", "keywords[0]": "b"}


def test_a_field_whose_name_may_be_text_is_not_shown_in_the_path() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"4111 1111": {"ok": "x"}}}
    body = {"messages": [{"role": "assistant", "content": [block]}]}
    (asked,) = asked_of(Endpoint.MESSAGES, body)
    assert asked.path == "messages[0].content[0].input.?.ok"
    changed = with_texts(body, {asked.keys: "y"})
    assert changed["messages"][0]["content"][0]["input"] == {"4111 1111": {"ok": "y"}}


@pytest.mark.parametrize(
    ("value", "counts"), [([1, 2, 3], [3]), ([[1, 2], [3]], [2, 1]), ("text", []), (["text"], [])]
)
def test_tokens_in_place_of_texts_are_counted(value: Any, counts: list[int]) -> None:
    assert token_counts(Endpoint.EMBEDDINGS, {"input": value}) == counts


# --- laws, over bodies made from the schema itself -----------------------------------------------

MARK = "\u00a7"
"""Stands in what the schema calls text without a bound, and in nothing else of a made body."""
UNMARKED = {"url", "signature", "encrypted_content", "logprobs", "provider_specific_fields"}
"""Fields which are addresses and bytes, repeat a text, or are not sent on."""
_numbers = itertools.count()
_marked = st.builds(lambda: f"{MARK}{next(_numbers)}")
_constant: dict[Any, st.SearchStrategy[Any]] = {
    str: _marked,
    bool: st.just(False),
    int: st.just(1),
    float: st.just(1.0),
    FreeObject: st.dictionaries(
        st.sampled_from(["type", "a key", "name", "content"]),
        st.one_of(_marked, st.lists(_marked, max_size=2)),
        max_size=2,
    ),
    DataUrl: st.just(IMAGE),
    FileData: st.just(IMAGE),
    Base64: st.just("aGk="),
    Metadata: st.just({"note": "n"}),
    AnthropicMetadata: st.just({"user_id": "n"}),
}


@cache
def made(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of the schema."""
    if kind in _constant:
        return _constant[kind]
    if kind is InputItem:
        return st.one_of([made(each) for each in _ITEMS.values()])
    if isinstance(kind, type):
        return made_object(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return made_bounded(*parts)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is list:
        return st.lists(made(parts[0]), min_size=1, max_size=2)
    if origin is dict:
        return st.just({})
    some = [k for k in parts if k not in (type(None), msgspec.UnsetType)]
    return st.one_of([made(k) for k in some]) if some else st.none()


def made_bounded(inner: Any, meta: Meta) -> st.SearchStrategy[Any]:
    if inner is str:  # an identifier, a word, a label; a text only where it may be long
        long = meta.pattern is None and (meta.max_length or 4096) >= 4096
        return _marked if long else st.just("12")
    if inner in (int, float):
        return st.just(inner(max(meta.ge or 0, (meta.gt or 0) + 1)))
    return made(inner)


def made_object(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    if kind is type(None):
        return st.none()
    config = kind.__struct_config__
    fixed = {config.tag_field: st.just(config.tag)} if config.tag_field else {}
    hints = get_type_hints(kind, include_extras=True)
    fields = {f.encode_name: (f.required, made(hints[f.name])) for f in struct_fields(kind)}
    needed = {name: each for name, (required, each) in fields.items() if required}
    others = {name: each for name, (required, each) in fields.items() if not required}
    return st.fixed_dictionaries(fixed | needed, optional=others)


def bodies(endpoint: Endpoint) -> st.SearchStrategy[dict[str, Any]]:
    kind: Any = Transcription if endpoint is Endpoint.TRANSCRIPTIONS else _KINDS[endpoint]
    return made(kind).filter(is_of_one_kind)


def is_of_one_kind(body: dict[str, Any]) -> bool:
    """Tell whether inputs are not mixed of texts and tokens, which the schema refuses."""
    values = body.get("input", body.get("prompt"))
    return not isinstance(values, list) or len({type(v) for v in values} & {str, int}) < 2


def marked(value: Any, *, top: bool = False) -> Iterator[str]:
    """Every text of a made body that is part of the prompt."""
    if isinstance(value, str):
        yield from [value] if MARK in value else []
    elif isinstance(value, list):
        for each in value:
            yield from marked(each)
    elif isinstance(value, dict) and value.get("type") != "redacted_thinking":
        unmarked = UNMARKED | UNSENT if top else UNMARKED
        for name, each in value.items():
            if name not in unmarked:
                yield from marked(each)


UNSENT = {"stop", "stop_sequences"}
"""Fields of a body that say where an answer ends."""
EACH = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("endpoint", list(Endpoint))
@EACH
@given(data=st.data())
def test_every_text_of_the_schema_is_found_once(endpoint: Endpoint, data: st.DataObject) -> None:
    body = data.draw(bodies(endpoint))
    found = [asked.text for asked in asked_of(endpoint, body) if MARK in asked.text]
    assert sorted(found) == sorted(marked(body, top=True))


@pytest.mark.parametrize("endpoint", list(Endpoint))
@EACH
@given(data=st.data())
def test_texts_are_put_back_where_they_were_and_nothing_else_changes(
    endpoint: Endpoint, data: st.DataObject
) -> None:
    body = data.draw(bodies(endpoint))
    before = copy.deepcopy(body)
    texts = asked_of(endpoint, body)
    if not texts:
        return
    assert with_texts(body, {asked.keys: asked.text for asked in texts}) == before
    chosen = data.draw(st.sampled_from(texts))
    changed = with_texts(body, {chosen.keys: "another text"})
    assert body == before
    after = {asked.keys: asked.text for asked in asked_of(endpoint, changed)}
    assert after == {each.keys: each.text for each in texts} | {chosen.keys: "another text"}
    assert with_texts(changed, {chosen.keys: chosen.text}) == before
