"""ElevenLabs' text-to-speech under `/elevenlabs/v1/text-to-speech/{voice}`."""

from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, voice
from selfhosted.practice.wire import Call, Handler, Provider, Refused, Reply, Whole, to_json

MAX_CHARACTERS = 10_000
DEFAULT_FORMAT = "mp3_44100_128"
_STATUS = {401: "needs_authorization", 404: "model_not_found", 429: "too_many_concurrent_requests"}
_PREFIX = "/v1/text-to-speech/"


class SpeechRequest(msgspec.Struct):
    """The body of a text-to-speech request."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_CHARACTERS)]
    model_id: str = "eleven_multilingual_v2"


_decoder = msgspec.json.Decoder(SpeechRequest)


def refuse(fault: Refused) -> Whole:
    """Write a refusal as ElevenLabs does."""
    kind = fault.code or _STATUS.get(fault.status, "invalid_request")
    return to_json({"detail": {"status": kind, "message": fault.message}}, fault.status)


def speak(call: Call) -> Reply:
    """Speak a text in the format that the query names: mp3_*, pcm_RATE or wav_RATE."""
    request = call.decode(_decoder)
    call.model = request.model_id
    if catalogue.use_of("elevenlabs", request.model_id) is None:
        raise Refused(404, f"A model with model ID {request.model_id} does not exist.")
    query = parse_qs(call.query.decode("latin-1"))
    wanted = query.get("output_format", [DEFAULT_FORMAT])[-1]
    codec, _, rest = wanted.partition("_")
    cost = (b"character-cost", b"%d" % len(request.text))
    if call.plan.answer is not None and not call.plan.answer.text:
        return Whole(b"", 200, ((b"content-type", b"audio/mpeg"), cost))  # the fault `empty`
    if codec == "mp3":
        return Whole(voice.to_mp3(request.text), 200, ((b"content-type", b"audio/mpeg"), cost))
    rate = int(rest) if rest.isdigit() and 8000 <= int(rest) <= 48_000 else 0
    if codec not in ("pcm", "wav") or not rate:
        raise Refused(
            400, f"output_format '{wanted}' is not spoken here: mp3_*, pcm_RATE, wav_RATE"
        )
    make = voice.to_pcm if codec == "pcm" else voice.to_wav
    kind = b"audio/" + codec.encode()
    return Whole(make(request.text, rate), 200, ((b"content-type", kind), cost))


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path; `/stream` answers alike."""
    name = path.removeprefix(_PREFIX).removesuffix("/stream")
    spoken = method == "POST" and path.startswith(_PREFIX) and name and "/" not in name
    return speak if spoken else None


def authorised(call: Call) -> bool:
    """Tell whether the request carries a key."""
    return bool(call.headers.get(b"xi-api-key", b"").strip())


_KEY_MISSING = Refused(401, "Neither authorization header nor xi-api-key received.")
PROVIDER = Provider("elevenlabs", route, refuse, authorised, _KEY_MISSING)
