"""The command line: one file per command, imported when it is called, so that `--help` is fast.

stdout is the data, stderr is the talk. A command raises `LakeError`; `_errors` makes one line of it.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

from ..secrecy import forbid_reading
from ..suggestions import did_you_mean
from ._errors import LakeGroup

__all__ = ["COMMANDS", "main"]

#: Command -> one sentence for the list of commands; the module has the same name, with `_` for `-`.
COMMANDS: Final = {
    "init": "Create an empty lake.",
    "submit": "Store a network in a lake.",
    "run": "Submit a network, run all of its Tasks here, and print its free energies.",
    "dispatch": "Run the Tasks of a lake that wait.",
    "pools": "Show and check the pools of a pools file.",
    "estimate-cost": "Estimate what a network will cost, and when it will be done.",
    "cost-model": "Train models of cost, and show what they rest on.",
    "plan-dispatch": "Explain what would be claimed where, and why.",
    "gather": "Print estimates.",
    "view": "Draw a network as one page.",
    "compare": "Compare estimates with experiment.",
    "rank": "Rank ligands, and say how sure the order is.",
    "status": "Count Tasks by status.",
    "networks": "List networks, set their state and weight, have failed Tasks restarted.",
    "tasks": "List Tasks, and change them.",
    "failures": "List what failed, and why.",
    "hosts": "Show how hosts behaved, and which get nothing for now.",
    "usage": "Show what was computed, what it cost, where it failed.",
    "query": "Ask the lake in SQL.",
    "import-results": "Import results of openfe quickrun, and tables of edges.",
    "assays": "Import experimental values.",
    "maintain": "Keep a lake fast and small.",
    "verify": "Check every file of a lake against its digest.",
    "up": "Serve the Prefect UI and the deployments.",
}


class _Lazy(LakeGroup):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # without importing any of them
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alchemiscale-lake")
def main() -> None:
    """Alchemical free energy campaigns at scale, on a lake of tables.

    A lake is a folder or an S3 URL. Every command takes --lake; by default it is ALCHEMISCALE_LAKE,
    else ./lake.

    \b
    Example:
      alchemiscale-lake run network.json --scope org-campaign-project
    """
    # the environment has the lake's credentials, and units that run beside this may look
    forbid_reading()
