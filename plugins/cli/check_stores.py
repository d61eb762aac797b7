"""What `sluice check` says of PostgreSQL and Redis: `look_at_*` ask, `judge_*` are pure."""

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any, Final, cast

from plugins.cli.check_findings import Finding, fault, ok, warning
from plugins.cli.installation import Store, cause_of
from plugins.cli.up_environment import place_of
from plugins.store.migrate import Revisions, revisions

LIMIT_S: Final = 3.0
PROBE: Final = "sluice:check"
LEAST_REDIS: Final = (6, 2)
"""XAUTOCLAIM, with which the drain takes over a dead worker's settlements."""


@dataclass(frozen=True, slots=True)
class RedisState:
    """What a Redis says of itself; None where it does not tell.

    Args:
        version: such as `7.2.4`.
        appendonly: `yes` or `no`.
        policy: `maxmemory-policy`.
        refused: why it took no write; None when it did.
    """

    version: str | None
    appendonly: str | None
    policy: str | None
    refused: str | None


def look_at_postgres(store: Store) -> list[Finding]:
    """See whether the database answers and has this release's schema."""
    place = _place(store, 5432)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = revisions(store.url)
    except Exception as error:  # noqa: BLE001 - whatever keeps us out is the finding
        return [_unreachable("postgresql", place, store, error)]
    return [judge_schema(found, place)]


def judge_schema(found: Revisions, place: str) -> Finding:
    """Compare the database's schema with this release's."""
    if found.found == found.head:
        return ok("postgresql", f"{place} answers and is migrated ({found.head})")
    if found.found is None:
        return fault("postgresql", f"{place} holds no schema", "run `sluice migrate`")
    if found.found in found.known:
        message = f"{place} has schema {found.found}, and this release needs {found.head}"
        return fault("postgresql", message, "run `sluice migrate`")
    message = f"{place} has schema {found.found}, which this release does not know"
    return fault("postgresql", message, "run the release that made it, or a newer one")


def look_at_redis(store: Store) -> list[Finding]:
    """See whether Redis answers, keeps what it is given, and takes writes."""
    import redis

    place = _place(store, 6379)
    try:
        with redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - untyped there
            store.url,
            socket_connect_timeout=LIMIT_S,
            socket_timeout=LIMIT_S,
            decode_responses=True,
        ) as client:
            state = _state(client)
    except Exception as error:  # noqa: BLE001 - whatever keeps us out is the finding
        return [_unreachable("redis", place, store, error)]
    return judge_redis(state, place)


def judge_redis(state: RedisState, place: str) -> list[Finding]:
    """Say whether settlements and limits are safe in this Redis."""
    found: list[Finding] = []
    if state.refused:
        remedy = "name the primary, give the user write rights, or free memory"
        found.append(fault("redis", f"{place} takes no writes ({state.refused})", remedy))
    if _is_old(state.version):
        least = ".".join(map(str, LEAST_REDIS))
        found.append(fault("redis", f"{place} is {state.version}", f"{least} is the least needed"))
    if state.appendonly is None or state.policy is None:
        remedy = "make sure of `appendonly yes` and `maxmemory-policy noeviction` yourself"
        found.append(warning("redis", f"{place} does not tell its configuration", remedy))
    if state.appendonly == "no":
        message = f"{place} has `appendonly no`: a restart loses settlements"
        found.append(fault("redis", message, "set `appendonly yes` in redis.conf"))
    if state.policy not in {None, "noeviction"}:
        message = f"{place} has `maxmemory-policy {state.policy}`: it may drop settlements"
        found.append(fault("redis", message, "set `maxmemory-policy noeviction` in redis.conf"))
    kept = "answers, takes writes, `appendonly yes`, `maxmemory-policy noeviction`"
    return found or [ok("redis", f"{place} {kept}")]


def _state(client: Any) -> RedisState:
    import redis

    server = cast("dict[str, Any]", client.info("server"))
    told: dict[str, str] = {}
    with contextlib.suppress(redis.ResponseError):  # services that run Redis for you forbid CONFIG
        for name in ("appendonly", "maxmemory-policy"):  # Redis 6 takes one name at a time
            told |= cast("dict[str, str]", client.config_get(name))
    refused = None
    try:
        client.set(PROBE, "1", ex=5)
    except redis.ResponseError as error:
        refused = str(error).rstrip(".")
    return RedisState(
        version=server.get("redis_version"),
        appendonly=told.get("appendonly"),
        policy=told.get("maxmemory-policy"),
        refused=refused,
    )


def _is_old(version: str | None) -> bool:
    parts = (version or "").split(".")[:2]
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        return False
    return tuple(map(int, parts)) < LEAST_REDIS


def _place(store: Store, port: int) -> str:
    """Say which server is meant, without user or password."""
    return f"{place_of(store.url, port)} ({store.named_by})"


def _unreachable(topic: str, place: str, store: Store, error: Exception) -> Finding:
    cause = cause_of(error.__cause__ or error)
    remedy = (
        "start it" if store.named_by == "embedded" else f"start it, or correct {store.named_by}"
    )
    return fault(topic, f"{place} cannot be used: {cause}", remedy)
