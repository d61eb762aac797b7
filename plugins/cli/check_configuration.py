"""What `sluice check` says of `proxy_config.yaml`: validity, plugins, lifecycle, prices. Pure."""

import ast
import difflib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, cast

from plugins.cli.check_findings import Finding, fault, ok, warning
from plugins.cost.rules import Price
from plugins.proxy.prices import lifecycle_notes, prices_of
from plugins.settings import Configuration

OURS: Final = "plugins.callbacks."
OUR_GUARDS: Final = "plugins.guardrails."
AUTHENTICATE: Final = "plugins.callbacks.authenticate"
_REMEDIES: Final = {
    "Extra inputs are not permitted": "take the line out, or correct its spelling",
    "Field required": "add it; the project's own proxy_config.yaml shows how",
}
_Section = Mapping[str, Any]


def configuration_faults(faults: Iterable[str], path: str) -> list[Finding]:
    """Give every fault of the file with how to mend it.

    Args:
        faults: as `settings.ConfigurationError` lists them.
        path: the file.
    """
    found: list[Finding] = []
    for said in faults:
        remedy = next((r for text, r in _REMEDIES.items() if text in said), "")
        found.append(fault("configuration", said, remedy or f"correct it in {path}"))
    return found


def summary_of(configuration: Configuration, path: str) -> Finding:
    """Say what a valid file holds."""
    deployments, agents = len(configuration.deployments), len(configuration.agents)
    return ok("configuration", f"{path} is valid: {deployments} deployments, {agents} agents")


def names_in(source: str) -> frozenset[str]:
    """Give the names that a module such as `plugins/callbacks.py` has, without running it."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return frozenset(names)


def plugin_findings(
    raw: _Section, stages: Iterable[str], exported: frozenset[str]
) -> list[Finding]:
    """Look for plugins that are named and do not exist, and say which are on.

    Args:
        raw: the whole file.
        stages: names of `assembly.STAGES`.
        exported: names that `plugins/callbacks.py` and `plugins/guardrails.py` have.
    """
    known = list(stages)
    named = [
        _own(str(each), OURS) for each in _items(_section(raw, "litellm_settings"), "callbacks")
    ]
    found = [
        _unknown(f"litellm_settings.callbacks names {name!r}", name, known)
        for name in named
        if name is not None and (name not in known or name not in exported)
    ]
    guards = [_own(guard, OUR_GUARDS) for guard in _guardrails(raw)]
    found += [
        _unknown(f"guardrails names {name!r}", name, known)
        for name in guards
        if name is not None and (name not in known or name not in exported)
    ]
    if _section(raw, "general_settings").get("custom_auth") != AUTHENTICATE:
        message = "general_settings.custom_auth does not name the gateway's own keys"
        found.append(fault("plugins", message, f"write `custom_auth: {AUTHENTICATE}`"))
    on = [stage for stage in known if stage in named or stage in guards]
    off = [stage for stage in known if stage not in on]
    text = f"on: {', '.join(on) or 'none'}" + (f"; off: {', '.join(off)}" if off else "")
    return found or [ok("plugins", text)]


def lifecycle_findings(
    configuration: Configuration, listed: Mapping[str, Mapping[str, Any]], today: date
) -> list[Finding]:
    """Name the models that their provider has retired or is about to, with the date (SPEC 2.9)."""
    found: list[Finding] = []
    for note in lifecycle_notes(configuration, listed, today):
        message, _, remedy = note.text.partition("; ")
        if note.replaced:
            found.append(ok("models", note.text))
        elif note.day <= today:
            found.append(fault("models", message, remedy))
        else:
            found.append(warning("models", message, remedy))
    return found or [ok("models", "no model has been retired or will be soon")]


def price_findings(
    configuration: Configuration, listed: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Name the deployments without a price, and those that are free without reason."""
    prices = prices_of(configuration, listed)
    found: list[Finding] = []
    for name, deployment in configuration.deployments.items():
        price = prices.get(name)
        remedy = f"add `{name}:` under `sluice.prices`, with prices, `gpu_hour` or `free_because`"
        if price is None:
            found.append(
                fault("prices", f"{name} ({deployment.model}) has no price: it costs 0", remedy)
            )
        elif _is_free(price) and not price.free_because:
            found.append(
                warning("prices", f"{name} ({deployment.model}) costs 0 without reason", remedy)
            )
    return found or [ok("prices", f"all {len(configuration.deployments)} deployments are priced")]


def references(raw: _Section) -> dict[str, list[str]]:
    """Give the environment variables that deployments read, with the deployments' ids."""
    found: dict[str, list[str]] = {}
    for name, params in _parameters(raw):
        for value in params.values():
            if isinstance(value, str) and value.startswith("os.environ/"):
                found.setdefault(value.removeprefix("os.environ/"), []).append(name)
    return found


def literal_keys(raw: _Section) -> list[Finding]:
    """Name the deployments whose key stands in the file; never the key."""
    return [
        warning(
            "providers",
            f"the key of {name} stands in the file",
            "put it into the environment and write `api_key: os.environ/<its name>`",
        )
        for name, params in _parameters(raw)
        if isinstance(params.get("api_key"), str)
        and not params["api_key"].startswith("os.environ/")
    ]


def _is_free(price: Price) -> bool:
    return not any((price.input_usd, price.output_usd, price.character_usd, price.second_usd))


def _unknown(message: str, name: str, known: list[str]) -> Finding:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return fault("plugins", f"{message}, which does not exist", f"{hint}known: {', '.join(known)}")


def _own(path: str, ours: str) -> str | None:
    """Give the name of one of our plugins; None for somebody else's."""
    return path.removeprefix(ours) if path.startswith(ours) else None


def _guardrails(raw: _Section) -> Iterator[str]:
    for entry in _items(raw, "guardrails"):
        if isinstance(entry, dict):
            params = _section(cast("dict[str, Any]", entry), "litellm_params")
            yield str(params.get("guardrail", ""))


def _parameters(raw: _Section) -> Iterator[tuple[str, _Section]]:
    for entry in _items(raw, "model_list"):
        if isinstance(entry, dict):
            deployment = cast("dict[str, Any]", entry)
            name = _section(deployment, "model_info").get("id") or deployment.get("model_name")
            yield str(name), _section(deployment, "litellm_params")


def _section(raw: _Section, name: str) -> _Section:
    found: object = raw.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _items(raw: _Section, name: str) -> list[Any]:
    found: object = raw.get(name)
    return cast("list[Any]", found) if isinstance(found, list) else []
