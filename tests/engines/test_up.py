"""The parts of `sluice up` that need no gateway: environment, addresses, messages, checks."""

import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugins.cli import app, up_checks, up_services
from plugins.cli import up_environment as environment
from plugins.cli.up_console import Welcome, curls
from plugins.cli.up_environment import PROVIDERS, Settled, UpError

SETTLED = Settled(
    database_url="postgresql+asyncpg://sluice@/sluice?host=/tmp/x",
    redis_url="unix:///tmp/x/redis.sock",
    secret="s" * 40,
    data_dir=Path("/data"),
    config=Path("/etc/proxy_config.yaml"),
    log_level="ERROR",
    root=Path("/opt/sluice"),
)


def test_without_any_key_every_provider_practises() -> None:
    found = environment.upstreams({}, 4010)
    assert found.practising == tuple(provider.name for provider in PROVIDERS)
    assert found.variables["SLUICE_PRACTICE_PROVIDERS"] == ",".join(found.practising)
    assert found.variables["OPENAI_API_BASE"] == "http://127.0.0.1:4010/openai/v1"
    assert found.variables["OPENAI_API_KEY"].startswith("practice-")
    assert found.variables["VLLM_API_BASE"] == "http://127.0.0.1:4010/vllm/v1"


def test_a_key_in_the_environment_makes_its_provider_real() -> None:
    environ = {"OPENAI_API_KEY": "sk-mine", "COHERE_API_KEY": "", "ANTHROPIC_API_KEY": "  "}
    found = environment.upstreams(environ, 4010)
    assert "openai" not in found.practising
    assert {"cohere", "anthropic"} <= set(found.practising)
    assert found.variables["OPENAI_API_KEY"] == "sk-mine"
    assert found.variables["OPENAI_API_BASE"] == "https://api.openai.com/v1"


def test_an_address_of_ones_own_is_used_as_it_is() -> None:
    environ = {
        "OPENAI_API_KEY": "sk-mine",
        "OPENAI_API_BASE": "https://eu.example/v1",
        "VLLM_API_BASE": "http://gpu:8000/v1",
    }
    found = environment.upstreams(environ, 4010)
    assert found.variables["OPENAI_API_BASE"] == "https://eu.example/v1"
    assert found.variables["VLLM_API_BASE"] == "http://gpu:8000/v1"
    assert found.variables["VLLM_API_KEY"] == "none"
    assert not {"openai", "vllm"} & set(found.practising)


def test_an_address_without_a_key_practises_and_says_so() -> None:
    found = environment.upstreams({"OPENAI_API_BASE": "https://eu.example/v1"}, 4010)
    assert "openai" in found.practising
    assert found.variables["OPENAI_API_BASE"].startswith("http://127.0.0.1:4010/")
    assert "OPENAI_API_KEY is missing" in found.notes[0]


def test_the_proxy_gets_our_stores_and_never_a_database_of_its_own() -> None:
    environ = {
        "DATABASE_URL": "postgres://u:p@h/db",
        "DEBUG": "1",
        "PORT": "1",
        "PYTHONPATH": "/x",
        "LITELLM_MASTER_KEY": "sk-1234",
        "LITELLM_MODE": "DEV",
        "HOME": "/home/me",
    }
    found = environment.proxy_environment(environ, SETTLED, environment.upstreams({}, 1))
    assert not environment.UNWANTED & found.keys()
    assert found["HOME"] == "/home/me"
    assert found["SLUICE_DATABASE_URL"] == SETTLED.database_url
    assert found["SLUICE_REDIS_URL"] == SETTLED.redis_url
    assert found["SLUICE_CONFIG"] == "/etc/proxy_config.yaml"
    assert found["SLUICE_DATA_DIR"] == "/data"
    assert found["LITELLM_MODE"] == "PRODUCTION"
    assert found["LITELLM_WORKER_STARTUP_HOOKS"] == "plugins.proxy.startup:install"
    assert re.fullmatch(r"sk-[\w-]{40,}", found["LITELLM_MASTER_KEY"])
    assert found["PYTHONPATH"].split(":") == ["/opt/sluice", "/x"]


def test_practice_calls_never_go_through_an_http_proxy() -> None:
    environ = {"NO_PROXY": "intranet"}
    some = environment.proxy_environment(environ, SETTLED, environment.upstreams({}, 1))
    assert some["NO_PROXY"] == "intranet,127.0.0.1,localhost,::1"
    keys = {provider.switch: "x" for provider in PROVIDERS}
    none = environment.proxy_environment(environ, SETTLED, environment.upstreams(keys, None))
    assert none["NO_PROXY"] == "intranet"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgres://u:p@h/db", "postgresql+asyncpg://u:p@h/db"),
        ("postgresql://u:p%40@h:1/db", "postgresql+asyncpg://u:p%40@h:1/db"),
        ("postgresql+asyncpg://u@h/db", "postgresql+asyncpg://u@h/db"),
        (" postgres://h/db?sslmode=require&channel_binding=require ",
         "postgresql+asyncpg://h/db?ssl=require"),
        ("postgresql:///db?host=/run/pg", "postgresql+asyncpg:///db?host=%2Frun%2Fpg"),
    ],
)  # fmt: skip
def test_a_database_address_is_taken_as_providers_print_it(given: str, url: str) -> None:
    assert environment.database_url(given) == url


@pytest.mark.parametrize(
    "given",
    ["mysql://u:hunter2@h/db", "u:hunter2@h", "postgres://u:hunter2@h:port/db", "postgres:///db"],
)
def test_a_wrong_database_address_is_refused_without_showing_its_password(given: str) -> None:
    with pytest.raises(UpError, match="DATABASE_URL") as refusal:
        environment.database_url(given)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("given", ["http://:hunter2@h", "h:6379"])
def test_a_wrong_redis_address_is_refused(given: str) -> None:
    with pytest.raises(UpError, match="REDIS_URL") as refusal:
        environment.redis_url(given)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "port", "place"),
    [
        ("postgresql+asyncpg://u:hunter2@db.example/x", 5432, "db.example:5432"),
        ("rediss://:hunter2@h:1", 6379, "h:1"),
        ("postgresql+asyncpg://sluice@/x?host=%2Frun%2Fpg", 5432, "/run/pg"),
        ("unix:///run/redis.sock?db=0", 6379, "/run/redis.sock"),
    ],
)
def test_a_place_names_host_and_port_alone(url: str, port: int, place: str) -> None:
    assert environment.place_of(url, port) == place


def test_stores_that_do_not_answer_are_named_without_their_password() -> None:
    port = up_checks.free_port("127.0.0.1")
    with pytest.raises(UpError, match=f"PostgreSQL at 127.0.0.1:{port} does not answer") as one:
        up_checks.check_postgres(f"postgresql+asyncpg://u:hunter2@127.0.0.1:{port}/db")
    with pytest.raises(UpError, match=f"Redis at 127.0.0.1:{port} does not answer") as two:
        up_checks.check_redis(f"redis://:hunter2@127.0.0.1:{port}/0")
    assert "hunter2" not in str(one.value) + str(two.value)


def test_a_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first = environment.secret({}, tmp_path)
    assert len(first) >= environment.LEAST_SECRET
    assert environment.secret({}, tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_secret_of_ones_own_is_used_and_a_short_one_refused(tmp_path: Path) -> None:
    assert environment.secret({"SLUICE_SECRET": "x" * 32}, tmp_path) == "x" * 32
    assert not (tmp_path / "secret").exists()
    with pytest.raises(UpError, match="5 characters and needs 32"):
        environment.secret({"SLUICE_SECRET": "short"}, tmp_path)


def test_a_busy_port_is_named_with_a_free_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UpError, match=rf"port {port} on 127\.0\.0\.1 is in use.*--port \d+"):
            up_checks.check_port("127.0.0.1", port)
    up_checks.check_port("127.0.0.1", port)


def test_a_foreign_address_cannot_be_listened_on() -> None:
    with pytest.raises(UpError, match=r"cannot listen on 192\.0\.2\.1"):
        up_checks.check_port("192.0.2.1", 4000)


HOLDING = """
import os, sys
from pathlib import Path
from plugins.cli.up_checks import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_directory_is_held_by_one_and_freed_by_its_death(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(UpError, match=rf"another `sluice up` \(pid {holder.pid}\) runs on"),
            up_checks.only_one(tmp_path),
        ):
            pytest.fail("held twice")
        holder.kill()
    with up_checks.only_one(tmp_path):
        pass


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4000"),
        ("0.0.0.0", "http://127.0.0.1:4000"),  # noqa: S104 - read, not bound
        ("::", "http://[::1]:4000"),
        ("10.0.0.7", "http://10.0.0.7:4000"),
    ],
)
def test_the_printed_address_is_one_that_works_here(host: str, url: str) -> None:
    assert up_services.Place(host, 4000).url == url


def test_the_line_that_tells_the_cause_is_found_in_a_log(tmp_path: Path) -> None:
    log = tmp_path / "proxy.log"
    log.write_text(
        "old Error: not this\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in y\n'
        "plugins.settings.ConfigurationError: 1 fault in the configuration\n"
        "Application startup failed. Exiting.\n"
    )
    cause = "plugins.settings.ConfigurationError: 1 fault in the configuration"
    assert up_services.telling_line(log, since=20) == cause
    assert up_services.telling_line(log, since=log.stat().st_size) == ""
    assert up_services.telling_line(tmp_path / "none.log", since=0) == ""


def shell_words(command: str) -> list[str]:
    """Let a real shell split a command that is printed to be pasted."""
    script = 'curl() { for word in "$@"; do printf "%s\\0" "$word"; done; }; ' + command
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_printed_commands_survive_a_shell() -> None:
    parse, stream, embed, spend = (c for c in curls("http://h:1", "sk-k") if c.startswith("curl"))
    words = shell_words(parse)
    assert "Authorization: Bearer sk-k" in words
    assert '"model": "resume_parsing"' in words[-1]
    assert words[-1].count("\\n") > 10
    assert '"stream": true' in shell_words(stream)[-1]
    assert "http://h:1/v1/embeddings" in shell_words(embed)
    assert shell_words(spend)[1] == "http://h:1/sluice/spend"


def welcome(**changes: object) -> str:
    facts: dict[str, object] = {
        "base_url": "http://127.0.0.1:4000", "took_s": 8.24, "admin_key": "sk-admin",
        "demo_key": "sk-demo", "demo_is_new": True, "practising": ("openai", "vllm"),
        "data_dir": ".sluice",
    }  # fmt: skip
    return "\n".join(Welcome(**(facts | changes)).lines())  # pyright: ignore[reportArgumentType]


def test_the_first_run_shows_both_keys_and_who_practises() -> None:
    text = welcome()
    assert "ready after 8.2 s: http://127.0.0.1:4000" in text
    assert text.count("sk-admin") == 1
    assert "(a demo: also kept in .sluice/demo_key): sk-demo" in text
    assert "PRACTICE: no key was found for openai, vllm" in text


def test_later_runs_show_no_key_but_in_the_commands() -> None:
    text = welcome(admin_key=None, demo_is_new=False)
    assert "keys were shown on the first run; `sluice keys create` makes a new one" in text
    assert "Bearer sk-demo" in text
    assert "demo tenant's key" not in text


def test_an_unknown_key_is_left_for_the_operator_to_fill_in() -> None:
    text = welcome(admin_key=None, demo_key=None, demo_is_new=False, practising=())
    assert "Bearer $SLUICE_KEY" in text
    assert "export SLUICE_KEY" in text
    assert "every provider is real" in text


def test_help_lists_the_commands_without_importing_them() -> None:
    script = (
        "import sys; from plugins.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print('up' in sys.modules, 'plugins.cli.up' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "Start the gateway with everything it needs" in done.stdout
    assert done.stdout.endswith("False False\n")


def test_an_unknown_command_is_refused() -> None:
    done = CliRunner().invoke(app, ["nonsense"])
    assert done.exit_code == 2
    assert "No such command" in done.output


def test_up_explains_its_options() -> None:
    done = CliRunner().invoke(app, ["up", "--help"])
    assert done.exit_code == 0
    for word in ("--port", "--data-dir", "DATABASE_URL", "OPENAI_API_KEY"):
        assert word in done.output


def test_up_reports_a_missing_configuration_and_starts_nothing(tmp_path: Path) -> None:
    argv = ["up", "--config", str(tmp_path / "none.yaml"), "--data-dir", str(tmp_path / "data")]
    done = CliRunner().invoke(app, argv)
    assert done.exit_code == 1
    assert "name the file with --config" in done.output
    assert not (tmp_path / "data" / "logs").exists()
