"""Unit vectors that follow from a text alone, and are near for texts that share words.

Each word adds to a few dimensions that its hash names; the hash of the whole text adds a little
everywhere, so that no two texts are equal. No meaning is claimed: shared words, shared direction.
"""

import re
from array import array
from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b, shake_128

_WORD = re.compile(r"\w+")
_PER_WORD = 8
_FLOOR = [(b - 127.5) / 127.5 * 0.02 for b in range(256)]
_MAX_WORDS = 4000


@lru_cache(maxsize=8192)
def _places(word: str, dimensions: int) -> tuple[tuple[int, float], ...]:
    digest = blake2b(word.encode(), digest_size=_PER_WORD * 4).digest()
    places: list[tuple[int, float]] = []
    for i in range(0, len(digest), 4):
        drawn = int.from_bytes(digest[i : i + 4], "big")
        places.append(((drawn >> 1) % dimensions, 1.0 if drawn & 1 else -1.0))
    return tuple(places)


def embed(text: str, dimensions: int, model: str) -> list[float]:
    """Embed a text.

    Args:
        text: any text; case does not matter to its words.
        dimensions: length of the vector.
        model: vectors of different models have nothing to do with one another.

    Returns:
        A vector of length 1 within 1e-6, numbers cut to 8 decimals.
    """
    noise = shake_128(f"{model}\0{text}".encode()).digest(dimensions)
    vector = [_FLOOR[b] for b in noise]
    for word in _WORD.findall(text.lower())[:_MAX_WORDS]:
        for place, sign in _places(f"{model}\0{word}", dimensions):
            vector[place] += sign
    scale = 1e8 / sum(v * v for v in vector) ** 0.5
    # Cut, not rounded: `round` would take longer than all the rest.
    return [int(v * scale) / 1e8 for v in vector]


def to_base64(vector: list[float]) -> str:
    """Write a vector as little-endian float32 in base64."""
    return b64encode(array("f", vector).tobytes()).decode()
