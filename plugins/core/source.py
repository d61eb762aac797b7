"""A document that an answer must rest on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

FIELD: Final = "x_sources"
"""The field of a request's body that holds them; no provider is sent it."""


class About(StrEnum):
    """Of whom a document tells."""

    CANDIDATE = "candidate"
    JOB = "job"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Source:
    """One document that an answer may rest on.

    Args:
        name: what findings call it, such as `resume`.
        text: plain text.
        about: of whom it tells; `ANY` where that is not known.
    """

    name: str
    text: str
    about: About = About.ANY


def sources_of(body: Mapping[str, Any]) -> tuple[Source, ...]:
    """Read the documents of a request.

    Args:
        body: validated.
    """
    return tuple(
        Source(given["name"], given["text"], About(given.get("about") or About.ANY))
        for given in body.get(FIELD) or ()
    )
