"""`sluice check --chain`: whether anyone has changed the ledger since it was written."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from plugins.cli import installation
from plugins.cli.check_findings import Finding, fault, ok, warning
from plugins.cli.output import CommandError

if TYPE_CHECKING:
    from plugins.lineage.rules import Head
    from plugins.lineage.verify import Report

TOPIC: Final = "chain"
_REMEDY: Final = "see docs/lineage.md: compare with a backup or an export of that time"


def chain_findings(
    data_dir: Path, against: Path | None, tenant: str | None, *, quiet: bool
) -> list[Finding]:
    """Follow the chains of this installation's database.

    Args:
        data_dir: as given to `sluice up`.
        against: manifest of an earlier export, or its folder.
        tenant: only this one's chain.
        quiet: no progress bar.
    """
    try:
        heads = read_heads(against) if against else []
        secret = installation.find_secret(os.environ, data_dir)
        with installation.open_database(os.environ, data_dir) as url:
            report = asyncio.run(_verify(url, secret, heads, tenant, quiet=quiet))
    except CommandError as error:
        return [fault(TOPIC, error.message, "")]
    except Exception as error:  # noqa: BLE001 - whatever keeps us from looking is the finding
        cause = installation.cause_of(error.__cause__ or error)
        return [fault(TOPIC, f"the chains cannot be followed: {cause}", "run `sluice migrate`")]
    return findings_of(report)


def findings_of(report: "Report") -> list[Finding]:
    """Say what was found, a line each."""
    found = [
        fault(
            TOPIC,
            f"{one.wrong.value}: tenant {one.tenant_id}"
            + ("" if one.seq is None else f", row {one.seq}")
            + (f", call {one.call_id}" if one.call_id else "")
            + f": {one.text}",
            _REMEDY,
        )
        for one in report.faults
    ]
    if report.unchained:
        message = f"{report.unchained:,} rows are from before the chain: counted, not covered"
        found.append(warning(TOPIC, message, "nothing is to be done"))
    told = f"{report.rows:,} rows of {report.tenants} tenants, {report.erased:,} of them erased"
    return found or [ok(TOPIC, f"{told}: nothing was changed, removed or inserted")]


def read_heads(path: Path) -> "list[Head]":
    """Read the ends of chains out of the manifest of an export.

    Raises:
        CommandError: when there is none, or it is none.
    """
    from plugins.lineage.rules import Head

    path = path / "manifest.json" if path.is_dir() else path
    try:
        manifest = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        return [
            Head(
                tenant,
                int(head["seq"]),
                bytes.fromhex(head["hash"]),
                bytes.fromhex(head["seal"]),
                int(head["unchained"]),
            )
            for tenant, head in manifest["heads"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        cause = getattr(error, "strerror", None) or "is no manifest of `sluice export`"
        raise CommandError(f"--against {path}: {cause}") from error


async def _verify(
    url: str, secret: str, heads: "list[Head]", tenant: str | None, *, quiet: bool
) -> "Report":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from plugins.core.chain import Seals
    from plugins.lineage.verify import verify
    from plugins.store.database import create_engine

    engine = create_engine(url, None)
    columns = (TextColumn("following the chains"), BarColumn(), MofNCompleteColumn())
    shown = sys.stderr.isatty() and not quiet
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
            task = bar.add_task("", total=None)

            def progress(done: int, total: int) -> None:
                bar.update(task, completed=done, total=max(done, total))

            return await verify(
                engine, Seals(secret), against=heads, only=tenant, progress=progress
            )
    finally:
        await engine.dispose()
