"""The one file that reaches into LiteLLM's application where it offers no hook.

`tests/gateway/test_host_contract.py` fails when LiteLLM or Starlette change what is used here.
"""

import asyncio
import logging
from typing import Any, Final, cast

from litellm.proxy import proxy_server
from litellm.proxy.hooks import PROXY_HOOKS

from plugins.core.call import Call, Endpoint
from plugins.core.clock import Clock
from plugins.core.identifiers import new_call_id
from plugins.core.tenant import Principal
from plugins.proxy import calls
from plugins.proxy.auth import SCOPE_KEY
from plugins.proxy.door import App
from plugins.proxy.inbound import forwarded

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
app: Final = proxy_server.app


def lean_application() -> App:
    """Give LiteLLM's application without the parts that the door stands in for.

    Its limiter, budget and session hooks and its middleware (CORS, compression, security headers,
    budget release) cost a tenth of a call's processor time and would decide a second time, per
    worker, what the gateway has decided.
    """
    for name in _REPLACED_HOOKS:
        PROXY_HOOKS.pop(name, None)
    app.user_middleware.clear()
    return app.build_middleware_stack()


def put_before(door: App) -> None:
    """Let every request pass the door; by now Starlette refuses `add_middleware`."""
    if app.middleware_stack is None:
        raise RuntimeError("LiteLLM's application has no middleware stack to wrap at start-up")
    app.middleware_stack = door


async def until_loaded() -> None:
    """Wait until LiteLLM has read its models; it does so after the start-up hooks."""
    while cast("Any", proxy_server).llm_router is None:
        await asyncio.sleep(0.05)


async def warm_up(application: App, group: str, clock: Clock) -> None:
    """Take one call through LiteLLM without a provider, so that the first client finds it warm.

    Args:
        application: LiteLLM's.
        group: a chat model group.
        clock: for the call's times.
    """
    raw = b'{"model":"%s","messages":[{"role":"user","content":"x"}],"mock_response":"x"}'
    body = raw % group.encode()
    call = Call(
        id=new_call_id(),
        endpoint=Endpoint.CHAT,
        principal=Principal("warm-up", "warm-up"),
        model_asked=group,
        body={},
        started_at=clock.now(),
        started_s=clock.monotonic_s(),
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
        await application(scope, receive, send)
    finally:
        calls.leave(call)
