"""Installs the gateway in a LiteLLM worker.

LiteLLM runs `install` (`LITELLM_WORKER_STARTUP_HOOKS=plugins.proxy.startup:install`) in every
worker's lifespan, before it loads its configuration. This file is the only one that reaches into
LiteLLM's application: it wraps `app.middleware_stack`, because by then Starlette refuses
`add_middleware`. `tests/gateway/test_host_contract.py` fails when LiteLLM or Starlette change that.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

import litellm
from litellm.proxy.hooks import PROXY_HOOKS
from litellm.proxy.proxy_server import app

from plugins.assembly import STAGES, Parts, build
from plugins.core.call import Call, Endpoint
from plugins.core.identifiers import new_call_id
from plugins.core.stage import Stage
from plugins.core.tenant import Principal
from plugins.proxy import calls
from plugins.proxy.api import build_api
from plugins.proxy.auth import SCOPE_KEY
from plugins.proxy.door import App, Door
from plugins.proxy.hooks import Conductor, PluginSwitch, StageGuardrail
from plugins.proxy.inbound import forwarded
from plugins.proxy.prices import lifecycle_notes, price_list, prices_of
from plugins.settings import DEFAULT_CONFIG, environment, load

DATABASE_WAIT_S: Final = 60.0
_REPLACED_HOOKS: Final = (
    "parallel_request_limiter",
    "litellm_skills",
    "max_iterations_limiter",
    "max_budget_per_session_limiter",
    "sensitive_data_routing",
    "prompt_cache_prediction",
    "autorouter_baseline_cache",
)

_log: Final = logging.getLogger("sluice")
_tasks: Final[list[asyncio.Task[Any]]] = []


async def install() -> None:
    """Build the gateway's parts, put the door before LiteLLM, and start the worker's loops.

    Raises:
        ConfigurationError: with every fault; the worker does not start.
        OSError: when the database does not answer within a minute.
    """
    configuration = load(os.environ.get("SLUICE_CONFIG", DEFAULT_CONFIG))
    listed = price_list()
    parts = build(configuration, environment(), prices_of(configuration, listed))
    for note in lifecycle_notes(configuration, listed, datetime.now(UTC).date()):
        _log.warning("%s", note)
    await _until_answered(parts.directory.warm)
    # Otherwise counting a Llama's tokens tries a model hub for 23 s each time.
    litellm.disable_hf_tokenizer_download = True
    plugged = PluggedIn(parts)
    providers = {name: d.provider for name, d in configuration.deployments.items()}
    practice = parts.environment.practice
    conductor = Conductor(plugged.stages, plugged.guarded, providers, practice)
    litellm.logging_callback_manager.add_litellm_callback(conductor)  # pyright: ignore[reportUnknownMemberType]
    host = _lean_host()
    door = Door(
        host=host,
        own=cast("App", build_api(parts)),
        directory=parts.directory,
        catalogue=parts.catalogue,
        stages=plugged.stages,
        end_attempt=conductor.end_attempt,
        limits=configuration.policy.limits,
        clock=parts.clock,
    )
    app.middleware_stack = door
    _tasks.extend(
        asyncio.create_task(work)
        for work in (parts.directory.run(), parts.drain.run(), _open(door, host, parts))
    )


def _lean_host() -> App:
    """Give LiteLLM's application without the parts that the door stands in for.

    Its limiter, budget and session hooks and its middleware (CORS, compression, security headers,
    budget release) cost a tenth of a call's processor time and would decide a second time, per
    worker, what the gateway has decided.
    """
    for name in _REPLACED_HOOKS:
        PROXY_HOOKS.pop(name, None)
    app.user_middleware.clear()
    return cast("App", app.build_middleware_stack())


class PluggedIn:
    """The stages that `proxy_config.yaml` switches on, in the order of `assembly.STAGES`.

    LiteLLM loads its configuration after the start-up hook, so this looks at first use.

    Args:
        parts: what the stages are made of.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts: Final = parts
        self._stages: tuple[Stage, ...] | None = None
        self._guarded: frozenset[str] = frozenset()

    def stages(self) -> tuple[Stage, ...]:
        """Give the stages, in order; those that `assembly` does not know come last."""
        if self._stages is None:
            plugged: list[Any] = [
                c
                for c in litellm.callbacks  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
                if isinstance(c, PluginSwitch | StageGuardrail)
            ]
            named = {plugin.name: plugin.stage for plugin in plugged}
            known = [make(self._parts) for name, make in STAGES.items() if name in named]
            extra = [stage for name, stage in named.items() if name not in STAGES and stage]
            self._guarded = frozenset(p.name for p in plugged if isinstance(p, StageGuardrail))
            self._stages = (*known, *extra)
        return self._stages

    def guarded(self) -> frozenset[str]:
        """Give the names of the stages whose `check_input` a LiteLLM guardrail drives."""
        self.stages()
        return self._guarded


async def _until_answered(work: Callable[[], Awaitable[None]]) -> None:
    """Try until the database answers: at start-up it may still be coming up."""
    deadline_s = time.monotonic() + DATABASE_WAIT_S
    while True:
        try:
            return await work()
        except Exception:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.2)


async def _open(door: Door, host: App, parts: Parts) -> None:
    """Run one call through LiteLLM without a provider, so that the first client finds it warm."""
    while litellm.proxy.proxy_server.llm_router is None:  # pyright: ignore
        await asyncio.sleep(0.05)
    try:
        await asyncio.wait_for(_warm_up(host, parts), timeout=30)
    except Exception:
        _log.exception("warm-up failed; the first call will be slow")
    door.ready = True


async def _warm_up(host: App, parts: Parts) -> None:
    group = next(iter(parts.catalogue.modes))
    raw = b'{"model":"%s","messages":[{"role":"user","content":"x"}],"mock_response":"x"}'
    body = raw % group.encode()
    call = Call(
        id=new_call_id(),
        endpoint=Endpoint.CHAT,
        principal=Principal("warm-up", "warm-up"),
        model_asked=group,
        body={},
        started_at=parts.clock.now(),
        started_s=parts.clock.monotonic_s(),
    )
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            _log.warning("the warm-up call was answered %s", message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"content-type", b"application/json"),
            *forwarded([], call.id, len(body)),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "app": app,
        SCOPE_KEY: call,
    }
    calls.enter(call)
    try:
        await host(scope, receive, send)
    finally:
        calls.leave(call)
