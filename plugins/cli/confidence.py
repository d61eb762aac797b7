"""`sluice confidence`: what the gateway's confidence is worth, by agent and model."""

from typing import Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect

app: Final = typer.Typer(add_completion=False)
COLUMNS: Final = ("AGENT", "MODEL", "LABELS", "RIGHT", "ERROR", "INTERVAL", "")
NUMBERS: Final = ("LABELS", "RIGHT", "ERROR", "INTERVAL")


@app.command()
def confidence(url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Show how well confidence is calibrated, from what people said of answers.

    ERROR is how far stated and observed shares of right answers are apart, of answers that were
    not learned from, with its 95 % interval. Needs an administrator's key in SLUICE_ADMIN_KEY.
    """
    with output.reporting(as_json=as_json):
        found: list[dict[str, Any]] = connect(url, key_file).get("/sluice/confidence")
        if as_json:
            output.write_json(found)
        else:
            output.show_table(COLUMNS, [_row(one) for one in found], numbers=NUMBERS)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    error = one["error"]
    state = "calibrated" if one["calibrated"] else "uncalibrated: under 50 labels"
    if one["calibrated"] and not one["informative"]:
        state = "calibrated, tells nothing: every answer has the share of right ones"
    return (
        one["agent"],
        one["model"],
        one["labels"],
        one["right"],
        f"{error['estimate']:.3f}" if error else None,
        f"{error['lower']:.3f}-{error['upper']:.3f}" if error else None,
        state,
    )
