"""`sluice feedback`: what people say of answers, and what became of candidates."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect

app: Final = typer.Typer(no_args_is_help=True, add_completion=False)


class Kind(StrEnum):
    """What somebody says of an answer."""

    THUMBS_UP = "thumbs_up"
    THUMBS_DOWN = "thumbs_down"
    ACCEPTED = "accepted"
    OVERRIDDEN = "overridden"


class Stage(StrEnum):
    """How far a candidate came."""

    SHORTLISTED = "shortlisted"
    INTERVIEWED = "interviewed"
    HIRED = "hired"
    REJECTED = "rejected"


CallId = Annotated[
    str, typer.Argument(metavar="CALL", help="The answer's `x-sluice-call-id`, a UUID.")
]
Once = Annotated[
    str | None,
    typer.Option("--once", metavar="TEXT", help="The same text again is the same statement."),
]
COUNTS: Final = ("THUMBS UP", "DOWN", "SCORE", "ACCEPTED", "OVERRIDDEN", "OVERRIDE RATE")


@app.callback()
def feedback() -> None:
    """State, list and sum what people say of answers, and what became of candidates.

    With an administrator's key in SLUICE_ADMIN_KEY of any tenant's calls; with a tenant's key of
    its own.
    """


@app.command()
def add(
    call_id: CallId,
    kind: Kind,
    comment: Annotated[str | None, typer.Option(help="In their words; at most 2000.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who says it, by your own name.")] = None,
    once: Once = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """State something of an answer."""
    body = {"call_id": call_id, "kind": kind.value, "comment": comment, "reviewer": reviewer}
    with output.reporting(as_json=as_json):
        kept = connect(url, key_file).post("/sluice/feedback", _given(body, once))
        _report(kept, f"{kept['kind']} of call {kept['call_id']}", as_json=as_json)


@app.command()
def convert(
    stage: Stage,
    call_id: Annotated[str | None, typer.Option("--call", help="The call that led there.")] = None,
    subject: Annotated[str | None, typer.Option(help="The candidate; a tenant's key only.")] = None,
    agent: Annotated[str | None, typer.Option(help="Credited where no call is named.")] = None,
    once: Once = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """State that a candidate has reached a stage."""
    body = {"stage": stage.value, "call_id": call_id, "subject": subject, "agent": agent}
    with output.reporting(as_json=as_json):
        kept = connect(url, key_file).post("/sluice/conversions", _given(body, once))
        about = kept["call_id"] or kept["subject"]
        _report(kept, f"{kept['stage']}: {about}", as_json=as_json)


@app.command("list")
def list_all(
    call_id: Annotated[str | None, typer.Option("--call", help="Of this call.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List what was said, newest first."""
    with output.reporting(as_json=as_json):
        asked = {"limit": limit} | ({"call_id": call_id} if call_id else {})
        found: list[dict[str, Any]] = connect(url, key_file).get("/sluice/feedback", asked)
        if as_json:
            output.write_json(found)
            return
        names = ("call_id", "kind", "agent", "model", "reviewer", "comment")
        rows = [(output.minute(f["stated_at"]), *(f[name] for name in names)) for f in found]
        output.show_table(("STATED", *(n.upper() for n in names)), rows)


@app.command()
def summary(
    days: Annotated[int, typer.Option(min=1, max=400, help="Up to today, UTC.")] = 30,
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="This tenant's.")] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Sum what was said by agent and model, and what became of candidates by agent."""
    with output.reporting(as_json=as_json):
        client = connect(url, key_file)
        asked: dict[str, Any] = {"tenant_id": tenant} if tenant else {}
        told: dict[str, Any] = client.get("/sluice/feedback/summary", asked)
        if days != 30:
            first = date.fromisoformat(told["last"]) - timedelta(days=days)
            told = client.get("/sluice/feedback/summary", asked | {"first": first.isoformat()})
        if as_json:
            output.write_json(told)
        else:
            _show(told)


@app.command()
def erase(
    call_id: CallId, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Forget comments, reviewers and subjects of what was said of a call; it still counts."""
    with output.reporting(as_json=as_json):
        done = connect(url, key_file).post("/sluice/feedback/erase", {"call_ids": [call_id]})
        if as_json:
            output.write_json(done)
        else:
            output.say(f"erased in {done['erased']} rows; what was said still counts")


def _given(body: dict[str, Any], once: str | None) -> dict[str, Any]:
    """Leave out what was not named."""
    named = body | {"idempotency_key": once}
    return {name: value for name, value in named.items() if value is not None}


def _report(kept: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        output.write_json(kept)
    else:
        output.say(f"kept {what}" if kept["is_new"] else f"known already: {what}")


def _show(told: dict[str, Any]) -> None:
    whose = f"tenant {told['tenant_id']}" if told["tenant_id"] else "all tenants"
    output.say(f"{whose}, {told['first']} to {told['last']} (UTC)")
    said = [
        (
            row["agent"],
            row["model"],
            row["thumbs_up"],
            row["thumbs_down"],
            _share(row["score"]),
            row["accepted"],
            row["overridden"],
            _share(row["override_rate"]),
        )
        for row in told["feedback"]
    ]
    output.show_table(("AGENT", "MODEL", *COUNTS), said, numbers=COUNTS)
    reached = [(row["agent"], row["stage"], row["count"]) for row in told["conversions"]]
    output.show_table(("AGENT", "STAGE", "CANDIDATES"), reached, numbers=("CANDIDATES",))


def _share(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
