"""`sluice up --observe` with the real Prometheus and Alertmanager, and a stand-in for Phoenix."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.running import Gateway, eventually, running
from tests.otel.rules import alerts
from tests.otel.tools import tool

PHOENIX = """\
#!/usr/bin/env python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    do_POST = do_GET
    def log_message(self, *args): pass
place = (os.environ["PHOENIX_HOST"], int(os.environ["PHOENIX_PORT"]))
http.server.ThreadingHTTPServer(place, Handler).serve_forever()
"""
pytestmark = [pytest.mark.otel, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def observed(new_folder: Callable[[str], Path]) -> Iterator[Gateway]:
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name)
    folder = new_folder("observe")
    phoenix = folder / "phoenix" / "bin" / "phoenix"
    phoenix.parent.mkdir(parents=True)
    phoenix.write_text(PHOENIX)
    phoenix.chmod(0o755)
    with running(folder, options=["--observe"], SLUICE_PHOENIX=str(phoenix.parents[1])) as gateway:
        yield gateway
        urls = gateway.ready["observers"].values()
    for url in urls:
        with pytest.raises(httpx.TransportError):
            httpx.get(url)


def _url(gateway: Gateway, name: str) -> str:
    return str(gateway.ready["observers"][name])


def test_all_of_them_run_on_loopback_alone(observed: Gateway) -> None:
    urls = observed.ready["observers"]
    assert list(urls) == ["Alertmanager", "Prometheus", "Phoenix (traces)"]
    for name in ("Alertmanager", "Prometheus"):
        port = int(urls[name].rpartition(":")[2])
        assert _listening(port) == {"0100007F"}, name


def _listening(port: int) -> set[str]:
    """Addresses that a port is open on, as the kernel writes them."""
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, number = address.split(":")
            if state == "0A" and int(number, 16) == port:
                found.add(host)
    return found


def test_prometheus_reads_the_gateway_with_its_token(observed: Gateway) -> None:
    def health() -> dict[str, str]:
        found = httpx.get(f"{_url(observed, 'Prometheus')}/api/v1/targets").json()
        return {t["labels"]["job"]: t["health"] for t in found["data"]["activeTargets"]}

    wanted = {"sluice": "up", "prometheus": "up", "alertmanager": "up"}
    eventually(health, lambda found: found == wanted, 40)


def test_prometheus_has_every_rule_and_knows_whom_to_tell(observed: Gateway) -> None:
    url = _url(observed, "Prometheus")
    found = httpx.get(f"{url}/api/v1/rules?type=alert").json()["data"]["groups"]
    assert {rule["name"] for group in found for rule in group["rules"]} == set(alerts())
    told = eventually(
        lambda: httpx.get(f"{url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"],
        bool,
    )
    assert told[0]["url"].startswith(_url(observed, "Alertmanager"))


def test_what_is_printed_names_them_and_says_that_nobody_is_told(observed: Gateway) -> None:
    printed = (observed.data_dir.parent / "up.log").read_text()
    for name, url in observed.ready["observers"].items():
        assert f"{name}: {url}" in printed
    assert "sent to nobody: CHANGEME" in printed


def test_one_that_dies_is_started_again(observed: Gateway) -> None:
    pid = observed.ready["pids"]["prometheus"]
    os.kill(pid, signal.SIGKILL)
    url = _url(observed, "Prometheus")

    def alive() -> bool:
        try:
            return httpx.get(f"{url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    eventually(lambda: not alive(), bool)
    eventually(alive, bool, 20)
