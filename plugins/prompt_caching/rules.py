"""Where a request for Anthropic gets its cache points. Pure but for what a table remembers."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from plugins.core.call import Endpoint
from plugins.core.tokens import estimated_input_tokens

Body = dict[str, Any]

LEAST_TOKENS: Final = 1024
"""Anthropic caches no shorter prefix (docs.anthropic.com, prompt caching, read 2026-11)."""
LIFETIME_S: Final = 300.0
POINT: Final[Mapping[str, str]] = {"type": "ephemeral"}
MARKED: Final = (Endpoint.CHAT, Endpoint.MESSAGES)
_REMEMBERED: Final = 4096
_HEAD_ROLES: Final = frozenset({"system", "developer"})


class Prefixes:
    """Prefixes that this worker has sent lately, by their digests; the oldest go first."""

    def __init__(self) -> None:
        self._until_s: Final[OrderedDict[bytes, float]] = OrderedDict()

    def seen(self, digest: bytes, now_s: float) -> bool:
        """Tell whether a prefix may still be in the provider's cache, and remember it from now."""
        known = self._until_s.get(digest, 0.0) > now_s
        self.remember(digest, now_s)
        return known

    def knows(self, digest: bytes, now_s: float) -> bool:
        """Tell whether a prefix may still be in the provider's cache."""
        return self._until_s.get(digest, 0.0) > now_s

    def remember(self, digest: bytes, now_s: float) -> None:
        """Note that a prefix is sent now."""
        self._until_s[digest] = now_s + LIFETIME_S
        self._until_s.move_to_end(digest)
        while len(self._until_s) > _REMEMBERED:
            self._until_s.popitem(last=False)


def mark(endpoint: Endpoint, body: Body, prefixes: Prefixes, now_s: float) -> None:
    """Set the cache points of a request for Anthropic, where they pay.

    Args:
        endpoint: chat completions or messages; names the format.
        body: changed; what is nested in it is replaced, never changed.
        prefixes: what has been sent lately.
        now_s: monotonic seconds.
    """
    if _has_points(body):
        return
    messages = cast("list[Body]", body["messages"])
    head = _head(endpoint, messages)
    fixed: Body = {"tools": body.get("tools"), "system": body.get("system"), "messages": head}
    if estimated_input_tokens(fixed) >= LEAST_TOKENS and prefixes.seen(_digest(fixed), now_s):
        _mark_head(body, len(head))
    if estimated_input_tokens(body) < LEAST_TOKENS:
        return
    before = {**fixed, "messages": messages[:-2]}
    goes_on = len(messages) > len(head) + 2 and prefixes.knows(_digest(before), now_s)
    prefixes.remember(_digest({**fixed, "messages": messages}), now_s)
    if goes_on and messages[-1].get("role") == "user":
        _mark_message(body, -1)


def _head(endpoint: Endpoint, messages: Sequence[Body]) -> list[Body]:
    """Give the instructions at the beginning, which OpenAI's format holds as messages."""
    head: list[Body] = []
    for message in messages if endpoint is Endpoint.CHAT else ():
        if message.get("role") not in _HEAD_ROLES:
            break
        head.append(message)
    return head


def _mark_head(body: Body, head: int) -> None:
    """Set a point after tools and system text; the latter's covers the former."""
    system = body.get("system")
    if head:
        _mark_message(body, head - 1)
    elif system:
        body["system"] = _marked(system)
    elif body.get("tools"):
        *first, last = cast("list[Body]", body["tools"])
        body["tools"] = [*first, {**last, "cache_control": POINT}]


def _mark_message(body: Body, index: int) -> None:
    messages = list(cast("list[Body]", body["messages"]))
    message = messages[index]
    messages[index] = {**message, "content": _marked(message.get("content"))}
    body["messages"] = messages


def _marked(content: Any) -> Any:
    """Give a content whose last part is a cache point; one that cannot hold any stays as it is."""
    parts: list[Any] = [{"type": "text", "text": content}]
    if isinstance(content, list):
        parts = cast("list[Any]", content)
    last: Any = parts[-1] if parts else None
    part = cast("Body", last) if isinstance(last, dict) else {}
    if not part or (part.get("type") == "text" and not part.get("text")):
        return cast("Any", content)
    return [*parts[:-1], {**part, "cache_control": POINT}]


def _has_points(body: Body) -> bool:
    """Tell whether the client has set points of its own."""
    waiting: list[Any] = [body.get("tools"), body.get("system"), body.get("messages")]
    while waiting:
        item: Any = waiting.pop()
        if isinstance(item, list):
            waiting.extend(cast("list[Any]", item))
        elif isinstance(item, dict):
            fields = cast("Body", item)
            if fields.get("cache_control"):
                return True
            waiting.append(fields.get("content"))
    return False


def _digest(prefix: Body) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(prefix), digest_size=16).digest()


def key_for(secret: bytes, tenant_id: str, name: str) -> str:
    """Make OpenAI's `prompt_cache_key` of a tenant and what it asks for; tells neither.

    Args:
        secret: the installation's.
        tenant_id: whose call.
        name: agent or model asked for.
    """
    told = hashlib.blake2b(msgspec.json.encode([tenant_id, name]), key=secret, digest_size=12)
    return f"sluice-{told.hexdigest()}"
