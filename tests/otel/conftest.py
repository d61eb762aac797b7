from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.policy import Policy
from tests.gateway.receivers import Receiver
from tests.gateway.running import running
from tests.otel.stack import Stack, watching

TOKEN = "scrape-token-of-enough-length"


def _policy() -> dict[str, Any]:
    """What gives every figure a value: short circuits, a limit, a tenant that is named."""
    policy: dict[str, Any] = {
        "breaker": {"cool_off_s": 1, "longest_cool_off_s": 2},
        "alerts": {"senders": [{"kind": "log"},
                               {"kind": "webhook", "url": "os.environ/T_HOOK"}]},
    }  # fmt: skip
    if "metrics" in Policy.model_fields:
        policy["metrics"] = {"tenants": ["demo"]}
    return policy


@pytest.fixture(scope="session")
def stack(new_folder: Callable[[str], Path]) -> Iterator[Stack]:
    """One gateway with two workers, watched by the real Prometheus and Alertmanager."""
    folder = new_folder("otel")
    refusing, sink = Receiver(status=400), Receiver()
    refusing.start()
    sink.start()
    variables = {
        "SLUICE_METRICS_TOKEN": TOKEN,
        "T_HOOK": refusing.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    with (
        running(folder, workers=2, policy=_policy(), **variables) as gateway,
        watching(gateway, folder, TOKEN) as started,
    ):
        yield started
    refusing.stop()
    sink.stop()
