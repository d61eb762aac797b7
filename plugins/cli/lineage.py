"""`sluice lineage`: what a call came of and what came of it, as a tree."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from plugins.cli import output
from plugins.cli.client import DEFAULT_URL, AsJson, KeyFile, Url, connect, segment
from plugins.cli.output import CommandError

if TYPE_CHECKING:
    from rich.tree import Tree

app: Final = typer.Typer(add_completion=False)
TEXT_SHOWN: Final = 2000
"""Characters of a text that are shown; --json gives all."""


@app.command()
def lineage(
    call_id: Annotated[
        str | None, typer.Argument(metavar="[CALL_ID]", help="As in x-sluice-call-id.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(metavar="TYPE/ID", help="All calls about one record instead.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="With --entity: only this tenant's.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="With what was said, where kept.")] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a call with all that it came of and all that came of it.

    With an administrator's key in SLUICE_ADMIN_KEY for all tenants; with a tenant's key its own.
    """
    with output.reporting(as_json=as_json):
        path, asked = _wanted(call_id, entity, tenant)
        if text:
            asked["text"] = "true"
        told: dict[str, Any] = connect(url, key_file).get(path, asked)
        if as_json:
            output.write_json(told)
        else:
            show(told)


def _wanted(
    call_id: str | None, entity: str | None, tenant: str | None
) -> tuple[str, dict[str, Any]]:
    if (call_id is None) == (entity is None):
        raise CommandError("name a call, or a record with --entity, such as resume/r-17")
    if call_id is not None:
        return f"/sluice/lineage/{segment(call_id)}", {}
    kind, slash, name = (entity or "").partition("/")
    if not (kind and slash and name):
        raise CommandError(f"--entity {entity!r}: write it like resume/r-17")
    asked = {"tenant_id": tenant} if tenant else {}
    return f"/sluice/lineage/entity/{segment(kind)}/{segment(name)}", asked


def show(told: dict[str, Any]) -> None:
    """Draw the trees of an answer of the gateway's."""
    from plugins.cli.up_console import PipeConsole

    calls: dict[str, dict[str, Any]] = {call["call_id"]: call for call in told["calls"]}
    width = None if sys.stdout.isatty() else output.PIPE_WIDTH
    console = PipeConsole(highlight=False, markup=False, width=width)
    for root in told["roots"]:
        console.print(_tree(root, calls))
    count = len(calls)
    output.say(f"{count} call{'s' * (count != 1)}" + (", and more" if told["truncated"] else ""))


def _tree(root: str, calls: dict[str, dict[str, Any]]) -> "Tree":
    """Draw one tree; a stack of our own, since a chain of calls may be long."""
    from rich.tree import Tree

    top = Tree(line(calls[root]))
    waiting, seen = [(top, root)], {root}
    while waiting:
        branch, call_id = waiting.pop()
        for text in _texts(calls[call_id]):
            branch.add(text, style="dim")
        for child in calls[call_id]["children"]:
            if child in calls and child not in seen:
                seen.add(child)
                waiting.append((branch.add(line(calls[child])), child))
    return top


def line(call: dict[str, Any]) -> str:
    """Say of a call what it was, whom it was about and what it cost, on one line."""
    about = f"{call['entity_type']}/{call['entity_id']}" if call["entity_id"] else None
    who = "erased" if call["erased_at"] else call["subject"]
    words = [
        call["agent"] or call["model_asked"],
        call["model_served"] or "-",
        call["outcome"] if call["verdict"] == "allow" else f"{call['outcome']}, {call['verdict']}",
        about,
        who,
        f"${call['cost_usd']}",
        output.minute(call["started_at"]),
        call["call_id"],
    ]
    return output.plain("  ".join(word for word in words if word))


def _texts(call: dict[str, Any]) -> list[str]:
    text = call["text"]
    if text is None:
        return []
    return [f"{side}: {output.plain(text[side][:TEXT_SHOWN])}" for side in ("input", "output")]
