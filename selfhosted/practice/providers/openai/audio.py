"""`POST /v1/audio/speech` and `POST /v1/audio/transcriptions`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selfhosted.practice import catalogue, usage, voice
from selfhosted.practice.multipart import Field, read_form
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.wire import Call, Refused, Reply, Whole, to_json

MAX_INPUT_CHARACTERS = 4096
TEXT_TYPE = (b"content-type", b"text/plain; charset=utf-8")
FORMATS = ("json", "text", "verbose_json", "srt", "vtt")


class SpeechRequest(msgspec.Struct):
    """The body of `POST /v1/audio/speech`."""

    model: str
    input: Annotated[str, Meta(min_length=1, max_length=MAX_INPUT_CHARACTERS)]
    voice: str | Json = "alloy"
    response_format: str = "mp3"


_decoder = msgspec.json.Decoder(SpeechRequest)


def speech(call: Call, flavour: Flavour) -> Reply:
    """Speak a text; formats are mp3 (silent), wav and pcm."""
    request = call.decode(_decoder)
    flavour.admit(call, request.model, catalogue.SPEAK)
    if call.plan.answer is not None and not call.plan.answer.text:
        return Whole(b"", 200, ((b"content-type", b"audio/mpeg"),))  # the fault `empty`
    match request.response_format:
        case "mp3":
            return Whole(voice.to_mp3(request.input), 200, ((b"content-type", b"audio/mpeg"),))
        case "wav":
            return Whole(voice.to_wav(request.input), 200, ((b"content-type", b"audio/wav"),))
        case "pcm":
            return Whole(voice.to_pcm(request.input), 200, ((b"content-type", b"audio/pcm"),))
        case other:
            raise Refused(
                400,
                f"The practice provider speaks mp3, wav and pcm, not '{other}'.",
                param="response_format",
            )


def transcriptions(call: Call, flavour: Flavour) -> Reply:
    """Transcribe audio: practice speech word by word, other audio by its length."""
    form = read_form(call)
    model, audio = _one(form, "model").text, _one(form, "file")
    flavour.admit(call, model, catalogue.HEAR)
    wanted = form["response_format"][0].text if "response_format" in form else "json"
    if wanted not in FORMATS:
        raise Refused(400, f"Invalid value: '{wanted}'.", param="response_format")
    text, length_s = heard(call, audio.content)
    if wanted == "text":
        return Whole(text.encode() + b"\n", 200, (TEXT_TYPE,))
    if wanted in ("srt", "vtt"):
        return Whole(_subtitle(wanted, text, length_s), 200, (TEXT_TYPE,))
    used: Json = {"type": "duration", "seconds": max(1, round(length_s))}
    if wanted == "json":
        return to_json({"text": text, "usage": used})
    body: Json = {
        "task": "transcribe",
        "language": "english",
        "duration": round(length_s, 2),
        "text": text,
        "usage": used,
        "segments": [_segment(text, length_s)],
    }
    if any("word" in f.text for f in form.get("timestamp_granularities[]", [])):
        body["words"] = word_times(text, length_s)
    return to_json(body)


def heard(call: Call, audio: bytes, rate_hz: int | None = None) -> tuple[str, float]:
    """Return what was heard, or what a programmed answer says, and the length in seconds."""
    text, length_s = voice.hear(audio, rate_hz)
    if call.plan.answer is not None:
        return call.plan.answer.text, length_s
    return text or f"This is a practice transcript of {length_s:.1f} seconds.", length_s


def word_times(text: str, length_s: float) -> list[Json]:
    """Spread the words of a text evenly over its length."""
    words = text.split()
    step = length_s / max(1, len(words))
    return [
        {"word": word, "start": round(i * step, 3), "end": round((i + 1) * step, 3)}
        for i, word in enumerate(words)
    ]


def _one(form: dict[str, list[Field]], name: str) -> Field:
    if name not in form:
        raise Refused(400, f"you must provide a {name} parameter", param=name)
    return form[name][0]


def _segment(text: str, length_s: float) -> Json:
    return {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": round(length_s, 2),
        "text": text,
        "tokens": list(range(usage.count(text))),
        "temperature": 0.0,
        "avg_logprob": -0.02,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.001,
    }


def _subtitle(kind: str, text: str, length_s: float) -> bytes:
    whole, thousandths = divmod(round(length_s * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    mark = "," if kind == "srt" else "."
    end = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{mark}{thousandths:03}"
    cue = f"00:00:00{mark}000 --> {end}\n{text}\n\n"
    return ("1\n" + cue if kind == "srt" else "WEBVTT\n\n" + cue).encode()
