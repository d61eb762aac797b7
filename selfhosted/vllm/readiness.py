"""Asks a running vLLM whether it serves, and makes the first calls in place of a client."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx

from selfhosted.vllm.manifest import Manifest

HEALTH_LIMIT_S: Final = 1.0
WARM_UP_LIMIT_S: Final = 300.0
"""The first call compiles: 11 s for a model of two layers on two cores."""
RETRY_S: Final = 2.0
_ANSWER: Final = {
    "type": "object",
    "properties": {"fit": {"type": "boolean"}},
    "required": ["fit"],
    "additionalProperties": False,
}
_MESSAGES: Final = [{"role": "user", "content": "warm-up"}]


class NotReadyError(Exception):
    """A server answers its health check and not the calls that clients make."""


def healthy(address: str) -> bool:
    """Tell whether a server's engine lives; takes a second at most."""
    try:
        answer = httpx.get(f"{address}/health", timeout=HEALTH_LIMIT_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def served(address: str, key: str | None) -> list[str]:
    """Name the models that a server has, or nothing when it does not say."""
    try:
        answer = httpx.get(
            f"{address}/v1/models", headers=bearer(key), timeout=HEALTH_LIMIT_S, trust_env=False
        )
        return [str(model["id"]) for model in answer.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return []


def bearer(key: str | None) -> dict[str, str]:
    """Give the header that carries a key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def warm_up_calls(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the calls that find everything cold: path and body.

    A plain answer compiles the model's kernels, a schema the structured-output engine, a forced
    tool call the grammar of the tool parser.
    """
    if manifest.task == "embed":
        yield "/v1/embeddings", {"model": manifest.group, "input": "warm-up"}
        return
    chat = {"model": manifest.group, "messages": _MESSAGES, "max_tokens": 64, "temperature": 0}
    yield "/v1/chat/completions", chat
    schema = {"type": "json_schema", "json_schema": {"name": "warm_up", "schema": _ANSWER}}
    yield "/v1/chat/completions", {**chat, "response_format": schema}
    if manifest.tools is not None:
        function = {"name": "warm_up", "parameters": _ANSWER}
        chosen = {"type": "function", "function": {"name": "warm_up"}}
        tools = [{"type": "function", "function": function}]
        yield "/v1/chat/completions", {**chat, "tools": tools, "tool_choice": chosen}


def warm_up(address: str, manifest: Manifest, key: str | None) -> float:
    """Make the first calls of each kind.

    Returns:
        Seconds that they took.

    Raises:
        NotReadyError: when one is not answered with 200; says which and why.
    """
    started_s = time.monotonic()
    with httpx.Client(base_url=address, timeout=WARM_UP_LIMIT_S, trust_env=False) as client:
        for path, body in warm_up_calls(manifest):
            try:
                answer = client.post(path, json=body, headers=bearer(key))
            except httpx.HTTPError as error:
                raise NotReadyError(f"{path}: {type(error).__name__}") from error
            if answer.status_code != 200:
                kind = body.get("response_format", {}).get("type") or (
                    "tools" if "tools" in body else "plain"
                )
                raise NotReadyError(f"{path} ({kind}): {answer.status_code} {answer.text[:300]}")
    return time.monotonic() - started_s


class Readiness:
    """Tells whether one server is up and warm; warms each new process once, in a thread.

    Args:
        address: of the server.
        check: tells whether it is healthy.
        warm: makes the first calls; gives their seconds or raises `NotReadyError`.
        say: takes one line for the operator.
        name: what the operator knows the server by.
    """

    def __init__(
        self,
        address: str,
        *,
        check: Callable[[str], bool],
        warm: Callable[[], float],
        say: Callable[[str], None],
        name: str,
    ) -> None:
        self._address: Final = address
        self._check: Final = check
        self._warm: Final = warm
        self._say: Final = say
        self._name: Final = name
        self._is_warm = False
        self._thread: threading.Thread | None = None
        self._said = ""

    def __call__(self) -> bool:
        """Tell whether clients find it up and warm; takes a second at most."""
        if not self._check(self._address):
            self._is_warm = False
            return False
        if not self._is_warm and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._try, daemon=True)
            self._thread.start()
        return self._is_warm

    def forget(self) -> None:
        """Take the process for a new one: it is to be warmed again."""
        self._is_warm = False

    def _try(self) -> None:
        try:
            took_s = self._warm()
        except NotReadyError as error:
            if str(error) != self._said:
                self._said = str(error)
                self._say(f"{self._name} is up and does not answer as it should: {error}")
            time.sleep(RETRY_S)
            return
        self._said = ""
        self._is_warm = True
        self._say(f"{self._name} is warm after {took_s:.1f} s")


def variables_key(environ: Mapping[str, str]) -> str | None:
    """Give the key that vLLM asks its clients for, from the environment; None for none."""
    return environ.get("VLLM_API_KEY", "").strip() or None
