"""`sluice circuits`: which providers are spared, and by whom."""

from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect, segment

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)
Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="As `circuits list` names it.")]


@app.callback()
def circuits() -> None:
    """Show the providers' circuit breakers, and set them by hand.

    Needs an administrator's key in SLUICE_ADMIN_KEY.
    """


@app.command("list")
def list_all(url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List all circuits: closed (calls go through), open (spared) or half_open (probed)."""
    with output.reporting(as_json=as_json):
        found = connect(url, key_file).get("/sluice/circuits")
        if as_json:
            output.write_json(found)
        else:
            _show(found)


@app.command("open")
def open_circuit(
    provider: Provider, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Spare a provider until `circuits auto` gives it back."""
    _set(provider, "open", url, key_file, as_json=as_json)


@app.command("close")
def close_circuit(
    provider: Provider, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Let every call through to a provider, whatever fails, until `circuits auto`."""
    _set(provider, "closed", url, key_file, as_json=as_json)


@app.command()
def auto(
    provider: Provider, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Give a circuit back to the breaker; it starts closed."""
    _set(provider, "auto", url, key_file, as_json=as_json)


def _set(provider: str, state: str, url: str, key_file: KeyFile, *, as_json: bool) -> None:
    with output.reporting(as_json=as_json):
        path = f"/sluice/circuits/{segment(provider)}"
        made = connect(url, key_file).post(path, {"state": state})
        if as_json:
            output.write_json(made)
        else:
            _show([made])


def _show(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            c["provider"],
            c["state"],
            str(c["failures"]),
            "by hand" if c["by_hand"] else "",
            output.minute(c["until"]) if c["until"] else "",
        )
        for c in found
    ]
    output.show_table(("PROVIDER", "STATE", "FAILURES", "", "UNTIL"), rows)
