"""Which calls may be answered from the cache, and under which key. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import orjson

from plugins.core.call import Call, Endpoint

KEY_BYTES: Final = 16
"""128 bits: no two calls meet by chance."""
_TAG_BYTES: Final = 8
_LAYOUT: Final = 1
"""Part of every key: raised when entries or keys change their meaning."""
_EXACT: Final = 2**53

_UNSEEN: Final = frozenset({"metadata", "user"})
LEFT_OUT: Final[Mapping[Endpoint, frozenset[str]]] = {
    Endpoint.CHAT: _UNSEEN
    | {
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
    },
    Endpoint.COMPLETIONS: _UNSEEN,
    Endpoint.EMBEDDINGS: _UNSEEN,
    # An answer of this endpoint repeats what it was asked for (`user`, `store`, ...).
    Endpoint.RESPONSES: frozenset({"metadata"}),
    Endpoint.MESSAGES: frozenset({"metadata"}),
    Endpoint.SPEECH: frozenset({"metadata"}),
}
"""The endpoints with a cache, and the fields of their bodies that change nothing of the answer.

They say who asks (`user`, `safety_identifier`, `metadata`), what the provider keeps (`store`) or
how it caches (`prompt_cache_*`). `service_tier` is not among them, since the answer names the one
that served. `metadata` does not reach the provider; what a stage reads there is in
`call.variants`.

Source: OpenAI API reference (openai 2.54.0) and Anthropic API reference (anthropic 2.12.0), read
2026-11-23.
"""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What is kept, how much of it, and for how long.

    Args:
        enabled: False for no part of it, sharing included.
        ttl_s: seconds for which an answer is kept (SPEC 8.1: 3600).
        fallback_ttl_s: the same for an answer of a lower tier; never more than `ttl_s`.
        largest_entry_bytes: a larger answer is not kept.
        tenant_bytes: share of one tenant; its own entries make room.
        redis_memory_bytes: while Redis uses more, nothing is stored.
        coalesce: identical calls in flight share one.
        wait_s: longest wait for an identical call.
        keep_tool_calls: also keep answers that call tools.
        keep_truncated: also keep answers cut off at the token limit.
    """

    enabled: bool = True
    ttl_s: int = 3600
    fallback_ttl_s: int = 60
    largest_entry_bytes: int = 1_000_000
    tenant_bytes: int = 64 * 2**20
    redis_memory_bytes: int = 2**30
    coalesce: bool = True
    wait_s: float = 60.0
    keep_tool_calls: bool = False
    keep_truncated: bool = False

    def ttl_of(self, call: Call) -> int:
        """Give the seconds for which a call's answer is kept."""
        first = call.tier in {None, "primary"}
        return self.ttl_s if first else min(self.ttl_s, self.fallback_ttl_s)


@dataclass(frozen=True, slots=True)
class About:
    """For whom an answer is kept, so that it can be found when they are to be erased.

    Args:
        names: of the subject and of the call that it came of, as Redis has them.
        begun_s: when the call began, epoch seconds.
    """

    names: tuple[str, ...]
    begun_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks of the cache.

    Args:
        read: it may be answered from the cache.
        store: its answer may be kept.
        max_age_s: how old an answer from the cache may be, seconds; None for any age.
    """

    read: bool = True
    store: bool = True
    max_age_s: int | None = None

    def takes(self, age_s: float) -> bool:
        """Tell whether an answer of this age will do."""
        return self.max_age_s is None or age_s <= self.max_age_s


_ANY: Final = Wish()


def wish_of(cache_control: str) -> Wish:
    """Read a request's `Cache-Control`.

    Args:
        cache_control: the header's value; several lines joined by commas; empty for none.

    Returns:
        `no-cache` and `max-age=0` ask for a fresh answer, which may then be kept. `no-store`
        keeps the cache out of it altogether. A `max-age` that is no number is taken for 0. Other
        directives are ignored.

    Source: RFC 9111, section 5.2.1.
    """
    if not cache_control:
        return _ANY
    wish = _ANY
    for directive in cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name.rstrip() == "no-store":
            return Wish(read=False, store=False)
        if name.rstrip() == "no-cache":
            wish = replace(wish, read=False)
        elif name.rstrip() == "max-age":
            wish = _limited(wish, value.strip().strip('"'))
    return replace(wish, read=False) if wish.max_age_s == 0 else wish


def _limited(wish: Wish, value: str) -> Wish:
    sound = value.isascii() and value.isdecimal()
    age_s = min(int(value[:10]), 2**31) if sound else 0
    return replace(wish, max_age_s=age_s if wish.max_age_s is None else min(wish.max_age_s, age_s))


def is_cacheable(call: Call) -> bool:
    """Tell whether a call's answer can serve another one.

    Speech in a chat's answer cannot: the provider keeps it under an identifier that expires.
    """
    return call.endpoint in LEFT_OUT and not (
        call.endpoint is Endpoint.CHAT and call.body.get("audio") is not None
    )


class Sealer:
    """Makes keys, names and seals that tell nothing, and fit nothing else, without the secret.

    Args:
        secret: the installation's, at least 32 characters.
    """

    def __init__(self, secret: str) -> None:
        def derived(use: bytes) -> bytes:
            return hmac.digest(secret.encode(), b"sluice cache " + use + b" v1", "sha256")

        self._key: Final = derived(b"keys")
        self._seal: Final = derived(b"seals")
        self._names: Final = derived(b"names")
        tags = derived(b"tenants")

        def tag(tenant_id: str) -> str:
            named = hashlib.blake2b(tenant_id.encode(), key=tags, digest_size=_TAG_BYTES)
            return named.hexdigest()

        self.tag: Final = lru_cache(maxsize=4096)(tag)
        """Gives a tenant's name in Redis: 16 characters."""

    def about(self, call: Call) -> About | None:
        """Tell for whom a call's answer is; None when it names nobody."""
        context, tenant = call.context, call.principal.tenant_id
        names = [self.of_subject(tenant, context.subject)] if context.subject else []
        if context.parent_call_id:
            names.append(self.of_children(tenant, context.parent_call_id))
        return About(tuple(names), call.started_at.timestamp()) if names else None

    def of_subject(self, tenant_id: str, subject: str) -> str:
        """Name a subject: 32 characters that tell nothing of it without the secret."""
        return self._named(b"subject", tenant_id, subject)

    def of_children(self, tenant_id: str, call_id: str) -> str:
        """Name what came of a call."""
        return self._named(b"parent", tenant_id, call_id.lower())

    def _named(self, what: bytes, tenant_id: str, name: str) -> str:
        told = b"\0".join((what, tenant_id.encode(), name.encode()))
        return hashlib.blake2b(told, key=self._names, digest_size=KEY_BYTES).hexdigest()

    def key(self, call: Call, fingerprint: str) -> bytes | None:
        """Give the key of a call.

        Args:
            call: after its policy is settled.
            fingerprint: of the models that may answer it.

        Returns:
            16 bytes, equal for calls of one tenant that any answer fits alike; None when the body
            cannot be written, in which case there is nothing to be shared.
        """
        left_out = LEFT_OUT[call.endpoint]
        body = {
            name: _plain(value)
            for name, value in call.body.items()
            if value is not None and name not in left_out
        }
        if not body.get("stream"):
            body.pop("stream", None)
        named = [
            _LAYOUT,
            call.principal.tenant_id,
            call.endpoint.value,
            call.model_asked,
            fingerprint,
            call.variants,
            body,
        ]
        try:
            written = orjson.dumps(named, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # orjson's own error is one
            return None
        return hashlib.blake2b(written, key=self._key, digest_size=KEY_BYTES).digest()

    def seal(self, key: bytes, payload: bytes) -> bytes:
        """Give the 16 bytes that bind an entry to its key."""
        made = hashlib.blake2b(key, key=self._seal, digest_size=KEY_BYTES)
        made.update(payload)
        return made.digest()


def _plain(value: Any) -> Any:
    """Write 1.0 as 1: to a provider a parameter is the same number either way."""
    if type(value) is float and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def fingerprint_of(tiers: tuple[str, ...], models: Mapping[str, str]) -> str:
    """Name the models that may answer, so that a change of configuration starts afresh.

    Args:
        tiers: model groups in their order.
        models: what stands behind each group.
    """
    return "\n".join(f"{group}={models.get(group, '')}" for group in tiers)
