"""`sluice erase`: takes a person out of a tenant's calls."""

from typing import Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect

app: Final = typer.Typer(add_completion=False)


@app.command()
def erase(
    subject: Annotated[str, typer.Option(metavar="ID", help="As in x-sluice-subject.")],
    tenant: Annotated[str, typer.Option(metavar="ID", help="Whose calls.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase a subject from a tenant's calls and from all that came of them; again is no harm.

    Personal columns, kept texts, cached answers and what people wrote of them go; figures, digests
    and the chain stay. What is still on its way to the ledger is erased as it arrives. Needs an
    administrator's key in SLUICE_ADMIN_KEY.
    """
    with output.reporting(as_json=as_json):
        order = {"tenant_id": tenant, "subject": subject, "dry_run": dry_run}
        told: dict[str, Any] = connect(url, key_file).post("/sluice/erasures", order)
        if as_json:
            output.write_json(told)
            return
        done = "would be erased" if dry_run else "erased"
        cached = "unknown (the cache is away)" if told["cached"] is None else told["cached"]
        output.say(
            f"{done}: {told['calls']} calls, {told['texts']} texts, {cached} cached answers,"
            f" {told['said']} statements and reviews, {told['rejects']} settlements set aside"
        )
