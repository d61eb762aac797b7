"""Plugins and fixtures that every test shares."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.spec_plugin"]


@pytest.fixture(scope="session")
def new_folder(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Path]]:
    """Make folders for engines, outside of pytest's own.

    As root, PostgreSQL runs under another account, which needs a way to its data. pytest closes
    that way again: each session, also one beside this, sets its base folder to 0700.
    """
    made: list[Path] = []

    def make(name: str) -> Path:
        made.append(Path(tempfile.mkdtemp(prefix=f"sluice-{name}-")))
        return made[-1]

    yield make
    for folder in made:
        if request.session.testsfailed:
            print(f"kept for a look: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
