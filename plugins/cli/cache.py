"""`sluice cache`: what the response cache holds and saves, and how to empty it."""

from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect, segment

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)
NUMBERS: Final = ("ENTRIES", "MB", "OF MB", "CALLS", "HITS", "SHARED", "SHARE", "SAVED USD")
_MB: Final = 2**20


@app.callback()
def cache() -> None:
    """Show and empty the response cache.

    With an administrator's key in SLUICE_ADMIN_KEY for all tenants; with a tenant's key its own.
    """


@app.command()
def show(
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="Only this tenant's.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=744, help="Of calls that are counted.")] = 24,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show entries, bytes, and the share of calls that needed no provider, by tenant."""
    with output.reporting(as_json=as_json):
        asked: dict[str, Any] = {"hours": hours}
        if tenant is not None:
            asked["tenant_id"] = tenant
        found: list[dict[str, Any]] = connect(url, key_file).get("/sluice/cache", asked)
        if as_json:
            output.write_json(found)
        else:
            output.show_table(("TENANT", *NUMBERS), map(_row, found), numbers=NUMBERS)


@app.command()
def clear(
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="Whose; a tenant's key clears its own.")
    ] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove all answers of one tenant; the next calls ask the providers again."""
    with output.reporting(as_json=as_json):
        whose = "" if tenant is None else f"?tenant_id={segment(tenant)}"
        told: dict[str, Any] = connect(url, key_file).post(f"/sluice/cache/clear{whose}")
        if as_json:
            output.write_json(told)
        else:
            output.say(f"removed {told['removed']} answers of {told['tenant_id']}")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["tenant_id"],
        one["entries"],
        f"{one['bytes'] / _MB:.1f}",
        f"{one['share_bytes'] / _MB:.1f}",
        one["calls"],
        one["hits"],
        one["coalesced"],
        f"{one['hit_share']:.1%}",
        one["saved_usd"],
    )
