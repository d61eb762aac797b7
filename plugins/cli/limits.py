"""`sluice limits`: what is used of each limit of requests and tokens a minute."""

import re
from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect
from plugins.cli.output import CommandError

app: Final = typer.Typer(add_completion=False)
MOST: Final = 1_000_000_000
COLUMNS: Final = ("", "NAME", "REQUESTS", "OF", "LEFT", "TOKENS", "OF", "LEFT")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
HOW: Final = "a number, `none` for no limit, or `default` for the policy's"
Rpm = Annotated[str | None, typer.Option("--rpm", help=f"Requests a minute: {HOW}.")]
Tpm = Annotated[str | None, typer.Option("--tpm", help=f"Tokens a minute: {HOW}.")]


@app.command()
def limits(
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="This tenant's, and its keys'.")
    ] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was used in the last minute of each limit, and what is left.

    With an administrator's key in SLUICE_ADMIN_KEY the providers' and all tenants'; with a
    tenant's key its own. Who has no limit is not listed. `sluice tenants set` and `sluice keys set`
    change limits; the providers' stand in proxy_config.yaml.
    """
    with output.reporting(as_json=as_json):
        asked = {"tenant_id": tenant} if tenant else None
        told: dict[str, Any] = connect(url, key_file).get("/sluice/limits", asked)
        if as_json:
            output.write_json(told)
            return
        output.show_table(COLUMNS, [row_of(limit) for limit in told["limits"]])
        if not told["shared"]:
            output.say(
                "Redis is away: each worker counts alone; these are the figures of one of"
                f" {told['workers']}"
            )


def wanted(rpm: str | None, tpm: str | None) -> dict[str, int | str | None]:
    """Read the limits that were named, as the routes take them.

    Raises:
        CommandError: when one is neither a number nor one of the two words.
    """
    named = {"requests_per_minute": ("--rpm", rpm), "tokens_per_minute": ("--tpm", tpm)}
    return {
        field: figure(option, text) for field, (option, text) in named.items() if text is not None
    }


def figure(option: str, text: str) -> int | str | None:
    """Read one limit; None stands for the policy's default.

    Raises:
        CommandError: when it is none.
    """
    given = text.strip().lower()
    if given == "default":
        return None
    if given == "none":
        return given
    if _NUMBER.fullmatch(given) and int(given) <= MOST:
        return int(given)
    raise CommandError(f"{option} {text[:40]!r} is no limit: give {HOW}; from 1 to {MOST}")


def shown(limit: int | str | None) -> str:
    """Write a limit as it is set."""
    return "default" if limit is None else str(limit)


def row_of(limit: dict[str, Any]) -> tuple[str, ...]:
    """Write one limit as `COLUMNS` name it."""
    figures = (limit[f"{word}_{what}"] for word in ("requests", "tokens") for what in _WHAT)
    return (limit["kind"], limit["name"], *("-" if f is None else f"{f:,}" for f in figures))


_WHAT: Final = ("used", "per_minute", "left")
