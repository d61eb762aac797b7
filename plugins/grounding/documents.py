"""The documents that an answer may rest on. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from plugins.core.answer_text import maps
from plugins.core.call import Call
from plugins.core.source import Source
from plugins.grounding.policy import Basis

SHORTEST: Final = 80
"""Characters under which a prompt holds no document that could be checked against."""
_ROLES: Final = frozenset({"user", "tool", "function"})
_HELD: Final = ("content", "text", "output", "input")


def documents_of(call: Call, basis: Basis) -> tuple[Source, ...]:
    """Give the documents that a call's answer must rest on.

    Args:
        call: that is answered.
        basis: as its agent's policy says.

    Returns:
        The caller's own sources; without them, where the prompt counts, what the user and the
        tools say in it, as one document. None where there is nothing to check against.
    """
    if basis is Basis.OFF:
        return ()
    if call.sources or basis is Basis.GIVEN:
        return call.sources
    said = "\n\n".join(_said(call.body))
    return (Source("prompt", said),) if len(said) >= SHORTEST else ()


def _said(body: Mapping[str, Any]) -> Iterator[str]:
    """Give what is not the application's own instruction or an earlier answer."""
    for name in ("prompt", "input"):
        held: object = body.get(name)
        if isinstance(held, str):
            yield held
        elif isinstance(held, list):
            yield from (part for part in cast("list[Any]", held) if isinstance(part, str))
    for message in (*maps(body.get("messages")), *maps(body.get("input"))):
        if message.get("role", "tool") in _ROLES:
            yield from _texts([message.get(key) for key in _HELD])


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            yield from _texts(cast("list[Any]", part))
        elif isinstance(part, dict):
            yield from _texts([cast("dict[str, Any]", part).get(key) for key in _HELD])
