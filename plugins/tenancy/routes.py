"""`/sluice/tenants`, `/sluice/keys`, `/sluice/me`: administration, and a tenant's own view."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from plugins.core.clock import Clock
from plugins.core.errors import InvalidRequest
from plugins.core.limit import MOST, UNLIMITED, RateLimit
from plugins.core.money import printed_usd
from plugins.core.signing import SALT_BYTES, derived_secret
from plugins.core.tenant import Principal, Role
from plugins.tenancy.rules import TENANT_ID, webhook_url
from plugins.tenancy.store import NewKey, TenantStore

_KeyId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{10}$", description="public part of the key")]
_TenantId = Annotated[str, Path(pattern=rf"^{TENANT_ID.pattern}$")]
MAX_NAMES: Final = 64
MOST_DAYS: Final = 3650
LIMITS: Final = ("requests_per_minute", "tokens_per_minute")
NONE: Final = "none"
"""How a limit is written that is none, whatever the policy's default says."""


def _shown(value: object) -> object:
    return NONE if value == UNLIMITED and not isinstance(value, bool) else value


def _printed(value: object) -> object:
    return printed_usd(value) if isinstance(value, Decimal) else value


_Wanted = Annotated[int, Field(ge=1, le=MOST)] | Literal["none"] | None
_Stated = Annotated[int | Literal["none"] | None, BeforeValidator(_shown)]
_HOW: Final = "a number, `none` for no limit, or null for the policy's default"


def _kept(value: int | str | None) -> int | None:
    return value if value is None or isinstance(value, int) else UNLIMITED


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        # PostgreSQL's text holds no NUL.
        for text in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(text, str) and "\x00" in text:
                raise ValueError("holds a NUL character; remove it")
        return value  # pyright: ignore[reportUnknownVariableType]


class _Limits(_Body):
    requests_per_minute: _Wanted = Field(default=None, description=_HOW)
    tokens_per_minute: _Wanted = Field(default=None, description=_HOW)

    def limit(self) -> RateLimit:
        """Give both as they are kept."""
        return RateLimit(_kept(self.requests_per_minute), _kept(self.tokens_per_minute))

    def given(self) -> dict[str, int | None]:
        """Give those that the client named, as they are kept, by column."""
        return {n: _kept(getattr(self, n)) for n in LIMITS if n in self.model_fields_set}


_Usd = Annotated[Decimal, Field(gt=0, max_digits=24, decimal_places=12, allow_inf_nan=False)]
_QUOTA: Final = "US dollars a calendar month (UTC) that warn when they are spent; null for no quota"


_WEBHOOK: Final = (
    "where decisions about held answers are sent, signed: https, or http to this machine; null for"
    " nowhere. Setting it makes a new secret"
)


class _Tenant(_Limits):
    monthly_quota_usd: _Usd | None = Field(default=None, description=_QUOTA)


class TenantIn(_Tenant):
    """A tenant to make."""

    tenant_id: str = Field(pattern=rf"^{TENANT_ID.pattern}$")
    name: str = Field(default="", max_length=200)


class TenantPatch(_Tenant):
    """What may be changed of a tenant; what is left out stays."""

    active: bool = Field(default=True, description="false suspends all its keys")
    keep_text_days: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="days for which its calls' text is kept; 0: not at all; null: the default",
    )
    review_webhook_url: str | None = Field(default=None, max_length=2048, description=_WEBHOOK)

    @field_validator("review_webhook_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        return value if value is None else webhook_url(value)


class TenantOut(BaseModel):
    """A tenant."""

    tenant_id: str
    name: str
    active: bool
    created_at: datetime
    requests_per_minute: _Stated
    tokens_per_minute: _Stated
    keep_text_days: int | None
    monthly_quota_usd: Annotated[str | None, BeforeValidator(_printed)] = Field(description=_QUOTA)
    review_webhook_url: str | None = Field(description=_WEBHOOK)


class ChangedTenantOut(TenantOut):
    """A tenant as it is now."""

    review_webhook_secret: str | None = Field(
        default=None, description="of a webhook that was just set; the only time that it is shown"
    )


class KeyIn(_Limits):
    """A key to make."""

    tenant_id: str | None = Field(
        default=None, description="None for an administrator's key, or a reviewer's of all tenants"
    )
    role: Role = Role.TENANT
    label: str = Field(default="", max_length=200)
    agents: list[str] = Field(default=[], max_length=MAX_NAMES)
    models: list[str] = Field(default=[], max_length=MAX_NAMES)
    expires_at: datetime | None = None


class KeyPatch(_Limits):
    """What may be changed of a key; what is left out stays."""


class RotateIn(_Body):
    """How a key is replaced."""

    grace_s: int = Field(default=0, ge=0, le=30 * 86_400)


class KeyOut(BaseModel):
    """A key, without anything that could be used."""

    key_id: str
    tenant_id: str | None
    role: Role
    label: str
    agents: list[str]
    models: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_to: str | None
    requests_per_minute: _Stated
    tokens_per_minute: _Stated


class NewKeyOut(KeyOut):
    """A key just made; the only time that it is shown."""

    key: str


def router(  # noqa: C901 - registers routes; each is a function of its own
    store: TenantStore,
    principal_of: Callable[[Request], Principal],
    anyone: Callable[[Request], Principal],
    administrator: Callable[[Request], Principal],
    names: Callable[[], tuple[frozenset[str], frozenset[str]]],
    clock: Clock,
    secret: str,
) -> APIRouter:
    """Make the routes.

    Args:
        store: tenants and keys.
        principal_of: gives who calls: a tenant, or an administrator.
        anyone: gives who calls, whatever their role.
        administrator: gives who calls, or raises when it is no administrator.
        names: gives the agents and the models that exist.
        clock: tells what lies in the past.
        secret: the installation's; webhooks' secrets are made of it.
    """
    api = APIRouter(tags=["tenancy"])
    admin = [Depends(administrator)]

    @api.post("/tenants", status_code=201, dependencies=admin)
    async def create_tenant(wanted: TenantIn) -> TenantOut:  # pyright: ignore[reportUnusedFunction]
        """Make a tenant."""
        name = wanted.name or wanted.tenant_id
        quota = wanted.monthly_quota_usd
        row = await store.create_tenant(wanted.tenant_id, name, wanted.limit(), quota)
        return TenantOut(**row)

    @api.get("/tenants", dependencies=admin)
    async def list_tenants() -> list[TenantOut]:  # pyright: ignore[reportUnusedFunction]
        """List all tenants."""
        return [TenantOut(**row) for row in await store.list_tenants()]

    @api.patch("/tenants/{tenant_id}", dependencies=admin)
    async def change_tenant(tenant_id: _TenantId, change: TenantPatch) -> ChangedTenantOut:  # pyright: ignore[reportUnusedFunction]
        """Suspend a tenant or let it in, change its limits, quota, webhook, or what is kept."""
        own = {"active", "keep_text_days", "monthly_quota_usd", "review_webhook_url"}
        changes = _named(change, change.model_dump(include=own, exclude_unset=True))
        salt = None
        if "review_webhook_url" in changes:
            salt = os.urandom(SALT_BYTES) if changes["review_webhook_url"] else None
            changes["review_webhook_salt"] = salt
        shown = derived_secret(secret, tenant_id, salt) if salt else None
        row = await store.change_tenant(tenant_id, changes)
        return ChangedTenantOut(**row, review_webhook_secret=shown)

    @api.post("/keys", status_code=201, dependencies=admin)
    async def create_key(wanted: KeyIn) -> NewKeyOut:  # pyright: ignore[reportUnusedFunction]
        """Make a key; the answer is the only place where it is ever shown."""
        key = _new_key(wanted, names(), clock.now())
        token, row = await store.create_key(key)
        return NewKeyOut(**row, key=token)

    @api.get("/keys")
    async def list_keys(  # pyright: ignore[reportUnusedFunction]
        who: Annotated[Principal, Depends(principal_of)],
    ) -> list[KeyOut]:
        """List keys: a tenant's own, or all for an administrator."""
        return [KeyOut(**row) for row in await store.list_keys(who.tenant_id or None)]

    @api.patch("/keys/{key_id}", dependencies=admin)
    async def change_key(key_id: _KeyId, change: KeyPatch) -> KeyOut:  # pyright: ignore[reportUnusedFunction]
        """Give a key other limits, on every worker within two seconds."""
        return KeyOut(**await store.change_key(key_id, _named(change, {})))

    @api.post("/keys/{key_id}/rotate", status_code=201, dependencies=admin)
    async def rotate_key(key_id: _KeyId, how: RotateIn) -> NewKeyOut:  # pyright: ignore[reportUnusedFunction]
        """Replace a key by one with the same rights; the old one works for the grace time."""
        grace = timedelta(seconds=how.grace_s)
        token, row = await store.rotate_key(key_id, grace, clock.now())
        return NewKeyOut(**row, key=token)

    @api.post("/keys/{key_id}/revoke", status_code=204, dependencies=admin)
    async def revoke_key(key_id: _KeyId) -> None:  # pyright: ignore[reportUnusedFunction]
        """Refuse a key for good, on every worker within two seconds."""
        await store.revoke_key(key_id)

    @api.get("/me")
    async def me(who: Annotated[Principal, Depends(anyone)]) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Say whose key this is and what it may do."""
        return {
            "key_id": who.key_id,
            "tenant_id": who.tenant_id or None,
            "role": who.role,
            "agents": sorted(who.agents),
            "models": sorted(who.models),
            "expires_at": who.expires_at,
            **{name: _shown(getattr(who.limit, name)) for name in LIMITS},
        }

    return api


def _named(change: _Limits, more: dict[str, Any]) -> dict[str, Any]:
    """Give the changes that the client named.

    Raises:
        InvalidRequest: when it named none.
    """
    changes = more | change.given()
    if not changes:
        known = ", ".join(f"`{name}`" for name in type(change).model_fields)
        raise InvalidRequest(f"nothing is to be changed; name one of {known}")
    return changes


def _new_key(wanted: KeyIn, names: tuple[frozenset[str], frozenset[str]], now: datetime) -> NewKey:
    """Check what the types cannot: names that exist, a tenant where one is needed, a future."""
    needs = {Role.TENANT: True, Role.ADMIN: False}.get(wanted.role)
    if needs is not None and needs != (wanted.tenant_id is not None):
        raise InvalidRequest(
            "a tenant's key needs `tenant_id`, an administrator's must have none",
            param="tenant_id",
        )
    for field, given, known in (
        ("agents", wanted.agents, names[0]),
        ("models", wanted.models, names[1]),
    ):
        unknown = sorted(set(given) - known)
        if unknown:
            raise InvalidRequest(
                f"no {field[:-1]} {unknown[0][:64]!r}; known: {', '.join(sorted(known))}",
                param=field,
            )
    expires_at = wanted.expires_at
    if expires_at is not None:
        expires_at = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
        if expires_at <= now:
            raise InvalidRequest(
                f"`expires_at` ({expires_at.isoformat()}) has passed; give a time to come",
                param="expires_at",
            )
    return NewKey(
        role=wanted.role,
        tenant_id=wanted.tenant_id,
        label=wanted.label,
        agents=wanted.agents,
        models=wanted.models,
        expires_at=expires_at,
        limit=wanted.limit(),
    )
