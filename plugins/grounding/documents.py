"""The documents that an answer may rest on. Pure."""

from typing import Final

from plugins.core.asked import Role, asked_of
from plugins.core.call import Call
from plugins.core.source import Source
from plugins.grounding.policy import Basis

SHORTEST: Final = 80
"""Characters under which a prompt holds no document that could be checked against."""
_SAID: Final = frozenset({Role.USER, Role.TOOL, Role.DOCUMENT})
"""Not the application's own instructions, and not earlier answers: those prove nothing."""


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
    asked = asked_of(call.endpoint, call.body)
    said = "\n\n".join(one.text for one in asked if one.role in _SAID)
    return (Source("prompt", said),) if len(said) >= SHORTEST else ()
