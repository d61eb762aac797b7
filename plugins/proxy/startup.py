"""Installs the gateway in a LiteLLM worker.

LiteLLM runs `install` (`LITELLM_WORKER_STARTUP_HOOKS=plugins.proxy.startup:install`) in every
worker's lifespan, before it loads its configuration.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

import litellm

from plugins.assembly import STAGES, Parts
from plugins.building import build
from plugins.core.call import Call
from plugins.core.errors import GatewayError
from plugins.core.stage import Stage
from plugins.proxy import host
from plugins.proxy.api import build_api
from plugins.proxy.asking import GatewayAsker
from plugins.proxy.counting import exact_tokens
from plugins.proxy.door import Door
from plugins.proxy.guardrails import Gates, Serving, take_over
from plugins.proxy.hooks import Conductor, PluginSwitch
from plugins.proxy.metrics_page import MetricsPage
from plugins.proxy.prices import abilities_of, lifecycle_notes, price_list, prices_of
from plugins.proxy.quiet import quieten
from plugins.proxy.tiers import App
from plugins.replicas.stage import ReplicasStage
from plugins.settings import DEFAULT_CONFIG, NOTICES, environment, load

DATABASE_WAIT_S: Final = 60.0
WARM_UP_LIMIT_S: Final = 30.0

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
    parts = build(
        configuration,
        environment(),
        prices_of(configuration, listed),
        abilities_of(configuration, listed),
        exact_tokens,
    )
    today = datetime.now(UTC).date()
    notices = [note.text for note in lifecycle_notes(configuration, listed, today)]
    for notice in notices:
        _log.warning("%s", notice)
    # `sluice up` shows them: the list of prices and dates is read here, not there.
    (parts.environment.data_dir / NOTICES).write_text("\n".join(notices), encoding="utf-8")
    await _until_answered(parts.directory.warm)
    # Otherwise counting a Llama's tokens tries a model hub for 23 s each time.
    litellm.disable_hf_tokenizer_download = True
    plugged = PluggedIn(parts)
    providers = {name: d.provider for name, d in configuration.deployments.items()}
    practice = parts.environment.practice
    conductor = Conductor(plugged.stages, providers, practice, plugged.choose)
    litellm.logging_callback_manager.add_litellm_callback(conductor)  # pyright: ignore[reportUnknownMemberType]
    below = _host_spans(parts)
    host.forbid_hidden_retries()
    quieten()
    application = host.lean_application()
    host.watch_streams()
    door = Door(
        host=below(application),
        own=cast("App", build_api(parts)),
        metrics=MetricsPage(
            parts.metrics_folder, parts.environment.metrics_token, parts.directory.authenticate
        ),
        directory=parts.directory,
        catalogue=parts.catalogue,
        serving=plugged.serving,
        end_attempt=conductor.end_attempt,
        limits=configuration.policy.limits,
        time_limits=configuration.time_limits,
        refused=parts.count_refusal,
        clock=parts.clock,
    )
    parts.asker.bind(GatewayAsker(door.answer, host.inner_scope, parts.clock))
    host.put_before(door)
    host.at_shutdown(parts.telemetry.close)
    _tasks.extend(
        asyncio.create_task(work)
        for work in (
            parts.directory.run(),
            parts.drain.run(),
            parts.circuits.run(),
            parts.sharing.run(),
            parts.scraper.run(),
            parts.alerts.run(),
            parts.sampler.run(),
            parts.poller.run(),
            parts.limiter.run(),
            *([parts.telemetry.traces.run()] if parts.telemetry.traces else []),
            parts.retention.run(),
            parts.review_work.run(),
            parts.deliveries.run(),
            parts.review_retention.run(),
            _open(door, application, parts, plugged),
        )
    )


def _host_spans(parts: Parts) -> Callable[[App], App]:
    """Switch LiteLLM's own spans on or off; gives what puts them below each pass."""
    if parts.host_spans is None:
        host.leave_out_own_traces()
        return lambda application: application
    from plugins.proxy.host_spans import below_passes, record_host_spans

    record_host_spans(parts.host_spans)
    return below_passes


class PluggedIn:
    """The stages that `proxy_config.yaml` switches on, in the order of `assembly.STAGES`.

    LiteLLM loads its configuration after the start-up hook, so this looks at first use.

    Args:
        parts: what the stages are made of.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts: Final = parts
        self._gates: Gates | None = None

    def stages(self) -> tuple[Stage, ...]:
        """Give the stages, in order; those that `assembly` does not know follow, then the last."""
        return self._plugged().stages

    def serving(self, body: Mapping[str, Any]) -> Serving:
        """Give the stages that serve a request; see `Gates.serving`."""
        return self._plugged().serving(body)

    def _plugged(self) -> Gates:
        if self._gates is None:
            gates, others = take_over(reported=self._parts.configuration.host_reports)
            plugged: list[Any] = [
                c
                for c in litellm.callbacks  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
                if isinstance(c, PluginSwitch)
            ]
            named = {plugin.name: plugin.stage for plugin in (*plugged, *gates)}
            known = [make(self._parts) for name, make in STAGES.items() if name in named]
            extra = [stage for name, stage in named.items() if name not in STAGES and stage]
            stages = tuple(sorted((*known, *extra), key=lambda stage: stage.last))
            self._gates = Gates(stages, gates, others)
        return self._gates

    def choose(self, call: Call, deployments: Sequence[str]) -> str | None:
        """Choose among a group's deployments; None, for LiteLLM to do it, with the plugin off."""
        if not any(isinstance(stage, ReplicasStage) for stage in self.stages()):
            return None
        return self._parts.replicas.choose(call, deployments)

    def missing(self) -> list[str]:
        """Name the plugins that the configuration lists and LiteLLM did not take up."""
        on = {stage.name for stage in self.stages()}
        return [name for name in self._parts.configuration.plugins if name in STAGES.keys() - on]


async def _until_answered(work: Callable[[], Awaitable[None]]) -> None:
    """Try until the database answers: at start-up it may still be coming up."""
    deadline_s = time.monotonic() + DATABASE_WAIT_S
    while True:
        try:
            return await work()
        except GatewayError:
            raise  # another installation's secret: waiting does not mend it
        except Exception:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.2)


async def _open(door: Door, application: App, parts: Parts, plugged: PluggedIn) -> None:
    """Report ready once LiteLLM has loaded its models and has been through one call.

    A worker that lacks a plugin stays unready: without the ledger, say, calls would go unrecorded.
    """
    try:
        async with asyncio.timeout(WARM_UP_LIMIT_S):
            await host.until_loaded()
            plugged.stages()  # takes the gates over before LiteLLM has counted its guardrails
            await host.warm_up(application, next(iter(parts.catalogue.modes)), parts.clock)
    except Exception:  # noqa: BLE001 - a cold worker serves, only slower
        _log.exception("warm-up failed; the first call will be slow")
    missing = plugged.missing()
    host.forget_callbacks(PluginSwitch)
    host.settle_memory()
    if missing:
        _log.critical("LiteLLM did not take up these plugins: %s", ", ".join(missing))
    door.ready = not missing
