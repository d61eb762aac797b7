"""`GET /metrics`: for Prometheus with its token, or for an administrator; never for a tenant."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

from plugins.core.errors import Forbidden, GatewayError, Unavailable
from plugins.core.tenant import Principal, Role
from plugins.metrics.exposition import exposition
from plugins.proxy.inbound import token_of

Message = MutableMapping[str, Any]
METRICS_PATH: Final = "/metrics"


class MetricsPage:
    """An ASGI application that shows all workers' metrics.

    Args:
        folder: where the workers' files are; None when the disk had no room for them.
        token: of the scraper, from `SLUICE_METRICS_TOKEN`; empty for none.
        authenticate: tells who holds a key.
    """

    def __init__(
        self,
        folder: Path | None,
        token: str,
        authenticate: Callable[[str], Awaitable[Principal | GatewayError]],
    ) -> None:
        self._folder: Final = folder
        self._token: Final = token.encode()
        self._authenticate: Final = authenticate

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one scrape.

        Raises:
            GatewayError: when the caller may not, or there is nothing to show.
        """
        await self._admit(token_of(scope["headers"]) or "")
        if self._folder is None:
            raise Unavailable("the disk has no room for metrics; free some and restart")
        accept = b", ".join(v for name, v in scope["headers"] if name == b"accept")
        # Reading and merging takes milliseconds, in which calls should not wait.
        body, content_type = await asyncio.to_thread(
            exposition, self._folder, accept.decode("latin-1")
        )
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _admit(self, token: str) -> None:
        given = token.encode("utf-8", "replace")
        if self._token and hmac.compare_digest(given, self._token):
            return
        verdict = await self._authenticate(token)
        if isinstance(verdict, GatewayError):
            raise verdict
        if verdict.role is not Role.ADMIN:
            raise Forbidden(
                "metrics are for an administrator's key, or the token in SLUICE_METRICS_TOKEN",
                code="admin_key_required",
            )
