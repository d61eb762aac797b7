"""`python -m selfhosted.vllm`: list, check, serve and measure self-hosted models."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, Final

import typer

from selfhosted.vllm import manifest as manifests
from selfhosted.vllm.command import Options, Profile, command
from selfhosted.vllm.manifest import Manifest, ManifestError, Replica
from selfhosted.vllm.measure import Load, MeasureError, measure, rows
from selfhosted.vllm.readiness import healthy, served, variables_key
from selfhosted.vllm.serve import ServeError, Server, require_vllm, serve, server_of, write_ready

PYTHON_VARIABLE: Final = "SLUICE_VLLM_PYTHON"
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_Models = Annotated[Path, typer.Option("--models", help="Folder with the manifests.")]
_Python = Annotated[
    str, typer.Option("--python", envvar=PYTHON_VARIABLE, help="Interpreter that has vLLM.")
]
_Group = Annotated[str, typer.Argument(help="Model group, such as llama-3.")]
_PortOption = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65_535, help="One replica, on this port."),
]


def _say(line: str) -> None:
    typer.echo(line)


def _fail(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(1)


def _load(folder: Path) -> dict[str, Manifest]:
    try:
        return manifests.load(folder)
    except ManifestError as error:
        raise _fail(f"the manifests cannot be used:\n{error}") from error


def _one(folder: Path, group: str) -> Manifest:
    found = _load(folder)
    if group not in found:
        raise _fail(f"no manifest for {group!r}; known: {', '.join(found)} (--models names another"
                    " folder)")  # fmt: skip
    return found[group]


def _wanted(manifest: Manifest, number: int | None, port: int | None) -> tuple[Replica, ...]:
    """Give the replicas that are meant: one by its number or with a port of its own, or all."""
    replicas = manifest.replicas
    if number is not None:
        if not 0 <= number < len(replicas):
            raise _fail(f"{manifest.group} has replicas 0 to {len(replicas) - 1}, not {number}")
        return (replicas[number],)
    return replicas[:1] if port is not None else replicas


@app.command("list")
def list_models(models: _Models = manifests.MODELS) -> None:
    """Show every model: its weights, its servers, and the prices that its rent comes to."""
    for group, found in _load(models).items():
        weights, rent = found.weights, found.rent
        second_usd = rent.usd_per_hour * rent.gpus / 3600 / rent.busy_share
        per_million = [
            f"{1_000_000 * second_usd / rate:.4f}"
            for rate in (rent.input_tokens_per_s, rent.output_tokens_per_s)
        ]
        _say(
            f"{group}  {weights.repository}@{weights.revision[:12]}  {found.context_tokens} tokens"
        )
        _say(f"  {rent.basis}: ${per_million[0]} in, ${per_million[1]} out per million tokens")
        for number, replica in enumerate(found.replicas):
            state = "healthy" if healthy(replica.address) else "does not answer"
            _say(f"  replica {number}  {replica.address}/v1  {state}")


@app.command()
def check(
    models: _Models = manifests.MODELS,
    python: _Python = sys.executable,
    connect: Annotated[bool, typer.Option(help="Ask the servers too.")] = True,
) -> None:
    """Name what is wrong with manifests, vLLM and servers; exit code 1 when anything is."""
    found = _load(models)
    faults: list[str] = []
    try:
        require_vllm(python)
    except ServeError as error:
        faults.append(str(error))
    key = variables_key(os.environ)
    for group, manifest in found.items() if connect else ():
        for replica in manifest.replicas:
            if not healthy(replica.address):
                faults.append(
                    f"{group}: {replica.address} does not answer; start it with"
                    f" `python -m selfhosted.vllm serve {group}`"
                )
            elif group not in served(replica.address, key):
                faults.append(
                    f"{group}: {replica.address} serves {served(replica.address, key)} and not"
                    f" {group!r}; another server has that port, or VLLM_API_KEY is wrong"
                )
    for fault in faults:
        typer.echo(f"- {fault}", err=True)
    if faults:
        raise typer.Exit(1)
    _say(f"all is well: {', '.join(found)}")


@app.command("serve")
def serve_model(
    group: _Group,
    models: _Models = manifests.MODELS,
    python: _Python = sys.executable,
    cpu: Annotated[bool, typer.Option("--cpu", help="Without a GPU: trials and tests.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command only.")] = False,
    port: _PortOption = None,
    number: Annotated[
        int | None, typer.Option("--replica", help="Only this replica, from 0.")
    ] = None,
    model_path: Annotated[
        Path | None, typer.Option(help="Weights on this disk; the hub is not asked.")
    ] = None,
    traces: Annotated[str | None, typer.Option(help="Where spans go, OTLP over HTTP.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Logs and notes.")] = Path(".sluice/vllm"),
    ready_file: Annotated[Path | None, typer.Option(help="Written once all are warm.")] = None,
) -> None:
    """Serve one model: all its replicas of this machine, until Ctrl-C."""
    found = _one(models, group)
    profile = Profile.CPU if cpu else Profile.GPU
    options = Options(python, profile, model_path and model_path.resolve(), traces, port)
    replicas = _wanted(found, number, port)
    if dry_run:
        _print_commands(found, replicas, options)
        return
    if model_path is not None and not (model_path / "config.json").is_file():
        raise _fail(f"{model_path} holds no config.json; name a folder with a model's files")
    try:
        require_vllm(python)
        servers = [server_of(found, replica, options, data_dir, _say) for replica in replicas]
        serve(servers, _say, _stopped_by_signal(), lambda: _tell_ready(servers, ready_file))
    except (ServeError, OSError) as error:
        raise _fail(str(error)) from error


def _print_commands(found: Manifest, replicas: Sequence[Replica], options: Options) -> None:
    for replica in replicas:
        made = command(found, replica, options)
        variables = [f"{name}={shlex.quote(value)}" for name, value in made.variables.items()]
        _say(" ".join([*variables, shlex.join(made.argv)]))


def _stopped_by_signal() -> Event:
    """Give an event that Ctrl-C and SIGTERM set."""
    stopping = Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        stopping.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    return stopping


def _tell_ready(servers: Sequence[Server], ready_file: Path | None) -> None:
    if ready_file is not None:
        write_ready(ready_file, servers)
    _say("ready: " + ", ".join(f"{server.address}/v1" for server in servers))


@app.command("measure")
def measure_model(
    group: _Group,
    models: _Models = manifests.MODELS,
    port: _PortOption = None,
    clients: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="For each kind of work.")] = 30.0,
    prompt_words: Annotated[int, typer.Option(min=8)] = 700,
    answer_tokens: Annotated[int, typer.Option(min=8)] = 256,
) -> None:
    """Load a running replica and print its throughputs as a row for `sluice.prices`."""
    found = _one(models, group)
    replica = found.replicas[0]
    if port is not None:
        replica = replica.model_copy(update={"port": port})
    load = Load(clients, seconds, prompt_words, answer_tokens)
    key = variables_key(os.environ)
    try:
        reading, writing = asyncio.run(measure(replica.address, found, key, load))
    except* MeasureError as group_error:
        raise _fail(f"{replica.address}: {group_error.exceptions[0]}") from group_error
    for name, figures in (("reading", reading), ("writing", writing)):
        _say(
            f"{name}: {figures.calls_per_s:.1f} calls/s, p50 {figures.percentile_s(0.5):.3f} s,"
            f" p95 {figures.percentile_s(0.95):.3f} s"
        )
    _say(rows(found, reading, writing))


if __name__ == "__main__":
    app()
