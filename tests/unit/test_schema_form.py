"""A transcription's form: what the official client sends passes, faults are named."""

import email.policy
from email.parser import BytesParser
from typing import Any

import httpx
import pytest

from plugins.core.errors import InvalidRequest
from plugins.proxy.schema import parse_form
from tests.unit.test_schema_openai_sdk import CLIENT, sent_by
from tests.unit.test_schema_refusals import IMAGE


def _fields(request: httpx.Request) -> dict[str, list[str]]:
    """Read a form as any server would; files are left out."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=email.policy.HTTP).parsebytes(head + request.read())
    fields: dict[str, list[str]] = {}
    for part in form.iter_parts():
        if part.get_filename() is None:
            name = part.get_param("name", header="content-disposition")
            fields.setdefault(str(name), []).append(part.get_content().removesuffix("\n"))
    return fields


def test_a_transcription_form_passes_and_gets_its_types() -> None:
    create: Any = CLIENT.audio.transcriptions.create
    file = ("a.wav", b"RIFF")
    call = {"file": file, "model": "whisper-1", "language": "de", "prompt": "p"}
    words = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
    found = parse_form(_fields(sent_by(lambda: create(**call, temperature=0.5, **words))))
    assert found == {
        "model": "whisper-1",
        "language": "de",
        "prompt": "p",
        "temperature": 0.5,
        "response_format": "verbose_json",
        "timestamp_granularities": ["word", "segment"],
    }
    more = {
        "chunking_strategy": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200},
        "include": ["logprobs"],
        "keywords": ["Sluice"],
        "known_speaker_names": ["a"],
        "known_speaker_references": ["data:audio/wav;base64,AAAA"],
        "languages": ["de", "en"],
        "stream": False,
    }
    found = parse_form(_fields(sent_by(lambda: create(file=file, model="m", **more))))
    assert found == {"model": "m", **more}
    short = {"model": "m", "chunking_strategy": "auto"}
    assert parse_form(_fields(sent_by(lambda: create(file=file, **short)))) == short


FORMS: list[tuple[dict[str, list[str]], str, str | None]] = [
    ({}, "missing_parameter", "model"),
    ({"model": []}, "invalid_value", "model"),
    ({"model": ["a", "b"]}, "invalid_value", "model"),
    ({"model": ["m"], "api_base": ["x"]}, "parameter_not_allowed", "api_base"),
    ({"model": ["m"], "foo": ["x"]}, "unknown_parameter", "foo"),
    ({"model": ["m"], "temperature": ["nan"]}, "invalid_value", "temperature"),
    ({"model": ["m"], "temperature": ["1.1"]}, "invalid_value", "temperature"),
    ({"model": ["m"], "stream": ["maybe"]}, "invalid_type", "stream"),
    ({"model": ["m"], "language": ["d3"]}, "invalid_value", "language"),
    ({"model": ["m"], "prompt": ["a\0"]}, "invalid_value", "prompt"),
    ({"model": ["m"], "response_format": ["xml"]}, "invalid_value", "response_format"),
    (
        {"model": ["m"], "timestamp_granularities[]": ["word"]},
        "invalid_value",
        "timestamp_granularities",
    ),
    (
        {"model": ["m"], "known_speaker_references[]": [IMAGE]},
        "url_not_allowed",
        "known_speaker_references[0]",
    ),
    (
        {"model": ["m"], "chunking_strategy": ["auto"], "chunking_strategy[type]": ["server_vad"]},
        "invalid_value",
        "chunking_strategy",
    ),
]


@pytest.mark.parametrize(("fields", "code", "param"), FORMS)
def test_a_fault_in_a_form_is_named(
    fields: dict[str, list[str]], code: str, param: str | None
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_form(fields)
    assert (caught.value.code, caught.value.param) == (code, param)
