"""What `plugins/proxy/host.py` and the hooks rely on inside LiteLLM and Starlette.

When one of these fails after an upgrade, read `host.py` again before anything else.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

_SCRIPT = """
import asyncio, inspect, json, warnings
from inspect import getsource as source
warnings.simplefilter("ignore")
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.llms.base_llm.base_model_iterator import BaseModelResponseIterator
from litellm.proxy import proxy_server
from litellm.proxy.hooks import PROXY_HOOKS
from litellm.llms.openai import openai as openai_chat
import litellm
from plugins.core.stage import Stage
from plugins.proxy import host
from plugins.proxy.guardrails import guardrail_class
from plugins.proxy.hooks import Conductor, PluginSwitch
before = [m.cls.__name__ for m in proxy_server.app.user_middleware]
hooks = sorted(PROXY_HOOKS)
def names(member): return list(inspect.signature(member).parameters)
facts = {
    "version": __import__("importlib.metadata").metadata.version("litellm"),
    "middleware": before,
    "hooks": hooks,
    "stack_is_settable": hasattr(proxy_server.app, "middleware_stack"),
    "router": hasattr(proxy_server, "llm_router"),
    "shutdown": "await proxy_shutdown_event(" in source(proxy_server.proxy_startup_event),
    "startup": "LITELLM_WORKER_STARTUP_HOOKS" in source(proxy_server.proxy_startup_event),
    "leaves": [
        "async_pre_call_hook" in vars(Conductor),
        "async_pre_call_deployment_hook" in vars(Conductor),
        "async_pre_call_hook" in vars(guardrail_class("any")),
    ],
    "gate_switches": names(CustomGuardrail.should_run_guardrail),
    "told": names(CustomGuardrail.add_standard_logging_guardrail_information_to_request_data),
    "take_out": names(litellm.logging_callback_manager.remove_callback_from_all_lists),
    "pre_call": names(CustomLogger.async_pre_call_hook),
    "deployment": names(CustomLogger.async_pre_call_deployment_hook),
    "failure": names(CustomLogger.async_log_failure_event),
    "finish": names(CustomStreamWrapper.finish_reason_handler),
    "finalize": names(CustomStreamWrapper._finalize_completed_stream),
    "iterator": names(BaseModelResponseIterator._string_to_dict_parser),
    "sent": source(Logging._pre_call) + source(Logging.pre_call),
    "wrapper": source(CustomStreamWrapper.__init__),
    "retries": litellm.DEFAULT_MAX_RETRIES,
    "embedding": source(openai_chat.OpenAIChatCompletion.embedding),
    "drop": names(openai_chat.drop_params_from_unprocessable_entity_error),
    "price": litellm.model_cost["gpt-4o"]["input_cost_per_token"],
}
def listening():
    lists = [each for each in vars(litellm).values() if isinstance(each, list)]
    return sum(isinstance(callback, PluginSwitch) for each in lists for callback in each)
litellm.logging_callback_manager.add_litellm_callback(PluginSwitch("x"))
asked = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "x"}]}
asyncio.run(litellm.acompletion(**asked, mock_response="x"))
facts["switches"] = [listening(), host.forget_callbacks(PluginSwitch), listening()]
host.leave_out_own_traces()
from litellm import _service_logger
from litellm.integrations.otel import runtime
with runtime.phase_span("route") as span:
    facts["own_span"] = span is not None
facts["own_logger"] = _service_logger._get_otel_v2_class() is not None
host.lean_application()
facts["kept_middleware"] = [m.cls.__name__ for m in proxy_server.app.user_middleware]
facts["kept_hooks"] = sorted(PROXY_HOOKS)
print(json.dumps(facts))
"""

_OWN_SPANS = """
import asyncio, json, warnings
warnings.simplefilter("ignore")
from opentelemetry import trace
from opentelemetry.context import attach
from litellm.integrations.otel import runtime
from litellm.integrations.otel.plumbing.context import request_root_span
from litellm.proxy import proxy_server
import litellm
from plugins.core.trace import TraceContext
from plugins.proxy.host_spans import PassLogger, record_host_spans
from plugins.tracing.host_spans import HostSpans, beneath
from plugins.tracing.spans import Span
spans = HostSpans(None)
record_host_spans(spans)
call, one = TraceContext("a" * 32, "b" * 16), "c" * 16
attach(beneath(call, one))
logger = proxy_server.open_telemetry_logger
root = logger.create_litellm_proxy_request_started_span(None, {})
with runtime.phase_span("route"):
    anchored = request_root_span() is root
lists = (litellm.input_callback, litellm._async_success_callback, litellm._async_failure_callback)
kept = spans.decide([one], [Span("host", "a" * 32, one, "b" * 16, 0, 2**62)])
print(json.dumps({
    "logger": type(logger) is PassLogger,
    "lists": [any(isinstance(each, PassLogger) for each in several) for several in lists],
    "spans": [[span.name, span.parent_id] for span in kept],
    "anchored": anchored,
    "global": type(trace.get_tracer_provider()).__module__,
    "middleware": [m.cls.__name__ for m in proxy_server.app.user_middleware],
}))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, object]:
    return _facts(_SCRIPT)


def _facts(script: str) -> dict[str, object]:
    """Importing LiteLLM takes seconds and warns; a process of its own keeps that out of here."""
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_plugins_switches_are_in_no_list_of_litellms_once_they_are_forgotten(
    facts: dict[str, object],
) -> None:
    assert facts["switches"] == [6, None, 0]


def test_the_release_is_the_one_that_was_tried(facts: dict[str, object]) -> None:
    assert facts["version"] == "1.106.2"


def test_the_application_can_be_wrapped_at_start_up(facts: dict[str, object]) -> None:
    assert facts["stack_is_settable"]
    assert facts["router"]
    assert facts["startup"]
    assert facts["shutdown"]


def test_a_guardrail_can_be_asked_whether_it_runs_told_of_and_taken_out(
    facts: dict[str, Any],
) -> None:
    assert facts["gate_switches"] == ["self", "data", "event_type"]
    assert facts["take_out"] == ["obj", "require_self"]
    assert {"guardrail_json_response", "request_data", "guardrail_status"} < set(facts["told"])


def test_the_lazy_routes_stay_and_the_rest_of_the_middleware_goes(
    facts: dict[str, object],
) -> None:
    assert "LazyFeatureMiddleware" in str(facts["middleware"])
    assert facts["kept_middleware"] == ["LazyFeatureMiddleware"]


def test_the_hooks_that_decide_twice_exist_and_go(facts: dict[str, object]) -> None:
    assert set(facts["hooks"]) - set(facts["kept_hooks"]) == {  # type: ignore[call-overload]
        "parallel_request_limiter",
        "litellm_skills",
        "max_iterations_limiter",
        "max_budget_per_session_limiter",
        "sensitive_data_routing",
        "prompt_cache_prediction",
        "autorouter_baseline_cache",
    }


def test_the_hooks_take_the_parameters_that_ours_name(facts: dict[str, object]) -> None:
    assert facts["pre_call"] == ["self", "user_api_key_dict", "cache", "data", "call_type"]
    assert facts["deployment"] == ["self", "kwargs", "call_type"]
    assert facts["failure"] == ["self", "kwargs", "response_obj", "start_time", "end_time"]


def test_a_stream_tells_whether_its_provider_finished_it(facts: dict[str, object]) -> None:
    assert facts["finish"] == ["self"]
    assert facts["finalize"] == ["self", "cache_hit"]
    assert facts["iterator"] == ["str_line"]
    for attribute in ("received_finish_reason", "intermittent_finish_reason"):
        assert f"self.{attribute}" in str(facts["wrapper"])


def test_a_failed_try_tells_whether_anything_was_sent(facts: dict[str, object]) -> None:
    assert '"api_call_start_time"' in str(facts["sent"])


def test_hidden_retries_are_where_they_can_be_forbidden(facts: dict[str, object]) -> None:
    assert facts["retries"] == 2
    assert "litellm.DEFAULT_MAX_RETRIES" in str(facts["embedding"])
    assert facts["drop"] == ["e", "data"]


def test_litellm_traces_nothing_by_itself(facts: dict[str, object]) -> None:
    assert not facts["own_span"]
    assert not facts["own_logger"]


def test_litellm_traces_below_a_pass_when_asked_to_and_leaves_the_process_alone() -> None:
    facts = _facts(_OWN_SPANS)
    assert facts["logger"]
    assert facts["lists"] == [True, True, True]
    assert facts["spans"] == [["litellm route", "c" * 16]]
    assert facts["anchored"]
    assert facts["global"] == "opentelemetry.trace"
    assert "OpenTelemetryMiddleware" not in str(facts["middleware"])


def test_the_price_list_states_dollars_per_token(facts: dict[str, object]) -> None:
    assert facts["price"] == 2.5e-06


def test_our_hooks_are_in_the_leaf_class_where_litellm_looks(facts: dict[str, object]) -> None:
    """LiteLLM reads `vars()` of the leaf class; an inherited hook is silently skipped."""
    assert facts["leaves"] == [True, True, True]
