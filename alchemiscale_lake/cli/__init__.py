"""The command line: one file per command, imported on use so that `--help` is fast.

Data goes to stdout, messages to stderr. A command raises `LakeError`; `_errors` prints it as one line.
"""

from __future__ import annotations

import importlib
import keyword
from typing import Final

import click

from ..secrecy import forbid_reading
from ..suggestions import did_you_mean
from ._errors import LakeGroup
from ._options import group_lake_option

__all__ = ["COMMANDS", "main"]

#: Command -> its summary in the list of commands; the module has the same name, with `_` for `-` and after a keyword.
COMMANDS: Final = {
    "init": "Create an empty lake.",
    "submit": "Store a network in a lake.",
    "run": "Submit a network, run all of its Tasks here, and print its free energies.",
    "dispatch": "Run the waiting Tasks of a lake.",
    "pools": "Show and check the pools of a pools file.",
    "estimate-cost": "Estimate the cost and completion time of a network.",
    "cost-model": "Train cost models, and show their data and accuracy.",
    "plan-dispatch": "Show which pool would claim which Tasks, and why.",
    "gather": "Update and print free energy estimates.",
    "view": "Draw a network as one HTML page.",
    "compare": "Compare estimates with experiment.",
    "rank": "Rank ligands, with the uncertainty of the order.",
    "history": "Show what happened to a network between two times.",
    "status": "Count Tasks by status.",
    "networks": "List networks, set their state, weight, links and restart patterns.",
    "fortify": "Propose redundant edges of a network, and add them.",
    "strategy": "Let a Strategy choose what to compute next.",
    "tasks": "List, create and change Tasks.",
    "failures": "List failures and their causes.",
    "logs": "Print what the units of a Task wrote.",
    "files": "List, copy and prune kept files.",
    "packages": "Show which package versions computed results.",
    "hosts": "Show the reliability of hosts, and which are quarantined.",
    "usage": "Show compute, cost and failure rates.",
    "query": "Query the lake in SQL.",
    "import-results": "Import results of openfe quickrun, and tables of edges.",
    "archive": "Write networks to one file that opens anywhere.",
    "import": "Import an archive into a lake.",
    "assays": "Import, list and withdraw experimental values.",
    "maintain": "Compact tables and delete files that are no longer needed.",
    "migrate": "Upgrade a lake to the current format.",
    "doctor": "Examine a lake from end to end, and repair it.",
    "copy-lake": "Copy a lake that is in use to another place, as a backup or to move.",
    "verify": "Check every file of a lake against its digest.",
    "up": "Serve the Prefect UI and the deployments.",
}


class _Lazy(LakeGroup):
    """A group that imports a command on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"{__name__}.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # imports no command
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alchemiscale-lake")
@group_lake_option
def main() -> None:
    """Run alchemical free energy campaigns at scale, on a lake of tables.

    A lake is a folder or an S3 URL. --lake may be given before or after a command and its subcommand;
    the default is ALCHEMISCALE_LAKE, else ./lake.

    \b
    Example:
      alchemiscale-lake run network.json --scope org-campaign-project
    """
    # the environment holds the lake's credentials, and ProtocolUnits of the same user could read it
    forbid_reading()
