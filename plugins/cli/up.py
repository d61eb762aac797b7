"""`sluice up`: one command from a bare checkout to a gateway that answers."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer


class LogLevel(StrEnum):
    """How much the proxy writes to its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


app: Final = typer.Typer(add_completion=False)


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the gateway.")] = 4000,
    host: Annotated[str, typer.Option(help="Address; 0.0.0.0 opens it to others.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    config: Annotated[Path, typer.Option(help="Models, plugins, policy.")] = Path(
        "proxy_config.yaml"
    ),
    data_dir: Annotated[Path, typer.Option(help="Kept between runs.")] = Path(".sluice"),
    log_level: Annotated[LogLevel, typer.Option(help="Of logs/proxy.log.")] = LogLevel.ERROR,
    observe: Annotated[
        bool, typer.Option(help="Start Prometheus, Alertmanager, Phoenix, where installed.")
    ] = False,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when ready: addresses, pids, keys (JSON).")
    ] = None,
) -> None:
    """Start the gateway with everything it needs, and keep it running until Ctrl-C.

    DATABASE_URL and REDIS_URL name stores of your own; without them embedded ones are started.
    OPENAI_API_KEY, ANTHROPIC_API_KEY, COHERE_API_KEY, DEEPGRAM_API_KEY, ELEVENLABS_API_KEY and
    VLLM_API_BASE name real providers; for each that is missing a local stand-in practises.
    SLUICE_PHOENIX names the environment that Phoenix is installed in, for --observe.
    """
    from plugins.cli import up_gateway
    from plugins.cli.up_console import Report

    options = up_gateway.Options(
        host=host,
        port=port,
        workers=workers,
        config=config,
        data_dir=data_dir,
        log_level=log_level.value,
        observe=observe,
        ready_file=ready_file,
    )
    raise typer.Exit(up_gateway.run(options, Report()))
