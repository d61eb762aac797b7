"""Our own routes do what their OpenAPI says, whatever schemathesis thinks of (SPEC 11.2)."""

import functools
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.gateway.running import Gateway

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@functools.cache
def _described(base_url: str, admin_key: str) -> Any:
    headers = {"authorization": f"Bearer {admin_key}"}
    return schemathesis.openapi.from_url(f"{base_url}/sluice/openapi.json", headers=headers)


@pytest.fixture(scope="module")
def harmless(gateway: Gateway) -> dict[str, str]:
    """A key of a tenant's own, and the administrator's."""
    return {"tenant": gateway.new_key(), "admin": gateway.admin_key}


def _operations(described: Any) -> list[Any]:
    return [result.ok() for result in described.get_all_operations()]


def _takes_anything(operation: Any) -> bool:
    return bool(operation.body or list(operation.iter_parameters()))


@pytest.mark.spec("11.2")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", ["tenant", "admin"])
def test_every_route_keeps_its_word(
    gateway: Gateway, harmless: dict[str, str], who: str, mode: GenerationMode
) -> None:
    operations = _operations(_described(gateway.base_url, gateway.admin_key))
    assert len(operations) >= 9
    headers = {"authorization": f"Bearer {harmless[who]}"}
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not _takes_anything(operation):
            continue

        @hypothesis.given(case=operation.as_strategy(mode))
        @hypothesis.settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def holds(case: Any) -> None:
            case.call_and_validate(
                base_url=gateway.base_url, headers=headers, checks=CHECKS, timeout=30
            )

        holds()


def test_every_route_describes_its_refusals(gateway: Gateway) -> None:
    described = gateway.admin("GET", "/sluice/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            refused = operation["responses"].get("4XX", {}).get("content", {})
            assert "Refusal" in str(refused.get("application/json")), (method, path)
