"""Who may see the metrics, and what is said when there are none."""

from pathlib import Path
from typing import Any

import pytest

from plugins.core.errors import GatewayError
from plugins.core.metrics import Counter
from plugins.core.tenant import Principal, Role
from plugins.metrics import slots
from plugins.metrics.files import FileMetrics
from plugins.proxy.metrics_page import MetricsPage
from plugins.tenancy.rules import unknown_key

TOKEN = "scrape-token-of-enough-length"
HOLDERS = {
    "admin": Principal("k1", "", Role.ADMIN),
    "tenant": Principal("k2", "acme"),
}


async def _authenticate(token: str) -> Principal | GatewayError:
    return HOLDERS.get(token) or unknown_key()


async def _get(page: MetricsPage, *headers: tuple[bytes, bytes]) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a scrape has no body")

    await page({"type": "http", "headers": list(headers)}, receive, send)
    return sent


def _bearer(token: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + token.encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    metrics = FileMetrics(slots.take(tmp_path))
    metrics.add(Counter("hits_total", "Hits"))
    metrics.close()
    return tmp_path


@pytest.mark.parametrize(
    ("token", "configured", "status"),
    [
        ("admin", TOKEN, 200),
        (TOKEN, TOKEN, 200),
        ("tenant", TOKEN, 403),
        ("made up", TOKEN, 401),
        ("", TOKEN, 401),
        (TOKEN, "", 401),
        ("", "", 401),
        (TOKEN + "x", TOKEN, 401),
        (TOKEN[:-1], TOKEN, 401),
    ],
)
async def test_metrics_open_to_an_administrator_or_the_token(
    folder: Path, token: str, configured: str, status: int
) -> None:
    page = MetricsPage(folder, configured, _authenticate)
    if status == 200:
        start, body = await _get(page, _bearer(token))
        assert start["status"] == 200
        assert b"hits_total 1.0" in body["body"]
        return
    with pytest.raises(GatewayError) as caught:
        await _get(page, _bearer(token))
    assert caught.value.status == status


async def test_openmetrics_is_negotiated(folder: Path) -> None:
    accept = (b"accept", b"application/openmetrics-text;version=1.0.0,text/plain;q=0.3")
    start, body = await _get(MetricsPage(folder, TOKEN, _authenticate), _bearer(TOKEN), accept)
    assert dict(start["headers"])[b"content-type"].startswith(b"application/openmetrics-text")
    assert body["body"].endswith(b"# EOF\n")


async def test_without_room_for_metrics_it_is_said() -> None:
    with pytest.raises(GatewayError, match="no room") as caught:
        await _get(MetricsPage(None, TOKEN, _authenticate), _bearer(TOKEN))
    assert caught.value.status == 503
