"""Environment and `proxy_config.yaml` as frozen objects; every fault is reported at once.

Secrets come from the environment only. `load()` reads that one file and, for the addresses of
alerts' receivers, the environment.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)
from typing_extensions import override

from plugins.cache.rules import CachePolicy
from plugins.core.agent import Agent, TimeLimits
from plugins.policy import Frozen, Policy

DEFAULT_CONFIG: Final = "proxy_config.yaml"
NOTICES: Final = "notices.txt"
"""File in the data directory with what an operator should know at start-up, a line each."""


class ConfigurationError(Exception):
    """The configuration cannot be used; the text lists every fault with its path and remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(f"- {fault}" for fault in faults))
        self.faults: Final = faults

    @override
    def __str__(self) -> str:
        count = len(self.faults)
        return f"{count} fault{'s' * (count != 1)} in the configuration:\n{super().__str__()}"


class Deployment(BaseModel):
    """What we read of one entry of `model_list`; the rest is LiteLLM's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_name: str
    model: str
    id: str
    mode: str = "chat"
    api_base: str | None = None
    """As it stands in the file: an address, or `os.environ/NAME`."""
    api_key: str | None = Field(default=None, repr=False)
    """Likewise."""
    stated: dict[str, Any] = {}
    """All of `model_info`: what the operator says of the model, over LiteLLM's list."""

    @property
    def provider(self) -> str:
        """Name who runs it, as OpenTelemetry's `gen_ai.provider.name` would."""
        head = self.model.split("/", 1)[0]
        return {"hosted_vllm": "vllm"}.get(head, head)


class Environment(Frozen):
    """Where the stores are, and the secret that keys are hashed with.

    Args:
        database_url: PostgreSQL, `postgresql://...`.
        redis_url: Redis, `redis://...` or `unix://...`.
        cache_redis_url: a Redis for the response cache alone; None for the one of `redis_url`.
        secret: at least 32 characters; losing it makes every key invalid.
        data_dir: holds the spool; it must survive a restart.
        practice: providers for which a practice server stands in.
        metrics_token: opens `GET /metrics` to a scraper; empty leaves it to administrators.
        workers: how many share the limits, until Redis tells.
    """

    database_url: str
    redis_url: str
    cache_redis_url: str | None = None
    secret: str = Field(min_length=32, repr=False)
    data_dir: Path = Path(".sluice")
    practice: frozenset[str] = frozenset()
    metrics_token: str = Field(default="", pattern=r"^$|^[!-~]{16,}$", repr=False)
    workers: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything `proxy_config.yaml` says, checked.

    Args:
        policy: the `sluice` section.
        deployments: by id.
        plugins: names of those that `callbacks` and `guardrails` switch on.
        host_loggers: LiteLLM sends what happens to loggers of its own.
    """

    policy: Policy
    deployments: dict[str, Deployment]
    plugins: tuple[str, ...]
    host_loggers: bool = False

    @property
    def host_reports(self) -> bool:
        """Tell whether anything of LiteLLM's shows what guardrails found."""
        return self.host_loggers or self.policy.tracing.host_spans

    @property
    def modes(self) -> dict[str, str]:
        """Give the kind of each model group, by its name."""
        return {d.model_name: d.mode for d in self.deployments.values()}

    @property
    def text_only(self) -> frozenset[str]:
        """Name the model groups whose client takes no tokens in place of a text to embed."""
        readers = {"openai", "azure", "vllm"}
        return frozenset(
            d.model_name for d in self.deployments.values() if d.provider not in readers
        )

    @property
    def agents(self) -> dict[str, Agent]:
        """Give the agents by name."""
        return {
            name: Agent(name, p.tiers, p.time_limits.over(self.time_limits))
            for name, p in self.policy.agents.items()
        }

    @property
    def cache_policies(self) -> dict[str, CachePolicy]:
        """Give each agent's cache policy; under the empty name that of plain models."""
        default = self.policy.cache.policy
        return {"": default} | {n: p.cache.over(default) for n, p in self.policy.agents.items()}

    @property
    def time_limits(self) -> TimeLimits:
        """Give the time limits of calls that name a plain model."""
        return self.policy.time_limits.over(TimeLimits())


def load(
    path: Path | str = DEFAULT_CONFIG, environ: Mapping[str, str] | None = None
) -> Configuration:
    """Read and check the configuration file.

    Args:
        path: `proxy_config.yaml`.
        environ: what `os.environ/NAME` under `sluice` refers to; None for the process's own.

    Returns:
        The configuration, frozen.

    Raises:
        ConfigurationError: with every fault found, not only the first.
    """
    raw = read(Path(path))
    faults: list[str] = []
    deployments = _deployments(raw, faults)
    policy = _policy(raw.get("sluice"), faults, os.environ if environ is None else environ)
    host = _mapping(raw.get("litellm_settings"))
    callbacks = _listing(host, "callbacks", faults)
    gates = [
        _mapping(_mapping(entry).get("litellm_params")).get("guardrail")
        for entry in _listing(raw, "guardrails", faults)
    ]
    if policy:
        faults += _dangling(policy, deployments)
    if faults or policy is None:
        raise ConfigurationError(faults)
    plugins = tuple(str(each).rsplit(".", 1)[-1] for each in (*callbacks, *gates))
    # LiteLLM's own loggers are plain words; plugins have their path.
    loggers = any(host.get(name) for name in ("success_callback", "failure_callback")) or any(
        "." not in str(each) for each in callbacks
    )
    return Configuration(policy, {d.id: d for d in deployments}, plugins, loggers)


def environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Read what the gateway needs from the environment.

    Raises:
        ConfigurationError: naming each variable that is missing or wrong.
    """
    env = os.environ if environ is None else environ
    practice = (p.strip() for p in env.get("SLUICE_PRACTICE_PROVIDERS", "").split(","))
    found = {
        "database_url": env.get("SLUICE_DATABASE_URL"),
        "redis_url": env.get("SLUICE_REDIS_URL"),
        "cache_redis_url": env.get("SLUICE_CACHE_REDIS_URL") or None,
        "secret": env.get("SLUICE_SECRET"),
        "data_dir": env.get("SLUICE_DATA_DIR"),
        "practice": frozenset(p for p in practice if p),
        "metrics_token": env.get("SLUICE_METRICS_TOKEN"),
        "workers": env.get("SLUICE_WORKERS"),
    }
    try:
        return Environment.model_validate({k: v for k, v in found.items() if v is not None})
    except ValidationError as error:
        faults = [
            f"environment variable SLUICE_{str(e['loc'][0]).upper()}: {e['msg']}; set it, or start"
            " with `sluice up`, which does"
            for e in error.errors(include_input=False)
        ]
        raise ConfigurationError(faults) from None


def read(path: Path) -> dict[str, Any]:
    """Read the configuration file as it is.

    Raises:
        ConfigurationError: when it cannot be read or is no mapping.
    """
    try:
        raw: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            [f"{path}: {error.strerror}; name the file with --config"]
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: not valid YAML: {_where(error)}"]) from None
    if not isinstance(raw, dict):
        raise ConfigurationError([f"{path}: holds no mapping; see the project's own file"])
    return cast("dict[str, Any]", raw)


def _where(error: Exception) -> str:
    """Say what is wrong and where, without the line itself: it may hold a secret."""
    mark: Any = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark else str(said)


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _listing(section: Mapping[str, Any], name: str, faults: list[str]) -> list[Any]:
    found: object = section.get(name) or []
    if isinstance(found, list):
        return cast("list[Any]", found)
    faults.append(f"{name}: is no list; begin each of its entries with a dash")
    return []


def _deployments(raw: dict[str, Any], faults: list[str]) -> list[Deployment]:
    found: list[Deployment] = []
    for index, entry in enumerate(_listing(raw, "model_list", faults)):
        params = _mapping(_mapping(entry).get("litellm_params"))
        info = _mapping(_mapping(entry).get("model_info"))
        flat = {
            "model_name": _mapping(entry).get("model_name"),
            "model": params.get("model"),
            "id": info.get("id"),
            "mode": info.get("mode", "chat"),
            "api_base": params.get("api_base"),
            "api_key": params.get("api_key"),
            "stated": info,
        }
        try:
            found.append(Deployment.model_validate(flat))
        except ValidationError as error:
            faults += _listed(error, f"model_list[{index}]")
    seen: set[str] = set()
    for deployment in found:
        if deployment.id in seen:
            faults.append(f"model_list: model_info.id {deployment.id!r} stands twice; rename one")
        seen.add(deployment.id)
    return found


def _policy(section: object, faults: list[str], environ: Mapping[str, str]) -> Policy | None:
    context = {"environ": environ}
    try:
        return Policy.model_validate(section if section is not None else {}, context=context)
    except ValidationError as error:
        faults += _listed(error, "sluice")
        return None


def _listed(error: ValidationError, root: str) -> list[str]:
    return [
        ".".join([root, *(str(part) for part in e["loc"])]) + f": {e['msg']}"
        for e in error.errors(include_input=False, include_url=False)
    ]


def _dangling(policy: Policy, deployments: list[Deployment]) -> Iterator[str]:
    groups = {d.model_name for d in deployments}
    ids = {d.id for d in deployments}
    known = ", ".join(sorted(groups))
    for name, agent in policy.agents.items():
        if name in groups:
            yield f"sluice.agents.{name}: is also a model group; rename one of the two"
        for index, tier in enumerate(agent.tiers):
            if tier not in groups:
                yield (
                    f"sluice.agents.{name}.tiers[{index}]: no model group {tier!r} in model_list;"
                    f" known: {known}"
                )
    for name in policy.prices:
        if name not in ids:
            yield f"sluice.prices.{name}: no deployment has this model_info.id"
    yield from _without_judge(policy, groups)
    for name in sorted(policy.reviews.agents_sample_share.keys() - policy.agents.keys()):
        yield (
            f"sluice.reviews.agents_sample_share.{name}: no agent of this name; known:"
            f" {', '.join(sorted(policy.agents))}"
        )
    yield from _unlimited(policy, {d.provider for d in deployments})


def _without_judge(policy: Policy, groups: set[str]) -> Iterator[str]:
    known = groups | policy.agents.keys()
    for name, agent in policy.agents.items():
        judge = agent.grounding.judge
        if judge is not None and judge not in known:
            yield (
                f"sluice.agents.{name}.grounding.judge: no agent or model group {judge!r}; known:"
                f" {', '.join(sorted(known))}"
            )


def _unlimited(policy: Policy, providers: set[str]) -> Iterator[str]:
    """Find limits that nothing would ever be counted against: a misspelt name."""
    limits = policy.rate_limits
    for kind, field, given, known in (
        ("provider", "providers", limits.providers, providers),
        ("agent", "agents_answer_tokens", limits.agents_answer_tokens, set(policy.agents)),
    ):
        for name in sorted(given.keys() - known):
            yield (
                f"sluice.rate_limits.{field}.{name}: no {kind} of this name; known:"
                f" {', '.join(sorted(known))}"
            )
