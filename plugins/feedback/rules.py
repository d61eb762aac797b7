"""What can be stated, and when two statements are the same one. Pure."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_COMMENT: Final = 2_000
MAX_REVIEWER: Final = 128
MAX_NAME: Final = 256
MAX_BATCH: Final = 100
"""Statements in one request."""


class Kind(StrEnum):
    """What somebody says of an answer (SPEC 12.1)."""

    THUMBS_UP = "thumbs_up"
    THUMBS_DOWN = "thumbs_down"
    ACCEPTED = "accepted"
    """It was used as it was."""
    OVERRIDDEN = "overridden"
    """A person decided otherwise."""


THUMBS: Final = {Kind.THUMBS_UP: 1.0, Kind.THUMBS_DOWN: 0.0}
"""The score of a judgement of quality."""


class Stage(StrEnum):
    """How far a candidate came (SPEC 6.2)."""

    SHORTLISTED = "shortlisted"
    INTERVIEWED = "interviewed"
    HIRED = "hired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Statement:
    """One judgement of one answer.

    Args:
        call_id: which, a UUID in small letters.
        kind: what is said.
        comment: free text, at most `MAX_COMMENT` characters; may be personal data.
        reviewer: who says it, as the tenant names its people; may be personal data.
        key: the client's own key against stating it twice.
    """

    call_id: str
    kind: Kind
    comment: str | None = None
    reviewer: str | None = None
    key: str | None = None

    @property
    def once(self) -> bytes:
        """Give 32 bytes that two statements share exactly when they are one of a tenant's.

        A thumb of the same person on the same call is the same statement; up and down are two.
        """
        if self.key is not None:
            return _digest("key", self.key)
        return _digest("said", self.call_id, self.kind.value, self.reviewer)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A stage that a candidate has reached.

    Exactly one of call, subject and entity says whom it is about.

    Args:
        stage: which.
        call_id: the call that contributed to it; its agent is credited.
        subject: the candidate, as in the calls' `subject`.
        entity_type: kind of a record, such as `application`.
        entity_id: that record's identifier.
        agent: who is credited where no call is named; None for nobody.
        key: the client's own key against stating it twice.
    """

    stage: Stage
    call_id: str | None = None
    subject: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    agent: str | None = None
    key: str | None = None

    @property
    def once(self) -> bytes:
        """Give 32 bytes that two conversions share exactly when they are one of a tenant's."""
        if self.key is not None:
            return _digest("key", self.key)
        about = (self.call_id, self.subject, self.entity_type, self.entity_id)
        return _digest("reached", self.stage.value, *about)


def _digest(*parts: str | None) -> bytes:
    """Hash parts so that no two lists of them run into one another."""
    told = b"".join(
        b"-" if part is None else f"{len(part.encode())}:".encode() + part.encode()
        for part in parts
    )
    return hashlib.sha256(told).digest()
