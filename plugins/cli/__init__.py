"""The command `sluice`: one module per subcommand, imported only when it is used.

A new subcommand is one line in `COMMANDS` and a module `plugins/cli/<name>.py` with `app`, a
`typer.Typer`: one command in it makes `sluice <name>`, several make `sluice <name> <command>`.
"""

import importlib
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

COMMANDS: Final = {
    "up": "Start the gateway with everything it needs, and keep it running.",
    "check": "Find the faults of configuration, environment and stores, and how to mend them.",
    "migrate": "Bring the database to this release's schema.",
    "tenants": "Make, list, limit, suspend and resume tenants.",
    "keys": "Make, list, limit, rotate and revoke virtual keys.",
    "circuits": "Show the providers' circuit breakers, and set them by hand.",
    "cache": "Show what the response cache holds and saves, and empty it.",
    "alerts": "Try the senders of alerts.",
    "limits": "Show what is used of each limit of requests and tokens a minute.",
    "feedback": "State and sum what people say of answers, and what became of candidates.",
    "confidence": "Show how well confidence is calibrated, by agent and model.",
    "spend": "Show what was spent, by day, agent or model.",
    "lineage": "Show the calls that a call came of, and what came of it.",
    "erase": "Erase a person from the calls of a tenant.",
    "export": "Write an audit pack of a tenant's calls, or verify one.",
}


class LazyCommands(TyperGroup):
    """The subcommands by name; the list of them shown by --help imports none."""

    _listing = False

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """Name the subcommands, in the order of a newcomer's need."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one subcommand; None when there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        command = typer.main.get_command(importlib.import_module(f"plugins.cli.{cmd_name}").app)
        command.name = cmd_name
        return command

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, for which the subcommands' names and summaries are enough."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app: Final = typer.Typer(
    cls=LazyCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def sluice() -> None:
    """Sluice: one door for every language-model call."""
