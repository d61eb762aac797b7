"""What the routes of feedback take and give."""

from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plugins.feedback.rules import (
    MAX_BATCH,
    MAX_COMMENT,
    MAX_NAME,
    MAX_REVIEWER,
    Conversion,
    Kind,
    Stage,
    Statement,
)

_KEY_HOW: Final = "a text of yours that is the same when you send this again; else what it says"
_Key = Annotated[str | None, Field(min_length=1, max_length=128, description=_KEY_HOW)]
_Name = Annotated[str | None, Field(min_length=1, max_length=MAX_NAME)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        # PostgreSQL's text holds no NUL.
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("holds a NUL character; remove it")
        return value


class FeedbackIn(_Body):
    """What somebody says of one answer."""

    call_id: UUID = Field(description="the answer's `x-sluice-call-id`")
    kind: Kind
    comment: str | None = Field(default=None, max_length=MAX_COMMENT)
    reviewer: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_REVIEWER,
        description="who says it, by your own name for them; an identifier is better than a name",
    )
    idempotency_key: _Key = None

    def statement(self) -> Statement:
        """Give it as the rules take it."""
        return Statement(
            call_id=str(self.call_id),
            kind=self.kind,
            comment=self.comment or None,
            reviewer=self.reviewer,
            key=self.idempotency_key,
        )


class FeedbackBatch(_Body):
    """Several statements, kept all or none."""

    items: list[FeedbackIn] = Field(min_length=1, max_length=MAX_BATCH)


class FeedbackOut(BaseModel):
    """A statement as it is kept."""

    feedback_id: int
    call_id: UUID
    call_started_at: datetime
    agent: str | None
    model: str | None
    kind: Kind
    comment: str | None
    reviewer: str | None
    created_at: datetime
    stated_at: datetime


class FeedbackKept(FeedbackOut):
    """A statement just kept."""

    is_new: bool = Field(description="false: it was known, and is counted once")


class Entity(_Body):
    """A record of the tenant's own, such as an application."""

    type: str = Field(min_length=1, max_length=MAX_NAME)
    id: str = Field(min_length=1, max_length=MAX_NAME)


class ConversionIn(_Body):
    """A stage that a candidate has reached; exactly one of call, subject and entity says who."""

    stage: Stage
    call_id: UUID | None = Field(default=None, description="the call that led there")
    subject: _Name = None
    entity: Entity | None = None
    agent: _Name = Field(default=None, description="credited where no call is named")
    idempotency_key: _Key = None

    def conversion(self) -> Conversion:
        """Give it as the rules take it."""
        return Conversion(
            stage=self.stage,
            call_id=str(self.call_id) if self.call_id else None,
            subject=self.subject,
            entity_type=self.entity.type if self.entity else None,
            entity_id=self.entity.id if self.entity else None,
            agent=self.agent,
            key=self.idempotency_key,
        )


class ConversionBatch(_Body):
    """Several conversions, kept all or none."""

    items: list[ConversionIn] = Field(min_length=1, max_length=MAX_BATCH)


class ConversionOut(BaseModel):
    """A conversion just kept."""

    conversion_id: int
    stage: Stage
    call_id: UUID | None
    agent: str | None
    model: str | None
    subject: str | None
    entity_type: str | None
    entity_id: str | None
    stated_at: datetime
    is_new: bool = Field(description="false: it was known, and is counted once")


class EraseIn(_Body):
    """The calls whose statements are to lose their comments and reviewers."""

    call_ids: list[UUID] = Field(min_length=1, max_length=MAX_BATCH)


class ErasedOut(BaseModel):
    """How many rows held something to be erased."""

    erased: int


class Said(BaseModel):
    """Statements about one agent's answers by one model."""

    agent: str | None
    model: str | None
    thumbs_up: int
    thumbs_down: int
    accepted: int
    overridden: int
    score: float | None = Field(description="share of thumbs up among thumbs; null without any")
    override_rate: float | None = Field(
        description="share of overridden among accepted and overridden; null without any"
    )


class Reached(BaseModel):
    """How many candidates reached a stage with an agent's help."""

    agent: str | None
    stage: Stage
    count: int


class Summary(BaseModel):
    """What was said from the first to the last day, UTC, both included."""

    tenant_id: str | None
    first: date
    last: date
    feedback: list[Said]
    conversions: list[Reached]
