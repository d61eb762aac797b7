"""The embedded engines against real crashes: every test kills a real server."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis, EngineError
from selfhosted.engines.process import Identity, command_line, wait_until


@pytest.fixture(scope="module")
def data_dir(new_folder: Callable[[str], Path]) -> Path:
    """A data directory far deeper than a unix socket's path may be."""
    deep = new_folder("engines").joinpath(*["a-folder-with-a-long-name"] * 6)
    deep.mkdir(parents=True)
    assert len(str(deep)) > 150
    return deep


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_dir) as server:
        yield server


@pytest.fixture
def cache(data_dir: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(data_dir, fsync="always") as server:
        yield server


def sql(server: EmbeddedPostgres, *statements: str) -> object:
    """Run statements on a connection of their own; give the last one's value."""

    async def run() -> object:
        connection = await asyncpg.connect(server.plain_url, timeout=5)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def ask(server: EmbeddedRedis, *command: str | bytes) -> object:
    with redis.Redis.from_url(server.url) as client:
        return client.execute_command(*command)


def count(server: EmbeddedPostgres) -> object:
    return sql(server, "SELECT count(*) FROM kept")


def test_postgres_keeps_what_was_committed_before_a_kill(postgres: EmbeddedPostgres) -> None:
    address = postgres.url
    sql(postgres, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1) RETURNING n")
    postgres.stop(hard=True)
    assert not postgres.alive
    assert postgres.start() == address
    assert count(postgres) == 1


def test_postgres_has_vectors_and_syncs_to_disk(postgres: EmbeddedPostgres) -> None:
    distance = "SELECT ('[1,0]'::vector <=> '[0,1]'::vector)::text"
    assert sql(postgres, "CREATE EXTENSION IF NOT EXISTS vector", distance) == "1"
    assert sql(postgres, "SHOW fsync") == "on"
    assert sql(postgres, "SHOW listen_addresses") == ""
    assert sql(postgres, "SHOW timezone") == "UTC"


def test_a_server_that_died_behind_our_back_is_noticed_and_restarted(
    postgres: EmbeddedPostgres,
) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    assert wait_until(lambda: not postgres.alive, 5)
    assert postgres.exit_code == -signal.SIGKILL
    assert not postgres.ready
    postgres.start()
    assert count(postgres) == 1


def test_a_lock_file_with_a_pid_that_somebody_else_has_now_is_no_hindrance(
    data_dir: Path,
) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        with EmbeddedPostgres(data_dir) as server:
            server.stop(hard=True)
            lock = data_dir / "postgres" / "postmaster.pid"
            lines = lock.read_text().splitlines()
            lock.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
            server.start()
            assert count(server) == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


ORPHANING = """
import os, sys
from pathlib import Path
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
engines = [kind(Path(sys.argv[1])) for kind in (EmbeddedPostgres, EmbeddedRedis)]
for engine in engines:
    engine.start()
print(*[engine.pid for engine in engines], flush=True)
sys.stdin.read()
"""


def owner(data_dir: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start both engines from another process; give it and the engines' pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANING, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as lines:
        pids = [int(word) for word in lines.readline().split()]
    return process, pids


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_engines_end_when_their_owner_is_killed(data_dir: Path) -> None:
    process, pids = owner(data_dir)
    with process:
        process.kill()
    assert len(pids) == 2
    assert wait_until(lambda: not any(Identity.of(pid) for pid in pids), 10)


def test_an_engine_of_a_living_owner_is_left_alone(data_dir: Path) -> None:
    process, pids = owner(data_dir)
    with process:
        for engine in (EmbeddedPostgres(data_dir), EmbeddedRedis(data_dir)):
            with pytest.raises(EngineError, match=f"already running for process {process.pid}"):
                engine.start()
        assert all(Identity.of(pid) for pid in pids)
        process.kill()


def test_an_engine_whose_owner_is_gone_is_stopped_before_a_new_one_starts(data_dir: Path) -> None:
    # Started by a thread-less stand-in: what Linux does for us is undone by not asking for it.
    first = EmbeddedRedis(data_dir)
    first.start()
    left = first.pid
    assert left is not None
    record = data_dir / "run" / "redis.json"
    noted = json.loads(record.read_text())
    record.write_text(json.dumps(noted | {"owner": [2**22 + 1, "0"]}))
    with EmbeddedRedis(data_dir) as second:
        assert first.exit_code == 0
        assert second.pid != left
        assert ask(second, "PING") is True


def test_a_pid_that_belongs_to_somebody_else_is_never_killed(data_dir: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        noted = {"child": [bystander.pid, "1"], "owner": [2**22 + 1, "0"]}
        for name in ("redis", "postgres"):
            (data_dir / "run" / f"{name}.json").write_text(json.dumps(noted))
        with EmbeddedPostgres(data_dir), EmbeddedRedis(data_dir):
            assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_redis_keeps_what_it_accepted_before_a_kill(cache: EmbeddedRedis) -> None:
    address = cache.url
    ask(cache, "SET", "kept", "1")
    cache.stop(hard=True)
    assert not cache.ready
    assert cache.start() == address
    assert ask(cache, "GET", "kept") == b"1"


def test_redis_starts_although_its_last_write_was_cut_short(cache: EmbeddedRedis) -> None:
    ask(cache, "SET", "kept", "2")
    cache.stop(hard=True)
    log = next((cache.log.parents[1] / "redis").glob("*.aof"))
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nke")
    cache.start()
    assert ask(cache, "GET", "kept") == b"2"


SAFE = {
    b"maxmemory-policy": b"noeviction",
    b"appendonly": b"yes",
    b"appendfsync": b"always",
    b"port": b"0",
}


def test_redis_never_evicts_and_is_durable_as_asked(cache: EmbeddedRedis) -> None:
    for name, value in SAFE.items():
        assert ask(cache, "CONFIG", "GET", name) == {name: value}


def test_a_broken_file_is_reported_with_the_engines_own_words(tmp_path: Path) -> None:
    broken = tmp_path / "redis" / "appendonly.aof"
    broken.parent.mkdir()
    broken.write_bytes(b"this is no append-only file\r\n" * 3)
    with pytest.raises(EngineError, match=r"Redis did not start: .*Bad file format"):
        EmbeddedRedis(tmp_path).start()


def test_data_of_another_postgres_version_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EngineError, match="written by PostgreSQL 16, this is 18"):
        EmbeddedPostgres(tmp_path).start()


def test_sockets_can_be_reached_by_this_user_alone(
    postgres: EmbeddedPostgres, cache: EmbeddedRedis
) -> None:
    for url in (postgres.plain_url.partition("host=")[2], cache.url[7:].partition("?")[0]):
        path = Path(url)
        folder = path if path.is_dir() else path.parent
        assert folder.stat().st_mode & 0o077 == 0
    assert postgres.pid is not None
    assert "listen_addresses= " in command_line(postgres.pid)
