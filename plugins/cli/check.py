"""`sluice check`: every fault of an installation at once, and how to mend it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import AsJson

if TYPE_CHECKING:
    from plugins.cli.check_findings import Finding
    from plugins.cli.installation import Store

app: Final = typer.Typer(add_completion=False)
COLOURS: Final = {"ok": "green", "skipped": "dim", "warning": "yellow", "fault": "bold red"}
PRICE_LIST: Final = "model_prices_and_context_window_backup.json"


@app.command()
def check(
    config: Annotated[Path, typer.Option(help="Models, plugins, policy.")] = Path(
        "proxy_config.yaml"
    ),
    data_dir: Annotated[Path, typer.Option(help="As given to `sluice up`.")] = Path(".sluice"),
    connect: Annotated[
        bool, typer.Option("--connect/--no-connect", help="Ask PostgreSQL and Redis too.")
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="See instead whether anyone changed the ledger.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="With --chain: an export that the ledger must still agree with."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="With --chain: only this tenant's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the faults of configuration, environment and stores, and say how to mend them.

    Exit code 1 when there is a fault. Stores are those of SLUICE_DATABASE_URL and
    SLUICE_REDIS_URL, else of DATABASE_URL and REDIS_URL, else the embedded ones of a running
    `sluice up`. Makes no call to a provider, and changes nothing.
    """
    import os

    from plugins.cli.check_findings import as_object, passes, summary

    if chain or against:
        from plugins.cli.check_chain import chain_findings

        found = chain_findings(data_dir, against, tenant, quiet=as_json)
    else:
        found = [
            *configuration_part(config, os.environ),
            *environment_part(os.environ),
            *(stores_part(os.environ, data_dir) if connect else ()),
        ]
    if as_json:
        output.write_json(as_object(found, strict=strict))
    else:
        for finding in found:
            _show(finding)
        output.say(summary(found))
    raise typer.Exit(0 if passes(found, strict=strict) else 1)


def configuration_part(path: Path, environ: Mapping[str, str]) -> "Iterator[Finding]":
    """Check the file and what only it tells; the file's faults hide models and prices."""
    from plugins import settings
    from plugins.assembly import STAGES
    from plugins.cli import check_configuration as checks
    from plugins.cli import check_environment as variables

    raw: dict[str, Any] = {}
    try:
        raw = settings.read(path)
        configuration = settings.load(path)
    except settings.ConfigurationError as error:
        yield from checks.configuration_faults(error.faults, str(path))
        configuration = None
    else:
        yield checks.summary_of(configuration, str(path))
    if not raw:
        return
    folder = Path(__file__).parents[1]
    exported: frozenset[str] = frozenset()
    for name in ("callbacks.py", "guardrails.py"):
        exported |= checks.names_in((folder / name).read_text(encoding="utf-8"))
    yield from checks.plugin_findings(raw, STAGES, exported)
    if configuration is not None:
        listed = price_list()
        yield from checks.lifecycle_findings(configuration, listed, datetime.now(UTC).date())
        yield from checks.price_findings(configuration, listed)
        yield variables.tracing_finding(environ, plugged="tracing" in configuration.plugins)
    yield from checks.literal_keys(raw)
    yield from variables.provider_findings(checks.references(raw), environ)


def environment_part(environ: Mapping[str, str]) -> "list[Finding]":
    """Check our own variables."""
    from plugins.cli.check_environment import environment_findings

    return environment_findings(environ)


def stores_part(environ: Mapping[str, str], data_dir: Path) -> "Iterator[Finding]":
    """Check PostgreSQL and Redis, as far as it is known where they are."""
    from plugins.cli import check_stores, installation

    yield from _store(
        "postgresql",
        lambda: installation.find_database(environ, data_dir),
        check_stores.look_at_postgres,
    )
    yield from _store(
        "redis", lambda: installation.find_redis(environ, data_dir), check_stores.look_at_redis
    )


def price_list() -> Mapping[str, Mapping[str, Any]]:
    """Read the price list that ships with LiteLLM; importing LiteLLM for it takes seconds."""
    import importlib.util
    import json

    spec = importlib.util.find_spec("litellm")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / PRICE_LIST
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    from plugins.proxy import prices

    return prices.price_list()


def _store(
    topic: str, find: "Callable[[], Store | None]", look: "Callable[[Store], list[Finding]]"
) -> "list[Finding]":
    from plugins.cli.check_findings import fault, skipped
    from plugins.cli.up_environment import UpError

    try:
        store = find()
    except UpError as error:
        return [fault(topic, str(error), "")]
    if store is None:
        variable = "DATABASE_URL" if topic == "postgresql" else "REDIS_URL"
        return [
            skipped(
                topic,
                f"no {variable} is set and no `sluice up` runs here",
                "start it, then check again",
            )
        ]
    return look(store)


def _show(finding: "Finding") -> None:
    from rich.text import Text

    from plugins.cli.up_console import PipeConsole

    line = Text()
    line.append(f"{finding.level.value:8}", COLOURS[finding.level.value])
    line.append(f" {finding.topic:13} {output.plain(finding.text)}")
    PipeConsole(highlight=False).print(line, soft_wrap=True)
