"""`alchemiscale-lake failures`: failed attempts and their causes."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ._errors import put_out, say
from ._options import commands_here, lake_option, scope_option
from ._show import is_for_people, output_options, show_table

if TYPE_CHECKING:
    import polars as pl

    from ..store import Lake

__all__ = ["command"]

#: Most important first.
_KEEP = ("exception", "transformation_name", "traceback", "unit")
_COLUMNS = ("task", "transformation_name", "unit", "exception", "hostname", "ended_at", "stderr_path")


@click.command("failures")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--all", "everything", is_flag=True, help="Also list failures of Tasks that are now complete.")
@click.option("--group", is_flag=True, help="Describe in words what failed where: one paragraph per cause.")
@click.option("--each", is_flag=True, help="One row per failed attempt, oldest first, instead of one per cause.")
@click.option("--traceback", is_flag=True, help="Print the traceback of each failure.")
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    everything: bool,
    group: bool,
    each: bool,
    traceback: bool,
    tsv: bool,
    output: str | None,
) -> None:
    """List failures and their causes.

    One row per cause: the same exception at the same place of the same unit, ignoring numbers, addresses, paths, keys
    and times. With --group, one paragraph per cause, with the hosts and the command that shows the output of the newest
    failure; in a file or a pipe, a table. With --each, one row per failed attempt, with paths relative to the lake.

    \b
    Examples:
      alchemiscale-lake failures tyk2 --group
      alchemiscale-lake failures tyk2 --traceback
    """
    from ..query import ask, connect_for, group_failures, require_scope
    from ..report import Table
    from ..report.failures import causes_table, failures_table
    from ..store import Lake

    if group and (each or traceback):
        raise click.UsageError("--group goes with neither --each nor --traceback")

    opened = Lake.open(lake)
    require_scope(opened, scope)
    failures = ask(connect_for(opened, "failures"), "failures", scope=scope)
    failures = _wanted(opened, failures, network, scope, everything)
    kinds = failures if each else group_failures(failures)
    if group and is_for_people(tsv, output):
        _put_causes(kinds)
    elif group:
        show_table(causes_table(kinds), tsv=tsv, output=output, empty="")
    elif traceback and not tsv and output is None:
        for row in kinds.iter_rows(named=True):
            many = f"{row['n']} x, newest: " if not each and row["n"] > 1 else ""
            put_out(f"{many}{row['task']}  {row['transformation_name']}  {row['unit'] or ''}".rstrip())
            put_out(row["traceback"] or row["exception"])
            put_out("")
    elif each:
        columns = [*_COLUMNS, "traceback"] if traceback else list(_COLUMNS)
        show_table(replace(Table.of(failures.select(columns)), keep=_KEEP), tsv=tsv, output=output, empty="")
    else:
        show_table(failures_table(kinds), tsv=tsv, output=output, empty="")
    if failures.is_empty():
        say(
            "nothing failed"
            if everything
            else "there are no failed Tasks; --all also lists failures of Tasks that are now complete"
        )
    elif not everything:
        of = "" if network is None else f" --network {shlex.quote(network)}"
        of += "" if scope is None else f" --scope {shlex.quote(scope)}"
        say(f"next: alchemiscale-lake tasks retry{of}")


def _put_causes(causes: pl.DataFrame) -> None:
    from ..report.failures import failure_lines

    width = shutil.get_terminal_size().columns
    for cause in causes.iter_rows(named=True):
        first, *rest = failure_lines(cause, width)
        put_out(first, bold=True)
        put_out("\n".join(commands_here(rest)))


def _wanted(
    lake: Lake, failures: pl.DataFrame, network: str | None, scope: str | None, everything: bool
) -> pl.DataFrame:
    import polars as pl

    from ..query import find_network
    from ..statestore.task_operations import network_transformations

    if network is not None:
        members = network_transformations(lake, find_network(lake, network, scope=scope))
        failures = failures.filter(pl.col("transformation").is_in(members))
    return failures if everything else failures.filter(pl.col("task_status").is_in(["waiting", "running", "error"]))
