"""`sluice tenants`: who may use the gateway."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect, segment
from plugins.cli.limits import HOW, Rpm, Tpm, shown, wanted

if TYPE_CHECKING:
    from plugins.cli.client import Client

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)
_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_STATES: Final = {True: "active", False: "suspended"}
Quota = Annotated[
    str | None,
    typer.Option(
        "--monthly-quota",
        metavar="USD",
        help="Dollars a month that warn at 80 % and above 100 %, or `none`; no call is refused.",
    ),
]
TenantId = Annotated[
    str, typer.Argument(metavar="ID", help="Small letters, digits, - and _; at most 63.")
]


@app.callback()
def tenants() -> None:
    """Make, list, limit, suspend and resume tenants.

    Needs an administrator's key in SLUICE_ADMIN_KEY.
    """


@app.command()
def create(
    tenant_id: TenantId,
    name: Annotated[str, typer.Option(help="For people; the ID when left out.")] = "",
    rpm: Rpm = None,
    tpm: Tpm = None,
    monthly_quota: Quota = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a tenant; `sluice keys create --tenant ID` then makes its first key."""
    with output.reporting(as_json=as_json):
        made = connect(url, key_file).post(
            "/sluice/tenants",
            {"tenant_id": tenant_id, "name": name, **wanted(rpm, tpm), **_quota(monthly_quota)},
        )
        if as_json:
            output.write_json(made)
        else:
            output.say(f"made tenant {made['tenant_id']}")
            output.say(f"next: sluice keys create --tenant {made['tenant_id']}")


@app.command("list")
def list_all(url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """List all tenants."""
    with output.reporting(as_json=as_json):
        found = connect(url, key_file).get("/sluice/tenants")
        if as_json:
            output.write_json(found)
            return
        rows = [
            (
                t["tenant_id"],
                t["name"],
                _STATES[t["active"]],
                shown(t["requests_per_minute"]),
                shown(t["tokens_per_minute"]),
                t["monthly_quota_usd"],
                output.minute(t["created_at"]),
            )
            for t in found
        ]
        output.show_table(("TENANT", "NAME", "STATE", "RPM", "TPM", "USD A MONTH", "CREATED"), rows)


@app.command("set")
def set_limits(
    tenant_id: TenantId,
    rpm: Rpm = None,
    tpm: Tpm = None,
    keep_text_days: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS", help="Keep its calls' text so long; 0: not at all; default: as policy."
        ),
    ] = None,
    monthly_quota: Quota = None,
    review_webhook: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where decisions about held answers are sent, https; or `none`. Its secret is"
            " shown once.",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Limit what a tenant's keys together may ask in a minute, set its quota, keep its text."""
    with output.reporting(as_json=as_json):
        changes: dict[str, Any] = wanted(rpm, tpm) | _quota(monthly_quota)
        if keep_text_days is not None:
            changes["keep_text_days"] = _days(keep_text_days)
        if review_webhook is not None:
            changes["review_webhook_url"] = None if review_webhook == "none" else review_webhook
        if not changes:
            raise output.CommandError(
                f"nothing to set: give --rpm or --tpm, each {HOW}, --monthly-quota"
                ", --keep-text-days or --review-webhook"
            )
        path = f"/sluice/tenants/{segment(tenant_id)}"
        made = connect(url, key_file).patch(path, changes)
        if as_json:
            output.write_json(made)
        else:
            output.say(
                f"tenant {tenant_id}: requests a minute {shown(made['requests_per_minute'])},"
                f" tokens a minute {shown(made['tokens_per_minute'])},"
                f" quota in dollars a month {made['monthly_quota_usd'] or 'none'},"
                f" text {_kept(made['keep_text_days'])},"
                f" webhook {output.plain(made['review_webhook_url'] or 'none')};"
                " every worker follows within two seconds"
            )
            if made["review_webhook_secret"]:
                output.say(f"its secret, shown this once: {made['review_webhook_secret']}")


def _days(text: str) -> int | None:
    if text == "default":
        return None
    if not text.isdecimal():
        raise output.CommandError(f"--keep-text-days {text[:40]!r} is no number of days")
    return int(text)


def _kept(days: int | None) -> str:
    if days is None:
        return "as the policy says"
    return f"kept for {days} days" if days else "not kept"


@app.command()
def suspend(
    tenant_id: TenantId, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Refuse all of a tenant's keys, on every worker within two seconds."""
    _set_active(tenant_id, url, key_file, active=False, as_json=as_json)


@app.command()
def resume(
    tenant_id: TenantId, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Let a suspended tenant in again."""
    _set_active(tenant_id, url, key_file, active=True, as_json=as_json)


def _quota(text: str | None) -> dict[str, str | None]:
    """Read the quota if it was named, as the routes take it.

    Raises:
        CommandError: when it is neither an amount nor `none`.
    """
    if text is None:
        return {}
    given = text.strip().lower().removeprefix("$")
    if given == "none":
        return {"monthly_quota_usd": None}
    if not _AMOUNT.fullmatch(given) or not float(given):
        raise output.CommandError(
            f"--monthly-quota {text[:40]!r} is no quota: give dollars above 0 such as 300 or 49.90,"
            " or `none`"
        )
    return {"monthly_quota_usd": given}


def require_known(client: "Client", tenant_id: str) -> None:
    """See whether a tenant exists.

    Raises:
        CommandError: when not.
    """
    found: list[dict[str, Any]] = client.get("/sluice/tenants")
    if all(tenant["tenant_id"] != tenant_id for tenant in found):
        raise output.CommandError(
            f"no tenant {tenant_id!r}; `sluice tenants list` shows them", "not_found"
        )


def _set_active(tenant_id: str, url: str, key_file: Any, *, active: bool, as_json: bool) -> None:
    with output.reporting(as_json=as_json):
        path = f"/sluice/tenants/{segment(tenant_id)}"
        connect(url, key_file).patch(path, {"active": active})
        if as_json:
            output.write_json({"tenant_id": tenant_id, "active": active})
        else:
            done = "is active again" if active else "is suspended"
            output.say(f"tenant {tenant_id} {done}; every worker follows within two seconds")
