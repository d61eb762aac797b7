"""`sluice migrate`: for a database of your own when the gateway is not started by `sluice up`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from plugins.cli import output
from plugins.cli.client import AsJson

app: Final = typer.Typer(add_completion=False)


@app.command()
def migrate(
    data_dir: Annotated[Path, typer.Option(help="As given to `sluice up`.")] = Path(".sluice"),
    as_json: AsJson = False,
) -> None:
    """Bring the database to this release's schema; does nothing when it is there already.

    The database is SLUICE_DATABASE_URL, else DATABASE_URL. `sluice up` does this by itself.
    """
    from plugins.cli import installation

    with output.reporting(as_json=as_json):
        head = installation.upgrade(data_dir)
        if as_json:
            output.write_json({"revision": head})
        else:
            output.say(f"the database has this release's schema ({head})")
