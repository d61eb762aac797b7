"""Practice speech: audio that carries its text, so that practice ears can hear it back.

Each half byte of the UTF-8 text is one of 16 tones, 10 ms long (50 characters a second), as
16-bit mono PCM. Heard back are WAV and raw PCM that nobody resampled or compressed; of any other
audio only its length is known. MP3 is silence of the right length with the text in its ID3 tag.
"""

import math
import struct
from functools import lru_cache

DEFAULT_RATE_HZ = 24_000
MAX_TEXT_BYTES = 16_384
_TONE_S = 0.01
_AMPLITUDE = 8000
_LOWEST_HZ = 400
_STEP_HZ = 100
# One frame of MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono, all zero: 26 ms of silence.
_MP3_FRAME = b"\xff\xfb\x90\xc4" + bytes(413)
_MP3_FRAME_S = 1152 / 44_100
_ID3_KEY = b"practice"


@lru_cache(maxsize=8)
def _tones(rate_hz: int) -> tuple[bytes, ...]:
    samples = round(rate_hz * _TONE_S)
    tones: list[bytes] = []
    for tone in range(16):
        turn = 2 * math.pi * (_LOWEST_HZ + tone * _STEP_HZ) / rate_hz
        wave = [round(_AMPLITUDE * math.sin(turn * i)) for i in range(samples)]
        tones.append(struct.pack(f"<{samples}h", *wave))
    return tuple(tones)


def to_pcm(text: str, rate_hz: int = DEFAULT_RATE_HZ) -> bytes:
    """Speak a text as 16-bit little-endian mono PCM; cut at MAX_TEXT_BYTES."""
    tones = _tones(rate_hz)
    raw = text.encode()[:MAX_TEXT_BYTES]
    return b"".join(tones[b >> 4] + tones[b & 15] for b in raw)


def to_wav(text: str, rate_hz: int = DEFAULT_RATE_HZ) -> bytes:
    """Speak a text as a WAV file."""
    pcm = to_pcm(text, rate_hz)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    sized = struct.pack("<4sI", b"data", len(pcm)) + pcm
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(sized), b"WAVE") + form + sized


def to_mp3(text: str) -> bytes:
    """Return silence as long as the text's speech, the text in an ID3v2.4 tag."""
    raw = text.encode()[:MAX_TEXT_BYTES]
    body = b"\x03" + _ID3_KEY + b"\0" + raw
    frame = b"TXXX" + _syncsafe(len(body)) + b"\0\0" + body
    tag = b"ID3\x04\0\0" + _syncsafe(len(frame)) + frame
    return tag + _MP3_FRAME * max(1, round(len(raw) * 2 * _TONE_S / _MP3_FRAME_S))


def _syncsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def hear(audio: bytes, rate_hz: int | None = None) -> tuple[str | None, float]:
    """Hear audio.

    Args:
        audio: a WAV or MP3 file, or raw PCM.
        rate_hz: sample rate of raw PCM; 24 kHz unless told.

    Returns:
        The text (None if this is no practice speech) and the length in seconds.
    """
    if audio[:3] == b"ID3" or audio[:2] == b"\xff\xfb":
        frames = max(1, audio.count(_MP3_FRAME[:4]))
        _, found, rest = audio.partition(b"\x03" + _ID3_KEY + b"\0")
        text = rest.split(b"\xff\xfb", 1)[0].decode(errors="replace") if found else None
        return text, frames * _MP3_FRAME_S
    if audio[:4] == b"RIFF":
        return _hear_wav(audio)
    rate = rate_hz or DEFAULT_RATE_HZ
    return _decode(audio, rate), len(audio) / 2 / rate


def _hear_wav(audio: bytes) -> tuple[str | None, float]:
    rate, width, at = DEFAULT_RATE_HZ, 2, 12
    while at + 8 <= len(audio):
        name, size = struct.unpack_from("<4sI", audio, at)
        if name == b"fmt " and at + 24 <= len(audio):
            rate, _, width = struct.unpack_from("<IIH", audio, at + 12)
        if name == b"data":
            pcm = audio[at + 8 : at + 8 + size]
            return _decode(pcm, rate), len(pcm) / max(1, rate * width)
        at += 8 + size + (size & 1)
    return None, 0.0


def _decode(pcm: bytes, rate_hz: int) -> str | None:
    if not pcm or not 8000 <= rate_hz <= 96_000:
        return None
    known = {tone: i for i, tone in enumerate(_tones(rate_hz))}
    step = len(_tones(rate_hz)[0])
    halves = [known.get(pcm[i : i + step]) for i in range(0, len(pcm), step)]
    heard = [h for h in halves if h is not None]
    if len(heard) != len(halves) or len(heard) % 2:
        return None
    raw = bytes(a << 4 | b for a, b in zip(heard[::2], heard[1::2], strict=True))
    return raw.decode(errors="replace")
