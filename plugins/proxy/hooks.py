"""Drives the stages' phases from LiteLLM's callbacks.

One callback, the conductor, names the model group of each try and follows the try. All that can be
decided before or after LiteLLM is driven by the door, which sees every endpoint, stream or not.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import httpx
from litellm.integrations.custom_logger import CustomLogger
from typing_extensions import override

from plugins.core.call import HOST_REFUSED, Attempt, Call
from plugins.core.stage import Stage
from plugins.proxy import calls

_OURS: Final = frozenset({"vllm"})
"""Providers that are servers of the operator's own."""
_SENT_AT: Final = "api_call_start_time"
GRACE_S: Final = 5.0
"""So much later than the door's limits come LiteLLM's, so that the door's say what happened."""


class PluginSwitch(CustomLogger):
    """A plugin as `proxy_config.yaml` names it under `callbacks`: a line there switches it on.

    Args:
        name: a stage of `assembly.py`.
        stage: the stage itself, for one that `assembly.py` does not know.
    """

    def __init__(self, name: str, stage: Stage | None = None) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - LiteLLM types it loosely
        self.name: Final = name
        self.stage: Final = stage


ChooseDeployment = Callable[[Call, Sequence[str]], str | None]
"""Chooses one of a group's deployments for a call's next attempt; None leaves it to LiteLLM."""


class Conductor(CustomLogger):
    """Sends each try to the model group that the door has chosen, and follows it.

    Args:
        stages: gives the stages that are on, in order.
        providers: provider of each deployment.
        practice: providers for which a practice server stands in.
        choose: chooses among the deployments of one group.
    """

    def __init__(
        self,
        stages: Callable[[], tuple[Stage, ...]],
        providers: Mapping[str, str],
        practice: frozenset[str],
        choose: ChooseDeployment = lambda _call, _deployments: None,
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - LiteLLM types it loosely
        self._choose: Final = choose
        self._practice: Final = practice
        self._stages: Final = stages
        self._providers: Final = providers

    @override
    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,
        cache: Any,
        data: dict[str, Any],
        call_type: Any,
    ) -> dict[str, Any]:
        """Name the model group that is tried."""
        call = calls.find(data)
        if call is not None and call.group is not None:
            data["model"] = call.group
        return data

    @override
    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: list[Any],
        messages: Any,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: Any = None,
    ) -> list[Any]:
        """Leave the one deployment that the attempt is to go to; asked anew for every attempt."""
        call = calls.find(request_kwargs or {})
        if call is None or len(healthy_deployments) < 2:
            return healthy_deployments
        by_id = {_id_of(deployment): deployment for deployment in healthy_deployments}
        chosen = self._choose(call, tuple(by_id))
        return healthy_deployments if chosen is None else [by_id[chosen]]

    @override
    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        """Note that a deployment is tried; LiteLLM calls this for every attempt, streams too."""
        call = calls.find(kwargs)
        if call is None:
            return None
        attempt = _attempt(kwargs, self._providers)
        for running in call.attempts:
            if running.deployment == attempt.deployment and running.ended_s is None:
                # /v1/messages runs this hook twice for one attempt
                return {**kwargs, **_traced(kwargs, call, running)}
        call.attempts.append(attempt)
        call.practice = attempt.provider in self._practice
        for stage in self._stages():
            await stage.attempt(call, attempt)
        # LiteLLM's own would give a connection as long as an answer. The door ends the rest.
        limits = call.time_limits
        connect_s = limits.connect_s
        timeout = httpx.Timeout(limits.longest_s + GRACE_S, connect=connect_s, pool=connect_s)
        return {**kwargs, "timeout": timeout, **_traced(kwargs, call, attempt)}

    @override
    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Note that the attempt failed; awaited before a fallback runs, so it must be instant."""
        call = calls.find(kwargs)
        attempt = call.attempts[-1] if call and call.attempts else None
        # What is heard late of an earlier try must not end this one.
        if call is None or attempt is None or _deployment(kwargs) not in {"", attempt.deployment}:
            return
        error: Any = kwargs.get("exception")
        attempt.retry_after_s = _retry_after_s(error)
        sent = kwargs.get(_SENT_AT) is not None
        error_class = type(error).__name__ if sent else HOST_REFUSED
        await self.end_attempt(call, error_class, getattr(error, "status_code", None))

    async def end_attempt(self, call: Call, error_class: str | None, status: object) -> None:
        """End the attempt that runs, once; the door calls this for the one that succeeded.

        Args:
            call: whose attempt.
            error_class: None for success.
            status: HTTP status of the provider, where it gave one.
        """
        attempt = call.attempts[-1] if call.attempts else None
        if attempt is None or attempt.ended_s is not None:
            return
        attempt.ended_s = time.monotonic()
        attempt.error_class = error_class
        attempt.status = status if isinstance(status, int) else None
        for stage in self._stages():
            await stage.attempt_ended(call, attempt)


def _traced(kwargs: Mapping[str, Any], call: Call, attempt: Attempt) -> dict[str, Any]:
    """Hand the trace on to our own servers; other providers have no use for it."""
    traceparent = attempt.traceparent or call.context.traceparent
    if traceparent is None or attempt.provider not in _OURS:
        return {}
    headers = cast("dict[str, str]", kwargs.get("extra_headers") or {})
    return {"extra_headers": {"traceparent": traceparent, **headers}}


def _retry_after_s(error: Any) -> float:
    """Read how long a provider asks to be left alone; 0 when it does not say so in seconds."""
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    stated = headers.get("retry-after", "") if headers is not None else ""
    return float(stated) if str(stated).isdecimal() else 0.0


def _id_of(deployment: Mapping[str, Any]) -> str:
    info = cast("dict[str, Any]", deployment.get("model_info") or {})
    return str(info.get("id") or "")


def _attempt(kwargs: Mapping[str, Any], providers: Mapping[str, str]) -> Attempt:
    metadata = cast(
        "dict[str, Any]", kwargs.get("metadata") or kwargs.get("litellm_metadata") or {}
    )
    info = kwargs.get("model_info") or metadata.get("model_info")
    deployment = str(cast("dict[str, Any]", info or {}).get("id") or "")
    return Attempt(
        deployment=deployment,
        provider=providers.get(deployment, ""),
        group=str(metadata.get("model_group") or ""),
        started_s=time.monotonic(),
    )


def _deployment(details: Mapping[str, Any]) -> str:
    """Read the deployment from what LiteLLM tells of a failed try; empty when it does not say."""
    params = cast("dict[str, Any]", details.get("litellm_params") or {})
    metadata: Any = params.get("metadata") or params.get("litellm_metadata") or {}
    info: Any = params.get("model_info") or metadata.get("model_info")
    return str(cast("dict[str, Any]", info or {}).get("id") or "")
