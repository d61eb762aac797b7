"""`/sluice/lineage` and `/sluice/erasures`: where a decision came from, and taking someone out."""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from plugins.core.errors import Forbidden
from plugins.core.identifiers import UUID_PATTERN
from plugins.core.money import printed_usd
from plugins.core.tenant import Principal
from plugins.lineage.erasure import Eraser
from plugins.lineage.keys import TenantKeys
from plugins.lineage.texts import Text, unseal
from plugins.lineage.trees import MOST_CALLS, LineageStore

_TENANT_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_WORD: Final = r"^[^\x00]{1,256}$"
_COMPUTED: Final = frozenset(
    {"depth", "children", "cost_usd", "hash", "input_digest", "output_digest", "text"}
)


class TextOut(BaseModel):
    """What was asked and answered; `input_bytes` and `output_bytes` tell what was cut off."""

    input: str
    output: str
    content_type: str
    input_bytes: int
    output_bytes: int
    whole: bool


class CallOut(BaseModel):
    """One call of a tree."""

    call_id: str
    tenant_id: str
    parent_call_id: str | None
    depth: int = Field(description="0 for a root")
    children: list[str]
    started_at: datetime
    agent: str | None
    endpoint: str
    model_asked: str
    model_served: str | None
    provider: str | None
    tier: str | None
    outcome: str
    status: int
    error_class: str | None
    stream: bool
    cache: str
    verdict: str
    confidence: float | None
    findings: list[dict[str, Any]]
    excerpts: list[str] | None
    variants: dict[str, str]
    input_tokens: int
    output_tokens: int
    cost_usd: str
    latency_ms: int
    subject: str | None
    session: str | None
    entity_type: str | None
    entity_id: str | None
    trace_id: str | None
    seq: int = Field(description="place in the tenant's chain; 0 from before there was one")
    hash: str
    input_digest: str | None
    output_digest: str | None
    erased_at: datetime | None
    text: TextOut | None = None


class TreeOut(BaseModel):
    """Calls that came of one another, oldest first."""

    roots: list[str]
    calls: list[CallOut]
    truncated: bool = Field(description=f"there are more than the {MOST_CALLS} calls given")


class ErasureIn(BaseModel):
    """Who is to be erased."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: str = Field(pattern=_TENANT_ID)
    subject: str = Field(pattern=_WORD, description="as in `x-sluice-subject`")
    dry_run: bool = Field(default=False, description="only count")


class ErasureOut(BaseModel):
    """What was erased, or would be."""

    tenant_id: str
    calls: int
    texts: int
    cached: int | None = Field(description="answers in the cache; null when it is away")
    said: int = Field(description="statements and review items that held words or names")
    rejects: int
    dry_run: bool


def router(
    store: LineageStore,
    keys: TenantKeys,
    eraser: Eraser,
    principal_of: Callable[[Request], Principal],
    administrator: Callable[[Request], Principal],
) -> APIRouter:
    """Make the routes.

    Args:
        store: trees and texts.
        keys: open the texts.
        eraser: takes subjects out.
        principal_of: gives who calls, or raises.
        administrator: likewise, and raises when it is no administrator.
    """
    api = APIRouter(tags=["lineage"])

    async def shown(rows: list[Mapping[str, Any]], *, with_text: bool) -> TreeOut:
        truncated, rows = len(rows) > MOST_CALLS, rows[:MOST_CALLS]
        texts = await _texts(store, keys, rows) if with_text else {}
        return _tree(rows, texts, truncated=truncated)

    @api.get("/lineage/{call_id}")
    async def of_call(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        call_id: Annotated[str, Path(pattern=UUID_PATTERN)],
        text: Annotated[bool, Query(description="with what was asked and answered")] = False,
    ) -> TreeOut:
        """Give the tree of calls that a call belongs to: what it came of, and what came of it."""
        return await shown(await store.of_call(who.tenant_id or None, call_id), with_text=text)

    @api.get("/lineage/entity/{entity_type}/{entity_id:path}")
    async def of_entity(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(principal_of)],
        entity_type: Annotated[str, Path(pattern=_WORD)],
        entity_id: Annotated[str, Path(pattern=_WORD)],
        tenant_id: Annotated[
            str | None,
            Query(pattern=_TENANT_ID, description="administrators only; others see their own"),
        ] = None,
        text: Annotated[bool, Query(description="with what was asked and answered")] = False,
    ) -> TreeOut:
        """Give the trees of all calls that were about one record, such as a resume."""
        if who.tenant_id and tenant_id not in {None, who.tenant_id}:
            raise Forbidden("this key sees its own tenant's calls alone")
        whose = who.tenant_id or tenant_id
        return await shown(await store.of_entity(whose, entity_type, entity_id), with_text=text)

    @api.post("/erasures")
    async def erase(  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        who: Annotated[Principal, Depends(administrator)], order: ErasureIn
    ) -> ErasureOut:
        """Erase a subject: its calls' personal columns and texts, and its cached answers."""
        done = await eraser.erase(
            order.tenant_id, order.subject, by=f"key {who.key_id}", dry_run=order.dry_run
        )
        return ErasureOut(
            tenant_id=order.tenant_id,
            calls=done.calls,
            texts=done.texts,
            cached=done.cached,
            rejects=done.rejects,
            said=done.said,
            dry_run=order.dry_run,
        )

    return api


async def _texts(
    store: LineageStore, keys: TenantKeys, rows: list[Mapping[str, Any]]
) -> dict[str, Text]:
    sealed = await store.texts([row["call_id"] for row in rows])
    found: dict[str, Text] = {}
    for row in rows:
        tenant, call_id = row["tenant_id"], row["call_id"]
        if call_id in sealed:
            key = keys.at_hand(tenant) or await keys.find(tenant)
            text = unseal(key, tenant, call_id, sealed[call_id]) if key else None
            if text is not None:
                found[call_id] = text
    return found


def _tree(rows: list[Mapping[str, Any]], texts: Mapping[str, Text], *, truncated: bool) -> TreeOut:
    ids = {row["call_id"] for row in rows}
    children: dict[str | None, list[str]] = {}
    for row in rows:
        parent = row["parent_call_id"]
        children.setdefault(parent if parent in ids else None, []).append(row["call_id"])
    roots = children.get(None, [])
    if not roots and rows:
        roots = [rows[0]["call_id"]]  # parents named in a circle: the oldest begins it
    depths = _depths(roots, children)
    calls = [
        _call(row, depths.get(row["call_id"], 0), children, texts.get(row["call_id"]))
        for row in rows
    ]
    return TreeOut(roots=roots, calls=calls, truncated=truncated)


def _depths(roots: list[str], children: Mapping[str | None, list[str]]) -> dict[str, int]:
    depths: dict[str, int] = {}
    level, depth = roots, 0
    while level:
        depths |= dict.fromkeys(level, depth)
        level = [c for one in level for c in children.get(one, []) if c not in depths]
        depth += 1
    return depths


def _call(
    row: Mapping[str, Any],
    depth: int,
    children: Mapping[str | None, list[str]],
    text: Text | None,
) -> CallOut:
    return CallOut(
        **{name: row[name] for name in CallOut.model_fields.keys() - _COMPUTED},
        depth=depth,
        children=children.get(row["call_id"], []),
        cost_usd=printed_usd(row["cost_usd"]),
        hash=row["hash"].hex(),
        input_digest=row["input_digest"] and row["input_digest"].hex(),
        output_digest=row["output_digest"] and row["output_digest"].hex(),
        text=_text(text) if text else None,
    )


def _text(text: Text) -> TextOut:
    return TextOut(
        input=_readable(text.input),
        output=_readable(text.output),
        content_type=text.content_type,
        input_bytes=text.input_bytes,
        output_bytes=text.output_bytes,
        whole=text.is_whole,
    )


def _readable(content: bytes) -> str:
    """Give text as it is, and sound as a data address; a last letter that was cut is left out."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(content) - 3:
            return content[: error.start].decode()
        return "data:;base64," + base64.b64encode(content).decode()
