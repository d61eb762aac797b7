"""What `sluice check` says of the environment: our variables and the providers' keys. Pure."""

from collections.abc import Mapping
from typing import Final

from plugins.cli.check_findings import Finding, fault, ok, skipped, warning
from plugins.cli.up_environment import LEAST_SECRET, PROVIDERS, Provider
from plugins.settings import ConfigurationError, environment
from plugins.tracing.sdk import target_of

NEEDED: Final = ("SLUICE_DATABASE_URL", "SLUICE_REDIS_URL", "SLUICE_SECRET")
HOOK_VARIABLE: Final = "LITELLM_WORKER_STARTUP_HOOKS"
HOOK: Final = "plugins.proxy.startup:install"
_MAKE_SECRET: Final = "set it to what `openssl rand -base64 48` prints, once and for good"  # noqa: S105 - a remedy


def is_plain(environ: Mapping[str, str]) -> bool:
    """Tell whether no store of the gateway's own is named, as before `sluice up`."""
    return not any(environ.get(name) for name in NEEDED if name != "SLUICE_SECRET")


def environment_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Look for what the gateway needs from the environment; never shows a value."""
    if is_plain(environ):
        names = ", ".join(name for name in NEEDED if not environ.get(name))
        unset = skipped("environment", f"{names} are not set", "`sluice up` sets them")
        secret = environ.get("SLUICE_SECRET")
        return [unset, *([_secret(secret)] if secret else [])]
    found = [
        fault("environment", f"{name} is not set", _remedy(name))
        for name in NEEDED
        if not environ.get(name)
    ]
    if secret := environ.get("SLUICE_SECRET"):
        found.append(_secret(secret))
    if environ.get(HOOK_VARIABLE) != HOOK:
        found.append(
            warning(
                "environment",
                f"{HOOK_VARIABLE} is not {HOOK} here",
                "`litellm --config` refuses every call without it; `sluice up` sets it",
            )
        )
    return found + _others(environ, found)


def tracing_finding(environ: Mapping[str, str], *, plugged: bool) -> Finding:
    """Say whether calls are traced, and where to; never shows a header or a password.

    Args:
        environ: the environment.
        plugged: the configuration lists the plugin.
    """
    try:
        target = target_of(environ, "TRACES")
    except ValueError as error:
        return fault("tracing", str(error), "")
    if target is None:
        return skipped("tracing", "calls are not traced", "set OTEL_EXPORTER_OTLP_ENDPOINT")
    if not plugged:
        missing = f"OTEL_EXPORTER_OTLP_ENDPOINT names {target.place}, and the plugin is off"
        return warning("tracing", missing, "add plugins.callbacks.tracing, or unset the variable")
    return ok("tracing", f"traces go to {target.place} over {target.protocol}")


def provider_findings(
    references: Mapping[str, list[str]], environ: Mapping[str, str]
) -> list[Finding]:
    """Look for the providers' keys and addresses that the deployments read.

    Args:
        references: deployments by the variable that they read.
        environ: the environment; under `sluice up`, a stand-in plays a provider without a key.
    """
    plain = is_plain(environ)
    stand_ins = {name.strip() for name in environ.get("SLUICE_PRACTICE_PROVIDERS", "").split(",")}
    found: list[Finding] = []
    practising: list[Provider] = []
    for variable, deployments in sorted(references.items()):
        provider = _provider_of(variable)
        if provider and (
            provider.name in stand_ins or (plain and not environ.get(provider.switch))
        ):
            practising.append(provider)
        elif not environ.get(variable) and _is_needed(variable, provider):
            found.append(_missing(variable, deployments))
    if practising:
        found.append(_practising(list(dict.fromkeys(practising))))
    return found or [ok("providers", "every deployment's key is set")]


def _others(environ: Mapping[str, str], found: list[Finding]) -> list[Finding]:
    """Ask the gateway's own reading of the environment too; it may find what we do not."""
    named = " ".join(each.message for each in found)
    try:
        environment(environ)
    except ConfigurationError as error:
        return [
            fault("environment", said, "correct it")
            for said in error.faults
            if not any(name in said and name in named for name in NEEDED)
        ]
    return []


def _secret(secret: str) -> Finding:
    if len(secret) < LEAST_SECRET:
        message = f"SLUICE_SECRET has {len(secret)} characters and needs {LEAST_SECRET}"
        return fault("environment", message, _MAKE_SECRET)
    return ok("environment", f"SLUICE_SECRET is set ({LEAST_SECRET} characters or more)")


def _remedy(name: str) -> str:
    if name == "SLUICE_SECRET":
        return _MAKE_SECRET
    example = "postgresql://user:password@host:5432/name"
    if name == "SLUICE_REDIS_URL":
        example = "redis://:password@host:6379/0"
    return f"set it, for example to {example}"


def _provider_of(variable: str) -> Provider | None:
    return next((p for p in PROVIDERS if variable in {p.key_variable, p.base_variable}), None)


def _is_needed(variable: str, provider: Provider | None) -> bool:
    """Tell whether calls fail without it: LiteLLM knows the addresses of the big providers."""
    return provider is None or variable == provider.switch


def _missing(variable: str, deployments: list[str]) -> Finding:
    names = ", ".join(dict.fromkeys(deployments))
    return fault("providers", f"{variable} is not set, for {names}", "set it")


def _practising(providers: list[Provider]) -> Finding:
    names = ", ".join(provider.name for provider in providers)
    switches = ", ".join(provider.switch for provider in providers)
    return warning(
        "providers",
        f"a practice stand-in answers for {names}",
        f"for the real ones set {switches}",
    )
