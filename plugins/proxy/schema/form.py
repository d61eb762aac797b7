"""POST /v1/audio/transcriptions: the text fields of its form.

Source: OpenAI API reference, transcriptions (openai 2.54.0, read 2026-11-23).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from plugins.core.errors import InvalidRequest
from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import DataUrl, hook_for
from plugins.proxy.schema.explain import explain
from plugins.proxy.schema.faults import FieldError, shown
from plugins.proxy.schema.fields import Strict
from plugins.proxy.schema.limits import DEFAULT_LIMITS, BodyLimits

Words = Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=1024)]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]

_LISTS: Final = frozenset(
    {
        "include",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
        "languages",
        "timestamp_granularities",
    }
)
_VAD: Final = "chunking_strategy"


class VoiceActivity(Strict, tag_field="type", tag="server_vad", omit_defaults=True):
    """Where the provider cuts the recording."""

    prefix_padding_ms: Milliseconds | None = None
    silence_duration_ms: Milliseconds | None = None
    threshold: f.Probability | None = None


class Transcription(Strict, omit_defaults=True):
    """The text fields of a transcription's form."""

    model: f.Model
    chunking_strategy: Literal["auto"] | VoiceActivity | None = None
    include: list[Literal["logprobs"]] | None = None
    keywords: Words | None = None
    known_speaker_names: Words | None = None
    known_speaker_references: Annotated[list[DataUrl], Meta(max_length=16)] | None = None
    language: Annotated[str, Meta(pattern=r"^[A-Za-z-]*\Z", min_length=2, max_length=16)] | None = (
        None
    )
    languages: Words | None = None
    prompt: Annotated[str, Meta(max_length=8192)] | None = None
    response_format: (
        Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] | None
    ) = None
    stream: bool | None = None
    temperature: f.Probability | None = None
    timestamp_granularities: list[Literal["word", "segment"]] | None = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other, and streams, whose end is not followed."""
        if self.stream:
            after = " must be false: transcriptions are answered whole here; remove this field."
            raise FieldError("invalid_value", after, path=".stream")
        if self.timestamp_granularities and self.response_format != "verbose_json":
            after = " needs `response_format` to be `verbose_json`; set it or remove this field."
            raise FieldError("invalid_value", after, path=".timestamp_granularities")


def parse_form(
    fields: Mapping[str, Sequence[str]], limits: BodyLimits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Check the text fields of a transcription's form; the file is the caller's to check.

    Args:
        fields: every text field with its values, in order; lists as `name[]` or as `name`
            repeated, `chunking_strategy` as a word or as `chunking_strategy[type]` and so on.
        limits: the bounds of this body.

    Returns:
        The fields under their plain names, each with its JSON type.

    Raises:
        InvalidRequest: what is wrong, with `code` and `param`.
    """
    body = _gathered(fields)
    try:
        form = msgspec.convert(body, Transcription, strict=False, dec_hook=hook_for(limits))
    except msgspec.ValidationError as error:
        raise explain(error, body, Transcription).to_error() from None
    built: dict[str, Any] = msgspec.to_builtins(form, enc_hook=lambda _value: None)
    return {k: body[k] if k in _LISTS else v for k, v in built.items()}


def _gathered(fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, values in fields.items():
        name = key.removesuffix("[]")
        if any("\0" in text for text in (key, *values)):
            message = "The form holds the character U+0000, which cannot be stored; remove it."
            raise InvalidRequest(message, code="invalid_value", param=shown(key))
        if name in _LISTS:
            body.setdefault(name, []).extend(values)
        elif len(values) != 1:
            message = f"A form field stands {len(values)} times but may stand once; send it once."
            raise InvalidRequest(message, code="invalid_value", param=shown(key))
        elif key.startswith(f"{_VAD}[") and key.endswith("]"):
            _add_option(body, key, values[0])
        else:
            body[key] = values[0]
    return body


def _add_option(body: dict[str, Any], key: str, text: str) -> None:
    options = body.setdefault(_VAD, {})
    if not isinstance(options, dict):
        message = f"`{_VAD}` is given both as a word and in parts; send one of them."
        raise InvalidRequest(message, code="invalid_value", param=_VAD)
    options[key[len(_VAD) + 1 : -1]] = text
