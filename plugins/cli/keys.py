"""`sluice keys`: virtual keys, each shown once when it is made."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect
from plugins.cli.limits import HOW, Rpm, Tpm, shown, wanted
from plugins.cli.output import CommandError

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)
MOST_GRACE: Final = timedelta(days=30)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_KEY_ID: Final = re.compile(r"[0-9A-Za-z]{10}")
COLUMNS: Final = (
    *("KEY_ID", "TENANT", "STATE", "LABEL", "AGENTS", "MODELS"),
    *("RPM", "TPM", "EXPIRES", "CREATED"),
)
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="As `sluice keys list` shows it.")]


@app.callback()
def keys() -> None:
    """Make, list, limit, rotate and revoke virtual keys.

    Needs an administrator's key in SLUICE_ADMIN_KEY, but for `new-admin`.
    """


@app.command()
def create(
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="Whose key it is.")] = None,
    label: Annotated[str, typer.Option(help="A word for people.")] = "",
    agent: Annotated[
        list[str] | None, typer.Option(help="Agent it may use; repeat. None named: all.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Plain model it may use; repeat. None named: all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="30d, 12h, or a moment such as 2027-01-31T12:00Z.")
    ] = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make an administrator's key.")] = False,
    reviewer: Annotated[
        bool,
        typer.Option("--reviewer", help="Make a reviewer's key: of --tenant, or of all tenants."),
    ] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once and kept only as a hash."""
    with output.reporting(as_json=as_json):
        if admin and reviewer:
            raise CommandError("say --admin or --reviewer, not both")
        if not reviewer and admin == bool(tenant):
            raise CommandError(
                "name the tenant with --tenant, or say --admin, one of the two; or --reviewer"
            )
        key = {
            "tenant_id": tenant or None,
            "role": "reviewer" if reviewer else "admin" if admin else "tenant",
            "label": label,
            "agents": agent or [],
            "models": model or [],
            "expires_at": moment(expires, datetime.now(UTC)).isoformat() if expires else None,
            **wanted(rpm, tpm),
        }
        _show_new(connect(url, key_file).post("/sluice/keys", key), as_json=as_json)


@app.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="Only this tenant's.")] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List keys, newest first, without what could be used."""
    from plugins.cli.tenants import require_known

    with output.reporting(as_json=as_json):
        client = connect(url, key_file)
        found: list[dict[str, Any]] = client.get("/sluice/keys")
        if tenant:
            found = [key for key in found if key["tenant_id"] == tenant]
            if not found:
                require_known(client, tenant)
        if as_json:
            output.write_json(found)
            return
        now = datetime.now(UTC)
        output.show_table(COLUMNS, [_row(key, now) for key in found])


@app.command("set")
def set_limits(
    key_id: KeyId,
    rpm: Rpm = None,
    tpm: Tpm = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Limit what a key may ask in a minute; its tenant's limit holds beside it."""
    with output.reporting(as_json=as_json):
        limits = wanted(rpm, tpm)
        if not limits:
            raise CommandError(f"nothing to set: give --rpm or --tpm, each {HOW}")
        path = f"/sluice/keys/{checked_key_id(key_id)}"
        made = connect(url, key_file).patch(path, limits)
        if as_json:
            output.write_json(made)
        else:
            output.say(
                f"key {key_id}: requests a minute {shown(made['requests_per_minute'])},"
                f" tokens a minute {shown(made['tokens_per_minute'])};"
                " every worker follows within two seconds"
            )


@app.command()
def rotate(
    key_id: KeyId,
    grace: Annotated[
        str, typer.Option(help="How long the old key works on: 45m, 1h, at most 30d.")
    ] = "0s",
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one with the same rights."""
    with output.reporting(as_json=as_json):
        how = {"grace_s": int(grace_of(grace).total_seconds())}
        path = f"/sluice/keys/{checked_key_id(key_id)}/rotate"
        _show_new(connect(url, key_file).post(path, how), as_json=as_json)
        if not as_json:
            until = "is refused now" if how["grace_s"] == 0 else f"works for another {grace}"
            output.say(f"the old key {key_id} {until}")


@app.command()
def revoke(
    key_id: KeyId, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Refuse a key for good, on every worker within two seconds."""
    with output.reporting(as_json=as_json):
        connect(url, key_file).post(f"/sluice/keys/{checked_key_id(key_id)}/revoke")
        if as_json:
            output.write_json({"key_id": key_id, "revoked": True})
        else:
            output.say(f"key {key_id} is revoked; every worker refuses it within two seconds")


@app.command("new-admin")
def new_admin(
    data_dir: Annotated[Path, typer.Option(help="As given to `sluice up`.")] = Path(".sluice"),
    as_json: AsJson = False,
) -> None:
    """Make an administrator's key without having one, for an operator who lost theirs.

    Writes to the database itself, so it needs what the gateway has: SLUICE_DATABASE_URL (or
    DATABASE_URL) and SLUICE_SECRET. What of these is not set is taken from the data directory of
    `sluice up`: its secret, and its embedded PostgreSQL, which is started for the moment when the
    gateway is stopped. With another secret than the gateway's the key would not be accepted.
    Revoke the lost one afterwards: sluice keys list, sluice keys revoke.
    """
    from plugins.cli import installation

    with output.reporting(as_json=as_json):
        key = installation.new_admin_key(data_dir)
        if as_json:
            output.write_json({"key": key})
            return
        output.say(f"administrator's key (shown this once): {key}")
        output.say("next: export SLUICE_ADMIN_KEY=<that key>, then revoke the lost one")


def span(text: str) -> timedelta:
    """Read a length of time such as `45m`, `1h` or `30d`.

    Raises:
        CommandError: when it is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise CommandError(
            f"{text[:40]!r} is no length of time: write a whole number and s, m, h, d or w,"
            " such as 30d"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def grace_of(text: str) -> timedelta:
    """Read for how long a rotated key works on, at most 30 days.

    Raises:
        CommandError: when it is no length of time, or a longer one.
    """
    found = span(text)
    if found > MOST_GRACE:
        raise CommandError(f"--grace {text.strip()} is too long: at most 30d")
    return found


def moment(text: str, now: datetime) -> datetime:
    """Read a moment: a length of time from now, or an ISO date or time (UTC unless it says).

    Raises:
        CommandError: when it is neither.
    """
    given = text.strip()
    try:
        if _SPAN.fullmatch(given):
            return now + span(given)
        found = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise CommandError(
            f"--expires {text[:40]!r} is no moment: write a length of time such as 30d, or an ISO"
            " date such as 2027-01-31 or 2027-01-31T12:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def checked_key_id(text: str) -> str:
    """Give a key's public identifier.

    Raises:
        CommandError: when it is none; what may be a whole key is not shown.
    """
    if not _KEY_ID.fullmatch(text):
        raise CommandError(
            "KEY_ID is the key's public part, 10 letters and digits between `sk-` and the next"
            " dash; `sluice keys list` shows it"
        )
    return text


def state_of(key: dict[str, Any], now: datetime) -> str:
    """Say in a word or two whether a key works.

    Args:
        key: as `/sluice/keys` lists it.
        now: UTC.
    """
    if key["revoked_at"]:
        return "revoked"
    expired = bool(key["expires_at"]) and datetime.fromisoformat(key["expires_at"]) <= now
    if key["rotated_to"]:
        return "rotated" if expired else "rotated, in grace"
    return "expired" if expired else "active"


def _row(key: dict[str, Any], now: datetime) -> tuple[object, ...]:
    return (
        key["key_id"],
        key["tenant_id"] or "(administrator)",
        state_of(key, now),
        key["label"],
        ", ".join(key["agents"]) or "all",
        ", ".join(key["models"]) or "all",
        shown(key["requests_per_minute"]),
        shown(key["tokens_per_minute"]),
        output.minute(key["expires_at"]) or "never",
        output.minute(key["created_at"]),
    )


def _show_new(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.write_json(made)
        return
    whose = f"tenant {made['tenant_id']}" if made["tenant_id"] else "an administrator"
    output.say(f"made key {made['key_id']} of {whose} (shown this once):")
    output.say(made["key"])
    if made["expires_at"]:
        output.say(f"it expires at {output.minute(made['expires_at'])}")
