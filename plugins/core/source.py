"""A document that an answer must rest on. Pure."""

from dataclasses import dataclass
from enum import StrEnum


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
