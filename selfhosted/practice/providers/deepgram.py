"""Deepgram's batch speech-to-text under `/deepgram/v1/listen`."""

from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qs

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai.audio import heard, word_times
from selfhosted.practice.wire import Call, Handler, Provider, Refused, Reply, Whole, to_json

CONFIDENCE = 0.99


class UrlRequest(msgspec.Struct):
    """A request that names the audio's address instead of sending it."""

    url: str


_decoder = msgspec.json.Decoder(UrlRequest)
_CODES = {400: "Bad Request", 401: "INVALID_AUTH", 429: "TOO_MANY_REQUESTS"}


def refuse(fault: Refused) -> Whole:
    """Write a refusal as Deepgram does."""
    code = fault.code or _CODES.get(fault.status, "INTERNAL_SERVER_ERROR")
    return to_json({"err_code": code, "err_msg": fault.message, "request_id": ""}, fault.status)


def listen(call: Call) -> Reply:
    """Transcribe the body, raw audio of any content type."""
    query = {name: values[-1] for name, values in parse_qs(call.query.decode("latin-1")).items()}
    call.model = query.get("model", "nova-2")
    if catalogue.use_of("deepgram", call.model) is None:
        raise Refused(400, f"No such model/language/tier combination: {call.model}")
    audio = call.body
    if call.headers.get(b"content-type", b"").startswith(b"application/json"):
        audio = call.decode(_decoder).url.encode()
    if not audio:
        raise Refused(400, "Bad Request: failed to process audio: corrupt or unsupported data")
    rate = query.get("sample_rate", "")
    text, length_s = heard(call, audio, int(rate) if rate.isdigit() else None)
    now = datetime.fromtimestamp(call.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    metadata: Json = {
        "transaction_key": "deprecated",
        "request_id": call.make_id(""),
        "sha256": sha256(audio).hexdigest(),
        "created": now,
        "duration": round(length_s, 4),
        "channels": 1,
        "models": [call.model],
        "model_info": {call.model: {"name": call.model, "version": "practice", "arch": "rules"}},
    }
    words: list[Json] = [
        timed
        | {
            "word": str(timed["word"]).lower().strip(".,!?"),
            "punctuated_word": timed["word"],
            "confidence": CONFIDENCE,
        }
        for timed in word_times(text, length_s)
    ]
    alternative: Json = {"transcript": text, "confidence": CONFIDENCE, "words": words}
    return to_json(
        {"metadata": metadata, "results": {"channels": [{"alternatives": [alternative]}]}}
    )


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    return listen if (method, path) == ("POST", "/v1/listen") else None


def authorised(call: Call) -> bool:
    """Tell whether the request carries a key as `Token` or `Bearer`."""
    scheme, _, key = call.headers.get(b"authorization", b"").partition(b" ")
    return scheme.lower() in (b"token", b"bearer") and bool(key.strip())


PROVIDER = Provider("deepgram", route, refuse, authorised, Refused(401, "Invalid credentials."))
