"""The one file that reaches into LiteLLM's application where it offers no hook.

`tests/gateway/test_host_contract.py` fails when LiteLLM or Starlette change what is used here.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from typing import Any, Final, cast

import litellm
import orjson
from litellm.exceptions import APIConnectionError
from litellm.litellm_core_utils.streaming_handler import (  # pyright: ignore[reportMissingTypeStubs]
    CustomStreamWrapper,
)
from litellm.llms.base_llm.base_model_iterator import (  # pyright: ignore[reportMissingTypeStubs]
    BaseModelResponseIterator,
)
from litellm.llms.openai import openai as openai_chat
from litellm.proxy import proxy_server
from litellm.proxy.hooks import PROXY_HOOKS

from plugins.core.call import Call, Endpoint
from plugins.core.clock import Clock
from plugins.core.identifiers import new_call_id
from plugins.core.tenant import Principal
from plugins.proxy import calls
from plugins.proxy.auth import SCOPE_KEY
from plugins.proxy.consumption import USAGE_BY_HOST
from plugins.proxy.delivery import Message
from plugins.proxy.inbound import forwarded
from plugins.proxy.tiers import App, Scope

_OK: Final = 200
_REPLACED_HOOKS: Final = (
    "parallel_request_limiter",
    "litellm_skills",
    "max_iterations_limiter",
    "max_budget_per_session_limiter",
    "sensitive_data_routing",
    "prompt_cache_prediction",
    "autorouter_baseline_cache",
)
_KEPT_MIDDLEWARE: Final = frozenset({"LazyFeatureMiddleware"})
"""It mounts routes such as /v1/messages at their first request."""
_OPTIONAL: Final = "litellm.integrations.otel.logger"

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
    app.user_middleware[:] = [m for m in app.user_middleware if _name(m.cls) in _KEPT_MIDDLEWARE]
    return app.build_middleware_stack()


def watch_streams() -> None:
    """Let a stream fail of which a chunk cannot be read, or that never said it was finished.

    LiteLLM leaves out an unreadable chunk of a self-hosted model's, and ends a stream that just
    stops (also after an unreadable chunk of Anthropic's) with a `stop` of its own making: part of
    an answer would pass for the whole. It also counts tokens where the provider states none, which
    is noted on the call.
    """
    finish: Final = CustomStreamWrapper.finish_reason_handler
    finalize: Final = CustomStreamWrapper._finalize_completed_stream  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    parse: Final = BaseModelResponseIterator._string_to_dict_parser  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]

    def checked(self: CustomStreamWrapper) -> Any:
        if self.received_finish_reason is None and self.intermittent_finish_reason is None:
            raise APIConnectionError(
                message="the stream ended without a finish reason",
                llm_provider=self.custom_llm_provider or "",
                model="",
            )
        return finish(self)

    async def finalized(self: CustomStreamWrapper, cache_hit: bool) -> Any:
        chunks = cast("list[Any]", self.chunks)  # pyright: ignore[reportUnknownMemberType]
        call = calls.find({calls.CALL_ID: self.logging_obj.litellm_call_id})
        if call is not None and not any(getattr(chunk, "usage", None) for chunk in chunks):
            call.notes[USAGE_BY_HOST] = True
        return await finalize(self, cache_hit=cache_hit)

    def parsed(str_line: str) -> Any:
        chunk: Any = cast("Any", parse(str_line))
        if chunk is None and str_line.startswith("data:") and str_line[5:].strip() != "[DONE]":
            raise ValueError("a chunk of the stream cannot be read")
        return chunk

    CustomStreamWrapper.finish_reason_handler = checked
    CustomStreamWrapper._finalize_completed_stream = finalized  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    BaseModelResponseIterator._string_to_dict_parser = staticmethod(parsed)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def forbid_hidden_retries() -> None:
    """Let a failed try fail at once, so that it is the breaker's and the tiers' to see.

    LiteLLM reads a `max_retries` of 0 as unset for embeddings, and OpenAI's client then asks a
    failing provider twice more, half a second and a second later. Where it is a default argument,
    only the environment reaches it (`DEFAULT_MAX_RETRIES`, for moderations). A chat that is refused
    with 422 is sent again with fewer parameters, and then comes to nothing instead of that 422:
    an error of LiteLLM's own that would count against the provider.
    """
    litellm.DEFAULT_MAX_RETRIES = 0  # pyright: ignore[reportPrivateImportUsage]

    def refused(e: Exception, data: object) -> None:
        raise e

    openai_chat.drop_params_from_unprocessable_entity_error = refused  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]


def leave_out_own_traces() -> None:
    """Keep LiteLLM from tracing by itself: ours are the spans, and one exporter is enough.

    LiteLLM tries the import in every call and takes its absence for an answer (2 us).
    """
    sys.modules[_OPTIONAL] = None  # pyright: ignore[reportArgumentType] - Python's own mark


def settle_memory() -> None:
    """Take what has been loaded out of the garbage collector's sight.

    Searching LiteLLM's 700,000 objects stops a worker for 0.3 s each time, in the middle of calls.
    """
    gc.collect()
    gc.freeze()


def put_before(door: App) -> None:
    """Let every request pass the door; by now Starlette refuses `add_middleware`."""
    if app.middleware_stack is None:
        raise RuntimeError("LiteLLM's application has no middleware stack to wrap at start-up")
    app.middleware_stack = door


def at_shutdown(work: Callable[[], object]) -> None:
    """Run something when the worker stops, in a thread, before LiteLLM's own last acts.

    LiteLLM has no hook for it, and a worker's tasks are not cancelled: uvicorn raises the signal
    again while they still run.
    """
    server: Final = cast("Any", proxy_server)
    theirs: Final = server.proxy_shutdown_event

    async def ours(*args: Any, **kwargs: Any) -> None:
        try:
            await asyncio.to_thread(work)
        except Exception:  # noqa: BLE001 - LiteLLM's own end must come all the same
            _log.exception("the worker's last work failed")
        await theirs(*args, **kwargs)

    server.proxy_shutdown_event = ours


async def until_loaded() -> None:
    """Wait until LiteLLM has read its models; it does so after the start-up hooks."""
    while cast("Any", proxy_server).llm_router is None:  # noqa: ASYNC110 - LiteLLM has no event
        await asyncio.sleep(0.05)


async def warm_up(application: App, group: str, clock: Clock) -> None:
    """Take calls through LiteLLM without a provider, so that the first client finds it warm.

    Args:
        application: LiteLLM's.
        group: a chat model group.
        clock: for the calls' times.
    """
    message = {"role": "user", "content": "x"}
    for path, endpoint, body in (
        ("/v1/chat/completions", Endpoint.CHAT, {"messages": [message]}),
        ("/v1/messages", Endpoint.MESSAGES, {"messages": [message], "max_tokens": 1}),
        ("/v1/responses", Endpoint.RESPONSES, {"input": "x"}),
    ):
        call = Call(
            id=new_call_id(),
            endpoint=endpoint,
            principal=Principal("warm-up", "warm-up"),
            model_asked=group,
            body={},
            started_at=clock.now(),
            started_s=clock.monotonic_s(),
        )
        raw = orjson.dumps({"model": group, "mock_response": "x", **body})
        # Not among the calls in flight: no stage is to count a try that no provider will see.
        status = await _answered(application, path, raw, call)
        if status != _OK:
            _log.warning("the warm-up call to %s was answered %s", path, status)


async def _answered(application: App, path: str, raw: bytes, call: Call) -> int:
    """Take one request through LiteLLM inside this process; gives the status of the answer."""
    status = 0
    pending: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = forwarded([], call.id, len(raw))
    await application({**inner_scope(path), "headers": headers, SCOPE_KEY: call}, receive, send)
    return status


def inner_scope(path: str) -> Scope:
    """Give the scope of a request that begins inside this process."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "app": app,
    }


def _name(cls: object) -> str:
    return str(getattr(cls, "__name__", ""))
