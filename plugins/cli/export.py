"""`sluice export`: an audit pack of a tenant's calls, its verification, and decided reviews."""

import asyncio
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plugins.cli import installation, output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect
from plugins.cli.output import CommandError
from plugins.cli.spend import checked_day

app: Final = typer.Typer(add_completion=False)
DataDir = Annotated[Path, typer.Option(help="As given to `sluice up`.")]


@app.callback(invoke_without_command=True)
def export(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Option(metavar="ID", help="Whose calls.")] = "",
    first: Annotated[str, typer.Option(metavar="DAY", help="First day, UTC.")] = "",
    last: Annotated[str, typer.Option(metavar="DAY", help="Last day, UTC, included.")] = "",
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the pack.")] = None,
    data_dir: DataDir = Path(".sluice"),
    as_json: AsJson = False,
) -> None:
    """Write a tenant's calls of some days with their hashes, and a manifest, into a folder.

    Reads the database itself: SLUICE_DATABASE_URL, else DATABASE_URL, else the embedded one.
    """
    if ctx.invoked_subcommand is not None:
        return
    with output.reporting(as_json=as_json):
        if not (tenant and first and last and to):
            raise CommandError("name --tenant, --first, --last and --to; or: export verify DIR")
        days = [
            date.fromisoformat(checked_day(*d) or "")
            for d in (("--first", first), ("--last", last))
        ]
        manifest = _export(tenant, days[0], days[1], to, data_dir, quiet=as_json)
        if as_json:
            output.write_json(manifest)
        else:
            output.say(
                f"{manifest['records']:,} records of tenant {tenant} in {to};"
                f" `sluice export verify {to}` checks them anywhere"
            )


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the pack.")],
    as_json: AsJson = False,
) -> None:
    """Check a pack by itself, without gateway or database; with SLUICE_SECRET its seal too."""
    from plugins.core.chain import Seals
    from plugins.lineage.export import verify_pack

    secret = os.environ.get("SLUICE_SECRET", "").strip()
    count, wrong = verify_pack(folder, Seals(secret) if secret else None)
    if as_json:
        output.write_json({"ok": not wrong, "records": count, "faults": wrong})
    else:
        for one in wrong:
            output.say(f"fault  {output.plain(one)}")
        if not wrong:
            sealed = "its seal fits" if secret else "its seal needs SLUICE_SECRET"
            output.say(f"{count:,} records: as they were written; {sealed}")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def reviews(
    first: Annotated[str, typer.Option(metavar="DAY", help="First day of decisions, UTC.")],
    last: Annotated[str, typer.Option(metavar="DAY", help="Last day, UTC, included.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="Written anew.")],
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="Whose; else all.")] = None,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write decided reviews as JSON lines, for ground truth and fine-tuning.

    Needs an administrator's key. Texts are those of tenants that keep the text of their calls,
    and masked.
    """
    with output.reporting(as_json=as_json):
        params = {"first": checked_day("--first", first), "last": checked_day("--last", last)}
        if tenant is not None:
            params["tenant_id"] = tenant
        client = connect(url, key_file)
        try:
            with to.open("wb") as file:
                count = client.download("/sluice/reviews/export", params, file)
        except OSError as error:
            raise CommandError(f"--to {to}: {error.strerror or error}") from error
        if as_json:
            output.write_json({"items": count, "file": str(to)})
        else:
            output.say(f"{count:,} decided items in {to}")


def _export(
    tenant: str, first: date, last: date, to: Path, data_dir: Path, *, quiet: bool
) -> dict[str, Any]:
    secret = installation.find_secret(os.environ, data_dir)
    with installation.open_database(os.environ, data_dir) as url:
        try:
            return asyncio.run(_written(url, secret, (tenant, first, last), to, quiet=quiet))
        except OSError as error:
            raise CommandError(f"--to {to}: {error.strerror or error}") from error


async def _written(
    url: str, secret: str, wanted: tuple[str, date, date], to: Path, *, quiet: bool
) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from plugins.core.chain import Seals
    from plugins.lineage.export import Wanted, export
    from plugins.store.database import create_engine

    engine = create_engine(url, None)
    shown = sys.stderr.isatty() and not quiet
    columns = (TextColumn("writing records"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
            task = bar.add_task("", total=None)

            def progress(done: int, total: int) -> None:
                bar.update(task, completed=done, total=max(done, total))

            return await export(engine, Seals(secret), Wanted(*wanted), to, progress)
    finally:
        await engine.dispose()
