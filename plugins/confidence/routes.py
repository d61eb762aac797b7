"""`/sluice/confidence`: what the gateway's confidence is worth, by agent and model."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from plugins.confidence.learned import Calibration, Learned
from plugins.core.tenant import Principal


class ErrorOut(BaseModel):
    """Expected calibration error of answers that the line was not fitted on, 0..1."""

    estimate: float
    lower: float = Field(description="end of the 95 % interval")
    upper: float = Field(description="end of the 95 % interval")


class ConfidenceOut(BaseModel):
    """One agent's and model's confidence."""

    agent: str | None = Field(description="null for calls that name a plain model")
    model: str
    labels: int = Field(description="judged answers")
    right: int = Field(description="those that people found right")
    calibrated: bool = Field(description="false under 50 labels: confidence is only an order")
    informative: bool = Field(description="false where confidence does not tell right from wrong")
    error: ErrorOut | None
    fitted_at: datetime


def router(calibration: Calibration, administrator: Callable[[Request], Principal]) -> APIRouter:
    """Make the route; only an administrator's key opens it."""
    api = APIRouter(tags=["confidence"], dependencies=[Depends(administrator)])

    @api.get("/confidence")
    async def list_confidence() -> list[ConfidenceOut]:  # pyright: ignore[reportUnusedFunction]
        """List what confidence is worth, as this worker applies it; read anew every 3 minutes."""
        return [_shown(learned) for learned in calibration.learned]

    return api


def _shown(learned: Learned) -> ConfidenceOut:
    held, error = learned.calibrator, learned.calibrator.error
    told = ErrorOut(estimate=error.error, lower=error.lower, upper=error.upper) if error else None
    return ConfidenceOut(
        agent=learned.agent,
        model=learned.model,
        labels=held.labels,
        right=held.right,
        calibrated=held.is_calibrated,
        informative=held.is_calibrated and held.is_informative,
        error=told,
        fitted_at=learned.fitted_at,
    )
