from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.running import Gateway, running


@pytest.fixture(scope="session")
def gateway(new_folder: Callable[[str], Path]) -> Iterator[Gateway]:
    """One gateway with two workers for the whole run, with the tests' probe plugged in."""
    with running(new_folder("gateway"), workers=2, probe=True) as started:
        yield started


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a faulty provider, or its open circuit, to the next."""
    yield
    if "gateway" in request.fixturenames:
        request.getfixturevalue("gateway").mend()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gateway" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.proxy)
