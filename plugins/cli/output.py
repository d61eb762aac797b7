"""What the operator commands print: lines and tables for people, JSON for programs."""

import json
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.table import Table

from plugins.cli.up_console import PipeConsole

PIPE_WIDTH: Final = 200
"""Columns of a table that goes to a file or a program, which has no width of its own."""


class CommandError(Exception):
    """A command cannot go on; the message is one line that says why and what to do.

    Args:
        message: for the operator; never holds a key.
        code: the gateway's stable code where it said one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message: Final = message
        self.code: Final = code


@contextmanager
def reporting(*, as_json: bool) -> Generator[None]:
    """Turn a command's error into one line on stderr (and JSON on stdout) and exit code 1."""
    try:
        yield
    except CommandError as error:
        if as_json:
            write_json({"error": {"message": error.message, "code": error.code}})
        console = PipeConsole(stderr=True, highlight=False)
        console.print("[bold red]error[/]: ", end="")
        code = f" ({error.code})" if error.code else ""
        console.print(plain(error.message) + code, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


def say(text: str) -> None:
    """Write one line, as it is."""
    PipeConsole(highlight=False).print(text, markup=False, soft_wrap=True)


def write_json(value: Any) -> None:
    """Write a value for a program."""
    say(json.dumps(value, indent=1, ensure_ascii=False))


def plain(text: str) -> str:
    """Take out what could steer a terminal; tenants' names and labels are anyone's text."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def minute(printed: str | None) -> str | None:
    """Give a moment of the gateway's to the minute, UTC."""
    if printed is None:
        return None
    return datetime.fromisoformat(printed).astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    total: Sequence[object] = (),
) -> None:
    """Write a table.

    Args:
        columns: headings.
        rows: cells; None is shown as a dash.
        numbers: headings of the columns that are aligned to the right.
        total: a last row, apart from the others.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(
            heading, justify="right" if heading in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(_cell, row))
    if total:
        table.add_section()
        table.add_row(*map(_cell, total), style="bold")
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    PipeConsole(highlight=False, markup=False, width=width).print(table)


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else plain(str(value))
