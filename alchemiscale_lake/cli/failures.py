"""`alchemiscale-lake failures`: what failed, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._errors import put_out, say
from ._options import lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    import polars as pl

    from ..store import Lake

__all__ = ["command"]

_COLUMNS = ("task", "transformation_name", "unit", "exception", "hostname", "ended_at", "stderr_path")


@click.command("failures")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--all", "everything", is_flag=True, help="Also failures of Tasks that are complete by now.")
@click.option("--traceback", is_flag=True, help="Print the traceback of each.")
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    everything: bool,
    traceback: bool,
    tsv: bool,
    output: str | None,
) -> None:
    """List what failed, and why.

    One row per failed attempt, oldest first. Paths are within the lake.

    \b
    Example:
      alchemiscale-lake failures tyk2 --traceback
    """
    from ..query import ask, connect
    from ..report import Table
    from ..store import Lake

    opened = Lake.open(lake)
    failures = ask(connect(opened), "failures", scope=scope)
    failures = _wanted(opened, failures, network, scope, everything)
    if traceback and not tsv and output is None:
        for row in failures.iter_rows(named=True):
            put_out(f"{row['task']}  {row['transformation_name']}  {row['unit'] or ''}".rstrip())
            put_out(row["traceback"] or row["exception"])
            put_out("")
    else:
        columns = [*_COLUMNS, "traceback"] if traceback else list(_COLUMNS)
        show_table(Table.of(failures.select(columns)), tsv=tsv, output=output)
    if len(failures) and not everything:
        say("to run them again: alchemiscale-lake tasks set-status waiting --status error")


def _wanted(
    lake: Lake, failures: pl.DataFrame, network: str | None, scope: str | None, everything: bool
) -> pl.DataFrame:
    import polars as pl

    from ..ledger.tasks import network_transformations
    from ..query import find_network

    if network is not None:
        members = network_transformations(lake, find_network(lake, network, scope=scope))
        failures = failures.filter(pl.col("transformation").is_in(members))
    return failures if everything else failures.filter(pl.col("task_status").is_in(["waiting", "running", "error"]))
