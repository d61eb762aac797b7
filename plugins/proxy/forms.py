"""Reads the multipart form of an audio transcription."""

import io
import struct
import wave
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from plugins.core.errors import InvalidRequest
from plugins.proxy.schema import parse_form

MAX_FIELDS: Final = 32


async def parse_transcription(raw: bytes, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Validate the form.

    Args:
        raw: the whole multipart body.
        headers: the request's, for the boundary.

    Returns:
        The text fields, and `_audio_s`: seconds of audio where the file says so (WAV), else 0.

    Raises:
        InvalidRequest: naming the field at fault.
    """
    found = Headers(raw=list(headers))
    if not found.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidRequest(
            "a transcription is sent as multipart/form-data with a `file` and a `model`",
            code="invalid_content_type",
        )

    async def once() -> AsyncGenerator[bytes, None]:
        yield raw

    try:
        parser = MultiPartParser(found, once(), max_files=1, max_fields=MAX_FIELDS)
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            "the multipart form cannot be read: " + str(getattr(error, "message", "malformed")),
            code="invalid_form",
        ) from error
    try:
        fields: dict[str, list[str]] = {}
        upload: UploadFile | None = None
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                if key != "file":
                    raise InvalidRequest(
                        f"unknown file field {key[:64]!r}; send `file`", param=key[:64]
                    )
                upload = value
            else:
                fields.setdefault(key, []).append(value)
        if upload is None:
            raise InvalidRequest("`file` is missing", param="file", code="missing_parameter")
        body = parse_form(fields)
        body["_audio_s"] = _wave_seconds(await upload.read())
        return body
    finally:
        await form.close()


def _wave_seconds(audio: bytes) -> float:
    try:
        with wave.open(io.BytesIO(audio)) as file:
            # A header written to a pipe states the largest number; the bytes are what there is.
            bytes_a_frame = file.getnchannels() * file.getsampwidth()
            return min(file.getnframes(), len(audio) // bytes_a_frame) / file.getframerate()
    except (wave.Error, EOFError, ArithmeticError, RuntimeError, ValueError, struct.error):
        # A header that lies makes Python's reader raise any of these.
        return 0.0
