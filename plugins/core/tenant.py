"""Who calls: tenants, and what one virtual key may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plugins.core.limit import NOT_SET, RateLimit


class Role(StrEnum):
    """What a key is for."""

    TENANT = "tenant"
    """Calls models and reads its own tenant's things."""
    ADMIN = "admin"
    """Operates the gateway; calls no models."""
    REVIEWER = "reviewer"
    """Works the review queue: one tenant's, or all tenants'. Nothing else."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of one valid virtual key.

    Args:
        key_id: public part of the key, safe to log.
        tenant_id: whose calls these are; empty for an administrator and for a reviewer of all.
        role: what the key is for.
        agents: agents the key may use; empty means all.
        models: plain model names the key may use; empty means all.
        expires_at: UTC moment from which the key is refused, or None.
        limit: the key's own figures.
        tenant_limit: its tenant's, which all its keys share.
        keep_text_days: days for which its tenant's text is kept; None for the policy's default.
    """

    key_id: str
    tenant_id: str
    role: Role = Role.TENANT
    agents: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    limit: RateLimit = NOT_SET
    tenant_limit: RateLimit = NOT_SET
    keep_text_days: int | None = None
