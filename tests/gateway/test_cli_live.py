"""The operator commands against a running gateway."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from plugins.cli import installation
from plugins.cli.check_findings import Level
from plugins.cli.check_stores import look_at_redis
from plugins.store import migrate
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis
from tests.gateway.running import ROOT, Gateway, eventually

REVOKED_WITHIN_S = 2.5
"""The two seconds promised, and what the request itself takes."""


def sluice(
    gateway: Gateway, *arguments: str, key: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator would; the gateway's address and key from the environment."""
    unwanted = ("_API_KEY", "_API_BASE", "DATABASE_URL", "REDIS_URL", "SLUICE_SECRET")
    environ = {name: value for name, value in os.environ.items() if not name.endswith(unwanted)}
    environ |= {"SLUICE_URL": gateway.base_url, "PYTHONPATH": str(ROOT)}
    environ |= {"SLUICE_ADMIN_KEY": gateway.admin_key if key is None else key, **more}
    return subprocess.run(
        [sys.executable, "-m", "plugins.cli", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(gateway: Gateway, *arguments: str, **options: Any) -> Any:
    """Run a command that must succeed; give what it tells a program."""
    done = sluice(gateway, *arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(gateway: Gateway, *arguments: str, **options: Any) -> str:
    """Run a command that must fail; give its one line."""
    done = sluice(gateway, *arguments, **options)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    return done.stderr


def works(gateway: Gateway, key: str) -> bool:
    """Tell whether a key is let in, asking often enough to meet both workers."""
    answers = {gateway.request("GET", "/sluice/me", key).status_code for _ in range(12)}
    return answers == {200}


def is_refused(gateway: Gateway, key: str) -> bool:
    return all(gateway.request("GET", "/sluice/me", key).status_code == 401 for _ in range(12))


@pytest.mark.spec("13.1")
def test_a_key_is_made_listed_rotated_and_revoked_from_the_command_line(gateway: Gateway) -> None:
    tenant = gateway.new_tenant()
    rights = ("--agent", "matching", "--agent", "screening", "--model", "gpt-4o")
    made = told(
        gateway, "keys", "create", "--tenant", tenant, *rights, "--label", "ci", "--expires", "30d"
    )
    assert made["agents"] == ["matching", "screening"]
    assert made["models"] == ["gpt-4o"]
    assert made["expires_at"]
    assert gateway.chat(made["key"]).status_code == 200
    assert gateway.chat(made["key"], model="decision").status_code == 403

    listed = told(gateway, "keys", "list", "--tenant", tenant)
    assert [key["key_id"] for key in listed] == [made["key_id"]]
    assert made["key"] not in json.dumps(listed)
    assert "hash" not in listed[0]

    new = told(gateway, "keys", "rotate", made["key_id"], "--grace", "1h")
    assert (new["agents"], new["models"]) == (made["agents"], made["models"])
    assert works(gateway, new["key"])
    assert works(gateway, made["key"]), "the old key works on for its grace time"

    assert told(gateway, "keys", "revoke", made["key_id"])["revoked"] is True
    eventually(lambda: is_refused(gateway, made["key"]), bool, REVOKED_WITHIN_S)
    assert works(gateway, new["key"])


@pytest.mark.spec("13.1")
def test_a_rotation_without_grace_refuses_the_old_key(gateway: Gateway) -> None:
    made = told(gateway, "keys", "create", "--tenant", gateway.new_tenant())
    told(gateway, "keys", "rotate", made["key_id"])
    eventually(lambda: is_refused(gateway, made["key"]), bool, REVOKED_WITHIN_S)


def test_a_suspended_tenants_keys_are_refused_until_it_is_resumed(gateway: Gateway) -> None:
    tenant = gateway.new_tenant()
    key = told(gateway, "keys", "create", "--tenant", tenant)["key"]
    told(gateway, "tenants", "suspend", tenant)
    eventually(lambda: is_refused(gateway, key), bool, REVOKED_WITHIN_S)
    told(gateway, "tenants", "resume", tenant)
    eventually(lambda: works(gateway, key), bool, REVOKED_WITHIN_S)


def test_a_tenant_is_made_and_listed_by_name(gateway: Gateway) -> None:
    done = sluice(gateway, "tenants", "create", "cli-made", "--name", "Made [red]here[/]")
    assert done.returncode == 0
    assert "sluice keys create --tenant cli-made" in done.stdout
    assert "cli-made" in sluice(gateway, "tenants", "list").stdout
    assert "Made [red]here[/]" in sluice(gateway, "tenants", "list").stdout
    assert "exists already" in refused(gateway, "tenants", "create", "cli-made")


def test_a_new_key_stands_alone_on_its_line(gateway: Gateway) -> None:
    done = sluice(gateway, "keys", "create", "--tenant", gateway.new_tenant())
    lines = [line for line in done.stdout.splitlines() if line.startswith("sk-")]
    assert len(lines) == 1
    assert works(gateway, lines[0])


def test_an_administrators_key_can_come_from_a_file(gateway: Gateway, tmp_path: Path) -> None:
    made = told(gateway, "keys", "create", "--admin", "--label", "second")
    file = tmp_path / "key"
    file.write_text(made["key"] + "\n")
    assert told(gateway, "tenants", "list", "--key-file", str(file), key="sk-wrong")
    told(gateway, "keys", "revoke", made["key_id"])


def test_an_operator_who_lost_the_key_makes_another_beside_the_running_gateway(
    gateway: Gateway,
) -> None:
    key = told(gateway, "keys", "new-admin", "--data-dir", str(gateway.data_dir), key="")["key"]
    assert told(gateway, "tenants", "list", key=key)
    assert gateway.request("GET", "/sluice/me", key).json()["role"] == "admin"


def test_spend_is_told_as_a_table_with_its_total_and_as_json(gateway: Gateway) -> None:
    tenant = gateway.new_tenant()
    key = gateway.new_key(tenant)
    answers = [gateway.chat(key, model="matching") for _ in range(2)]
    for answer in answers:
        gateway.call_row(answer.headers["x-sluice-call-id"])
    spent = told(gateway, "spend", "--tenant", tenant, "--by", "agent")
    assert [(row["agent"], row["calls"]) for row in spent["rows"]] == [("matching", 2)]
    assert spent["cost_usd"] == spent["rows"][0]["cost_usd"] != "0"

    table = sluice(gateway, "spend", "--tenant", tenant, "--by", "day", "--by", "model").stdout
    assert "DAY" in table
    assert "gpt-4o" in table
    total = table.splitlines()[-1].split()
    assert total[0] == "total"
    assert spent["cost_usd"] in total

    own = told(gateway, "spend", "--by", "agent", key=key)
    assert own["tenant_id"] == tenant
    assert own["cost_usd"] == spent["cost_usd"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "create", "--tenant", "nosuch"), "no tenant 'nosuch'"),
        (("keys", "list", "--tenant", "nosuch"), "no tenant 'nosuch'"),
        (("spend", "--tenant", "nosuch"), "no tenant 'nosuch'"),
        (("tenants", "suspend", "nosuch"), "no tenant 'nosuch'"),
        (("tenants", "suspend", "../keys"), "(route_not_"),
        (("keys", "create", "--tenant", "demo", "--agent", "nosuch"), "no agent 'nosuch'; known:"),
        (("keys", "create", "--tenant", "demo", "--model", "nosuch"), "no model 'nosuch'; known:"),
        (("keys", "create", "--tenant", "demo", "--expires", "2020-01-01"), "has passed"),
        (("keys", "create", "--tenant", "demo", "--expires", "soon"), "is no moment"),
        (("keys", "rotate", "aaaaaaaaaa"), "no key 'aaaaaaaaaa'"),
        (("keys", "rotate", "aaaaaaaaaa", "--grace", "31d"), "at most 30d"),
        (("keys", "revoke", "aaaaaaaaaa"), "(not_found)"),
        (("spend", "--first", "2026-02-01", "--last", "2026-01-01"), "(invalid_request)"),
    ],
)
def test_a_refusal_is_one_line_with_the_reason(
    gateway: Gateway, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(gateway, *arguments)


def test_a_wrong_key_is_told_from_one_without_the_right(gateway: Gateway) -> None:
    said = refused(gateway, "tenants", "list", key="sk-wrong")
    assert "(invalid_api_key)" in said
    assert "sk-wrong" not in said
    said = refused(gateway, "tenants", "list", key=gateway.demo_key)
    assert "(admin_key_required)" in said
    assert "own tenant only" in refused(
        gateway, "spend", "--tenant", "another", key=gateway.demo_key
    )


def test_a_gateway_that_is_not_there_is_one_line_with_the_remedy(gateway: Gateway) -> None:
    said = refused(gateway, "tenants", "list", SLUICE_URL="http://127.0.0.1:1")
    assert "no gateway answers at http://127.0.0.1:1" in said
    assert "`sluice up`" in said


def test_check_finds_the_running_gateways_own_stores(gateway: Gateway) -> None:
    report = told(gateway, "check", "--data-dir", str(gateway.data_dir))
    stores = {f["topic"]: f for f in report["findings"] if f["topic"] in {"postgresql", "redis"}}
    assert stores["postgresql"]["level"] == "ok"
    assert "is migrated" in stores["postgresql"]["message"]
    assert stores["redis"]["level"] == "ok"
    assert "noeviction" in stores["redis"]["message"]


@pytest.mark.spec("2.9")
def test_check_passes_with_the_gateways_environment_and_tells_retired_models(
    gateway: Gateway,
) -> None:
    secret = (gateway.data_dir / "secret").read_text()
    environ = {
        "SLUICE_DATABASE_URL": gateway.ready["database_url"],
        "SLUICE_REDIS_URL": gateway.ready["redis_url"],
        "SLUICE_SECRET": secret,
        "SLUICE_PRACTICE_PROVIDERS": ",".join(gateway.ready["practising"]),
    }
    done = sluice(gateway, "check", **environ)
    assert done.returncode == 0, done.stdout
    assert "0 faults" in done.stdout
    assert "claude-3-5-sonnet was retired by its provider on 2025-10-28" in done.stdout
    assert secret.strip() not in done.stdout + done.stderr
    assert sluice(gateway, "check", "--strict", **environ).returncode == 1


def test_check_names_a_database_that_does_not_exist(gateway: Gateway) -> None:
    url = gateway.ready["database_url"].replace("/sluice?", "/nosuch?")
    done = sluice(gateway, "check", SLUICE_DATABASE_URL=url)
    assert done.returncode == 1
    assert (
        'database "nosuch" does not exist; start it, or correct SLUICE_DATABASE_URL' in done.stdout
    )


async def test_a_database_without_a_schema_is_told_and_migrated(gateway: Gateway) -> None:
    plain_url = gateway.ready["database_url"].replace("+asyncpg", "")
    connection = await asyncpg.connect(plain_url)
    await connection.execute("CREATE DATABASE unmigrated")
    await connection.close()
    url = plain_url.replace("/sluice?", "/unmigrated?")
    environ = {"SLUICE_DATABASE_URL": url, "SLUICE_SECRET": "s" * 40}
    assert "holds no schema; run `sluice migrate`" in sluice(gateway, "check", **environ).stdout
    said = refused(gateway, "keys", "new-admin", **environ)
    assert "holds no schema: run `sluice migrate`" in said
    assert told(gateway, "migrate", **environ)["revision"]
    assert told(gateway, "keys", "new-admin", **environ)["key"].startswith("sk-")
    assert "answers and is migrated" in sluice(gateway, "check", **environ).stdout


def test_a_lost_key_is_replaced_while_the_gateway_is_stopped(
    gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    with EmbeddedPostgres(tmp_path) as engine:
        migrate.upgrade(engine.url)
    assert told(gateway, "keys", "new-admin", "--data-dir", str(tmp_path))["key"].startswith("sk-")
    assert installation.find_database({}, tmp_path) is None, "it is stopped again"


def test_migrating_a_migrated_database_does_nothing(gateway: Gateway) -> None:
    first = told(gateway, "migrate", "--data-dir", str(gateway.data_dir))
    assert first == told(gateway, "migrate", "--data-dir", str(gateway.data_dir))


def test_check_finds_a_real_redis_that_is_full_and_set_up_as_a_cache(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as engine:
        store = installation.Store(engine.url, "embedded")
        assert [found.level for found in look_at_redis(store)] == [Level.OK]
        with redis.Redis.from_url(engine.url) as client:
            for name, value in (("appendonly", "no"), ("maxmemory-policy", "volatile-ttl")):
                client.config_set(name, value)
            client.config_set("maxmemory", "1")
        said = [found.text for found in look_at_redis(store)]
    assert len(said) == 3
    assert "takes no writes (command not allowed when used memory" in said[0]
    assert "appendonly no" in said[1]
    assert "volatile-ttl" in said[2]
