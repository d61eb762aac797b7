"""A small client for the gateway's routes under `/sluice/`, and the options that find it.

The key comes from `SLUICE_ADMIN_KEY` or a file, never as an argument: arguments show in `ps`.
"""

import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import quote, urlsplit

import typer

from plugins.cli.output import CommandError

if TYPE_CHECKING:
    from typing import BinaryIO

    import httpx

DEFAULT_URL: Final = "http://127.0.0.1:4000"
KEY_VARIABLE: Final = "SLUICE_ADMIN_KEY"
TIMEOUT_S: Final = 30.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Url = Annotated[str, typer.Option("--url", envvar="SLUICE_URL", help="The gateway's address.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help=f"File with the key, in place of ${KEY_VARIABLE}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for a program.")]


class Client:
    """Asks one gateway with one key.

    Args:
        url: its address, `http://host:port`.
        key: an administrator's; a tenant's key sees its own things.
        transport: what carries the requests; a test's own, or None for the network.

    Raises:
        CommandError: when the address or the key cannot be one.
    """

    def __init__(self, url: str, key: str, transport: "httpx.BaseTransport | None" = None) -> None:
        self._url: Final = checked_url(url)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise CommandError(f"the key in {KEY_VARIABLE} or --key-file holds stray characters")
        self._key: Final = key
        self._transport: Final = transport

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read something."""
        return self._ask("GET", path, params=params)

    def download(self, path: str, params: Mapping[str, Any], to: "BinaryIO") -> int:
        """Write what is read into a file as it comes; gives the number of lines.

        Raises:
            CommandError: when the gateway refuses, or breaks off.
        """
        import httpx

        lines = 0
        try:
            with (
                self._client() as client,
                client.stream("GET", self._url + path, params=params) as answer,
            ):
                if not answer.is_success:
                    read_answer(self._url, answer.status_code, answer.read())
                for piece in answer.iter_bytes():
                    lines += piece.count(b"\n")
                    to.write(piece)
        except httpx.HTTPError as error:
            raise CommandError(
                f"{self._url} broke off after {lines} lines ({_cause(error)}): what was written is"
                " not whole; run it again"
            ) from error
        return lines

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make or do something."""
        return self._ask("POST", path, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something."""
        return self._ask("PATCH", path, json=body)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        import httpx

        try:
            with self._client() as client:
                answer = client.request(method, self._url + path, **options)
        except httpx.HTTPError as error:
            raise CommandError(
                f"no gateway answers at {self._url} ({_cause(error)}): start one with `sluice up`,"
                " or name yours with SLUICE_URL or --url"
            ) from error
        return read_answer(self._url, answer.status_code, answer.content)

    def _client(self) -> "httpx.Client":
        import httpx

        return httpx.Client(
            transport=self._transport,
            headers={"authorization": f"Bearer {self._key}"},
            timeout=TIMEOUT_S,
            trust_env=urlsplit(self._url).hostname not in LOOPBACK,
        )


def connect(url: str, key_file: Path | None) -> Client:
    """Make the client that the options and the environment describe.

    Raises:
        CommandError: when there is no key, or address or key cannot be one.
    """
    return Client(url, find_key(key_file, os.environ))


def find_key(key_file: Path | None, environ: Mapping[str, str]) -> str:
    """Read the key from the file, else from the environment.

    Raises:
        CommandError: when there is none.
    """
    if key_file is None:
        key = environ.get(KEY_VARIABLE, "").strip()
        if not key:
            raise CommandError(
                f"no key: export {KEY_VARIABLE}=<an administrator's key>, or name a file that"
                " holds it with --key-file; `sluice keys new-admin` makes one if yours is lost"
            )
        return key
    try:
        key = key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "is no text"
        raise CommandError(f"--key-file {key_file}: {cause}") from error
    if not key:
        raise CommandError(f"--key-file {key_file}: is empty")
    return key


def checked_url(url: str) -> str:
    """Give a gateway's address without a slash at the end.

    Raises:
        CommandError: when it is none; what may be a password in it is not shown.
    """
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound, parts = False, urlsplit("")
    if not sound or parts.username or parts.query or parts.fragment:
        raise CommandError(f"SLUICE_URL or --url is no address: write it like {DEFAULT_URL}")
    return url.strip().rstrip("/")


def segment(text: str) -> str:
    """Quote one segment of a path."""
    return quote(text, safe="")


def read_answer(url: str, status: int, body: bytes) -> Any:
    """Give what a gateway answered; None for an empty answer.

    Args:
        url: which gateway.
        status: HTTP status.
        body: JSON, or nothing.

    Raises:
        CommandError: with the gateway's own message and code when it refused.
    """
    import json

    try:
        answer: Any = json.loads(body) if body else None
    except ValueError:
        answer = ...
    if 200 <= status < 300 and answer is not ...:
        return answer
    refusal: object = cast("dict[str, Any]", answer).get("error") if type(answer) is dict else None
    if not isinstance(refusal, dict):
        raise CommandError(
            f"{url} answers {status}, but not as a Sluice gateway does: correct SLUICE_URL or --url"
        )
    told = cast("dict[str, Any]", refusal)
    message = str(told.get("message") or f"HTTP {status}")
    code = str(told.get("code") or "") or None
    if status == HTTPStatus.UNAUTHORIZED or code == "admin_key_required":
        message += f"; the key came from {KEY_VARIABLE} or --key-file"
    raise CommandError(message, code)


def _cause(error: Exception) -> str:
    """Name the reason in a few words."""
    text = str(error).partition("\n")[0]
    return text if text and len(text) < 100 else type(error).__name__
