"""`sluice alerts`: see whether alerts reach people, before it matters."""

from typing import Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def alerts() -> None:
    """Try the senders of alerts that `sluice.alerts` in proxy_config.yaml names.

    Needs an administrator's key in SLUICE_ADMIN_KEY.
    """


@app.command("test")
def send_test(url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Send one test alert through every sender, and say for each what happened.

    Each sender tries once, at once, whatever severities it is told of otherwise. Exits with 1 when
    one of them failed. What a receiver's address keeps secret is not shown.
    """
    with output.reporting(as_json=as_json):
        found: list[dict[str, Any]] = connect(url, key_file).post("/sluice/alerts/test")
        if as_json:
            output.write_json(found)
        else:
            _show(found)
    if any(tested["outcome"] != "delivered" for tested in found):
        raise typer.Exit(1)


def _show(found: list[dict[str, Any]]) -> None:
    columns = ("SENDER", "KIND", "TO", "OUTCOME", "STATUS", "SECONDS", "WHY")
    rows = [
        (
            tested["sender"],
            tested["kind"],
            tested["host"],
            tested["outcome"],
            tested["status"],
            f"{tested['took_s']:.3f}",
            tested["error"] or _hint(tested["status"]),
        )
        for tested in found
    ]
    output.show_table(columns, rows, numbers=("STATUS", "SECONDS"))


def _hint(status: int | None) -> str:
    """Say what an operator may mend."""
    if status is None or 200 <= status < 300:
        return ""
    if status in {401, 403}:
        return "the receiver does not accept the address's secret or the signature"
    if status in {404, 410}:
        return "nothing is there: correct the address"
    return "the receiver refused it" if status < 500 else "the receiver has failed; try again"
