"""Carries requests to receivers with one client per worker; tells nothing of addresses."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from plugins.alerts.notice import Outgoing

TRY_LIMIT_S: Final = 5.0
"""Seconds for one try as a whole, however slowly the receiver answers."""


class Undeliverable(OSError):  # noqa: N818 - says what became of the request
    """No answer came; the text says why in a few words, and names no address."""


@dataclass(frozen=True, slots=True)
class Received:
    """A receiver's answer.

    Args:
        status: of HTTP.
        retry_after: header, as it came.
    """

    status: int
    retry_after: str | None = None


class Post(Protocol):
    """Makes one request."""

    async def __call__(self, outgoing: Outgoing) -> Received:
        """Make it.

        Raises:
            Undeliverable: when no answer comes.
        """
        ...


class HttpPost:
    """Makes requests with httpx; follows no redirect, since the address is the operator's choice.

    Args:
        transport: what carries the requests; None for the network.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=5)
        self._client: Final = httpx.AsyncClient(
            timeout=TRY_LIMIT_S, limits=limits, follow_redirects=False, transport=transport
        )

    async def __call__(self, outgoing: Outgoing) -> Received:
        """Make one request; the answer's body is not read."""
        headers = {"content-type": "application/json", **outgoing.headers}
        try:
            async with (
                asyncio.timeout(TRY_LIMIT_S),
                self._client.stream(
                    "POST", outgoing.url, content=outgoing.body, headers=headers
                ) as answer,
            ):
                return Received(answer.status_code, answer.headers.get("retry-after"))
        except (TimeoutError, httpx.TimeoutException):
            raise Undeliverable(f"no answer within {TRY_LIMIT_S:g} s") from None
        except httpx.ConnectError:
            raise Undeliverable("no connection: refused, unreachable or not resolved") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Undeliverable(f"the request broke off ({type(error).__name__})") from None
