"""Reads the figures of vLLM servers, once a second in each worker."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from plugins.replicas.board import Board
from plugins.replicas.rules import Reading, parse_metrics

PERIOD_S: Final = 1.0
JITTER: Final = 0.2
"""Share of the period that chance may add or take, so that workers do not all ask at once."""
LIMIT_S: Final = 0.8
LONGEST_BYTES: Final = 2_000_000
"""vLLM's page has about 53 KB for one model."""
_VERSION_PATH: Final = "/v1"
_OS_ENVIRON: Final = "os.environ/"

_log: Final = logging.getLogger("sluice.replicas")


def metrics_urls(api_bases: Mapping[str, str | None], environ: Mapping[str, str]) -> dict[str, str]:
    """Give the address of each deployment's figures.

    Args:
        api_bases: by deployment, as they stand in proxy_config.yaml; nothing else is ever asked.
        environ: where `os.environ/NAME` looks.

    Returns:
        Addresses by deployment; without those whose address is not known.
    """
    found: dict[str, str] = {}
    for name, stated in api_bases.items():
        base = (stated or "").strip()
        if base.startswith(_OS_ENVIRON):
            base = environ.get(base.removeprefix(_OS_ENVIRON), "").strip()
        base = base.rstrip("/").removesuffix(_VERSION_PATH).rstrip("/")
        if base.startswith(("http://", "https://")):
            found[name] = f"{base}/metrics"
    return found


class Scraper:
    """One worker's reader.

    Args:
        board: what it reads for.
        urls: by deployment; several deployments may share a server, which is then asked once.
        chance: uniform in [0, 1).
        transport: in place of the network, for tests.
    """

    def __init__(
        self,
        board: Board,
        urls: Mapping[str, str],
        chance: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._board: Final = board
        self._urls: Final = urls
        self._chance: Final = chance
        self._transport: Final = transport
        self._away: Final[set[str]] = set()

    async def run(self) -> None:
        """Read for ever; a worker in which nobody needs figures asks nobody."""
        async with self._client() as client:
            while True:
                try:
                    await self._round(client)
                except Exception:  # noqa: BLE001 - figures that stop for good would go unnoticed
                    _log.exception("the replicas' figures could not be read")
                await asyncio.sleep(PERIOD_S * (1.0 + JITTER * (2.0 * self._chance() - 1.0)))

    async def once(self) -> None:
        """Read one round of figures."""
        async with self._client() as client:
            await self._round(client)

    def _client(self) -> httpx.AsyncClient:
        # Neither a proxy of the environment's nor a redirect leads anywhere else.
        return httpx.AsyncClient(
            timeout=LIMIT_S,
            trust_env=False,
            follow_redirects=False,
            headers={"accept-encoding": "identity"},
            transport=self._transport,
        )

    async def _round(self, client: httpx.AsyncClient) -> None:
        asked: dict[str, list[str]] = {}
        for name in self._board.wanted(self._urls.keys()):
            asked.setdefault(self._urls[name], []).append(name)
        await asyncio.gather(*(self._read(client, url, names) for url, names in asked.items()))

    async def _read(self, client: httpx.AsyncClient, url: str, names: list[str]) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                reading = await _reading(client, url)
        except (httpx.TimeoutException, TimeoutError):
            for name in names:
                self._board.silent(name)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if url not in self._away:
                self._away.add(url)
                _log.warning("%s does not answer (%s)", ", ".join(names), type(error).__name__)
            for name in names:
                self._board.lost(name)
            return
        if url in self._away:
            self._away.discard(url)
            _log.warning("%s answers again", ", ".join(names))
        for name in names:
            self._board.read(name, reading)


async def _reading(client: httpx.AsyncClient, url: str) -> Reading | None:
    """Ask one server.

    Returns:
        Its figures; None when it answers and has none, or a page too long to be one of vLLM's.

    Raises:
        httpx.HTTPError: when it does not answer, or says that it is unwell.
    """
    async with client.stream("GET", url) as answer:
        if answer.is_server_error:
            raise httpx.HTTPStatusError("unwell", request=answer.request, response=answer)
        if answer.status_code != 200:
            return None
        page = bytearray()
        async for part in answer.aiter_raw():
            page += part
            if len(page) > LONGEST_BYTES:
                return None
    return parse_metrics(bytes(page))
