"""The operator commands' client and output: keys, addresses, answers; no server runs."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from plugins.cli import COMMANDS, app, output
from plugins.cli.client import Client, checked_url, find_key, read_answer, segment
from plugins.cli.output import CommandError

URL = "http://gateway.test"
NOBODY = "http://127.0.0.1:1"


def client(answer: httpx.Response, seen: list[httpx.Request]) -> Client:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    return Client(URL + "/", "sk-one", httpx.MockTransport(handle))


def run(*arguments: str, **environ: str | None) -> Any:
    cleared = {"SLUICE_ADMIN_KEY": None, "SLUICE_URL": NOBODY}
    return CliRunner().invoke(app, arguments, env={**cleared, **environ})


def test_every_request_carries_the_key_and_goes_to_the_address_given() -> None:
    seen: list[httpx.Request] = []
    told = client(httpx.Response(200, json=[{"a": 1}]), seen).get(
        "/sluice/keys", {"by": ["a", "b"]}
    )
    assert told == [{"a": 1}]
    assert str(seen[0].url) == f"{URL}/sluice/keys?by=a&by=b"
    assert seen[0].headers["authorization"] == "Bearer sk-one"


def test_an_empty_answer_is_none() -> None:
    assert client(httpx.Response(204), []).patch("/sluice/tenants/a", {"active": True}) is None


def test_a_refusal_gives_the_gateways_message_and_code() -> None:
    body = json.dumps({"error": {"message": "no tenant 'x'", "code": "not_found"}}).encode()
    with pytest.raises(CommandError, match="no tenant 'x'") as raised:
        read_answer(URL, 404, body)
    assert raised.value.code == "not_found"


def test_a_refused_key_names_where_it_came_from() -> None:
    body = b'{"error": {"message": "the API key is not valid", "code": "invalid_api_key"}}'
    with pytest.raises(CommandError, match="not valid; the key came from SLUICE_ADMIN_KEY"):
        read_answer(URL, 401, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (404, b"<html>"),
        (502, b""),
        (404, b'{"detail": "Not Found"}'),
        (500, b"[]"),
    ],
)
def test_another_program_at_the_address_is_told_from_a_gateway(status: int, body: bytes) -> None:
    with pytest.raises(CommandError, match="not as a Sluice gateway"):
        read_answer(URL, status, body)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4000",
        "ftp://x",
        "http://",
        "http://u:pw@host",
        "http://h:port",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(CommandError, match="no address") as raised:
        checked_url(url)
    assert "pw" not in raised.value.message


def test_a_slash_at_the_end_of_the_address_is_taken_off() -> None:
    assert checked_url(" https://gateway.example/ ") == "https://gateway.example"


def test_an_identifier_cannot_leave_its_place_in_the_path() -> None:
    assert segment("../keys?x") == "..%2Fkeys%3Fx"


def test_the_key_comes_from_the_file_first_and_else_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-file\n")
    assert find_key(file, {"SLUICE_ADMIN_KEY": "sk-env"}) == "sk-file"
    assert find_key(None, {"SLUICE_ADMIN_KEY": " sk-env "}) == "sk-env"


def test_a_missing_or_empty_key_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="export SLUICE_ADMIN_KEY"):
        find_key(None, {})
    with pytest.raises(CommandError, match="No such file"):
        find_key(tmp_path / "nosuch", {})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(CommandError, match="is empty"):
        find_key(tmp_path / "empty", {})


def test_a_key_with_stray_characters_is_refused_without_showing_it() -> None:
    for key in ("sk-ä", "sk-a b", "sk-a\nb"):
        with pytest.raises(CommandError, match="stray") as raised:
            Client(URL, key)
        assert key not in raised.value.message


@pytest.mark.parametrize(
    "arguments",
    [
        ("tenants", "create", "acme"),
        ("tenants", "list"),
        ("tenants", "suspend", "acme"),
        ("tenants", "resume", "acme"),
        ("keys", "create", "--tenant", "acme"),
        ("keys", "list"),
        ("keys", "rotate", "abcdefghij"),
        ("keys", "revoke", "abcdefghij"),
        ("spend",),
    ],
)
def test_an_unreachable_gateway_is_one_line_with_the_remedy(arguments: tuple[str, ...]) -> None:
    said = run(*arguments, SLUICE_ADMIN_KEY="sk-mine")
    assert said.exit_code == 1
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith(f"error: no gateway answers at {NOBODY} (")
    assert "start one with `sluice up`" in said.stderr


def test_an_error_is_json_for_a_program_too() -> None:
    said = run("tenants", "list", "--json")
    assert said.exit_code == 1
    assert "SLUICE_ADMIN_KEY" in json.loads(said.stdout)["error"]["message"]
    assert said.stderr.startswith("error: no key")


def test_no_command_takes_a_key_as_an_argument() -> None:
    for command in (("tenants", "list"), ("keys", "list"), ("spend",)):
        said = run(*command, "--help", COLUMNS="200")
        assert said.exit_code == 0
        assert "--key-file" in said.stdout
        assert "--key " not in said.stdout


def test_every_command_has_help() -> None:
    assert all(name in run("--help").stdout for name in COMMANDS)
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_table(("NAME",), [("\x1b[2Jgone\nnext [red]x[/]",), (None,)])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "gone next [red]x[/]" in printed
    assert len(printed.splitlines()) == 3


def test_a_download_is_written_as_it_comes_and_its_lines_are_counted(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    answer = httpx.Response(200, content=b'{"a":1}\n{"b":2}\n')
    with (tmp_path / "file").open("wb") as file:
        assert client(answer, seen).download("/sluice/reviews/export", {"first": "x"}, file) == 2
    assert (tmp_path / "file").read_bytes() == b'{"a":1}\n{"b":2}\n'
    assert str(seen[0].url) == f"{URL}/sluice/reviews/export?first=x"


def test_a_download_that_is_refused_or_breaks_off_says_so(tmp_path: Path) -> None:
    refusal = {"error": {"message": "only an administrator's key may", "code": "x"}}

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone")

    with (tmp_path / "file").open("wb") as file:
        with pytest.raises(CommandError, match="only an administrator's key"):
            client(httpx.Response(403, json=refusal), []).download("/x", {}, file)
        with pytest.raises(CommandError, match="broke off after 0 lines"):
            Client(URL, "sk-one", httpx.MockTransport(broken)).download("/x", {}, file)
