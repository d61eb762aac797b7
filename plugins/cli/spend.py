"""`sluice spend`: what was spent, as the ledger has it."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect
from plugins.cli.output import CommandError


class Group(StrEnum):
    """What calls are summed by."""

    DAY = "day"
    AGENT = "agent"
    MODEL = "model"


app: Final = typer.Typer(add_completion=False)
NUMBERS: Final = ("CALLS", "ANSWERED", "TOKENS IN", "TOKENS OUT", "COST USD", "SAVED USD")
_COUNTS: Final = ("calls", "answered", "input_tokens", "output_tokens")


@app.command()
def spend(
    first: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day, UTC; this month's if left out.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(metavar="DAY", help="Last day, UTC, included; else today.")
    ] = None,
    by: Annotated[
        list[Group] | None, typer.Option(help="Repeat to combine; agent and model if left out.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="Only this tenant's.")] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, with the total.

    With an administrator's key in SLUICE_ADMIN_KEY for all tenants; with a tenant's key its own.
    """
    from plugins.cli.tenants import require_known

    groups = list(dict.fromkeys(by or [Group.AGENT, Group.MODEL]))
    with output.reporting(as_json=as_json):
        asked: dict[str, Any] = {
            "first": checked_day("--first", first),
            "last": checked_day("--last", last),
            "by": [group.value for group in groups],
            "tenant_id": tenant,
        }
        client = connect(url, key_file)
        asked = {k: v for k, v in asked.items() if v is not None}
        told: dict[str, Any] = client.get("/sluice/spend", asked)
        if tenant and told["tenant_id"] != tenant:
            raise CommandError(
                f"this key sees its own tenant only, not {tenant!r}: use an administrator's key",
                "admin_key_required",
            )
        if tenant and not told["rows"] and client.get("/sluice/me")["role"] == "admin":
            require_known(client, tenant)
        if as_json:
            output.write_json(told)
        else:
            _show(told, groups)


def checked_day(option: str, text: str | None) -> str | None:
    """Give a day as the gateway takes it.

    Raises:
        CommandError: when it is none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise CommandError(f"{option} {text[:40]!r} is no day: write it like 2027-01-31") from None


def total_row(rows: list[dict[str, Any]], cost_usd: str, groups: int) -> list[object]:
    """Add up the columns.

    Args:
        rows: as `/sluice/spend` gives them.
        cost_usd: the gateway's own total.
        groups: how many columns come first.
    """
    counts = [sum(int(row[name]) for row in rows) for name in _COUNTS]
    saved = sum((Decimal(row["saved_usd"]) for row in rows), Decimal(0))
    return ["total", *[" "] * (groups - 1), *(f"{n:,}" for n in counts), cost_usd, f"{saved:f}"]


def _show(told: dict[str, Any], groups: list[Group]) -> None:
    whose = f"tenant {told['tenant_id']}" if told["tenant_id"] else "all tenants"
    output.say(f"{whose}, {told['first']} to {told['last']} (UTC)")
    rows: list[dict[str, Any]] = told["rows"]
    cells = [
        [
            *(row[group.value] for group in groups),
            *(f"{row[name]:,}" for name in _COUNTS),
            row["cost_usd"],
            row["saved_usd"],
        ]
        for row in rows
    ]
    output.show_table(
        [*(group.value.upper() for group in groups), *NUMBERS],
        cells,
        numbers=NUMBERS,
        total=total_row(rows, told["cost_usd"], len(groups)),
    )
