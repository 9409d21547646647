"""`alchemiscale-lake query`: SQL over the lake."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Final

import click

from ._options import as_of_option, lake_option, open_lake
from ._show import output_options, show_table

__all__ = ["command"]

#: Columns of any answer that a narrow terminal omits last.
_KEEP: Final = (
    "name", "ligand", "ligand_i", "ligand_j", "gpu_h", "value_kcal_mol", "uncertainty_kcal_mol", "n_results",
    "n_failed",
)  # fmt: skip
#: Numbers of any answer and their uncertainties; a terminal rounds both as `gather` does.
_UNCERTAINTY_OF: Final = {
    "value_kcal_mol": "uncertainty_kcal_mol",
    "estimate_kcal_mol": "uncertainty_kcal_mol",
    "experiment_kcal_mol": "experiment_uncertainty_kcal_mol",
}


@click.command("query")
@click.argument("sql", required=False)
@lake_option
@click.option("--list", "listed", is_flag=True, help="List tables and named queries instead.")
@click.option(
    "--unsafe",
    is_flag=True,
    help="Allow everything DuckDB can do: read and write files, attach databases, load extensions.",
)
@as_of_option
@output_options
def command(
    sql: str | None, lake: str, listed: bool, unsafe: bool, as_of: str | None, tsv: bool, output: str | None
) -> None:
    """Query the lake in SQL.

    SQL is one DuckDB statement; every table and every named query of the lake is a view. With `-`, the
    statement is read from standard input. It can read only the lake, unless --unsafe is given.

    \b
    Examples:
      alchemiscale-lake query "from throughput order by gpu_h desc"
      alchemiscale-lake query "from ligand_ranking" --as-of 2026-11-29
    """
    from ..query import NAMED_QUERIES, connect, read_sql
    from ..report import Table
    from ..report.digits import EXPERIMENT_DECIMALS
    from ..schemas import TABLES

    if listed:
        tables = [(name, "table", schema.doc) for name, schema in TABLES.items()]
        queries = [(q.name, "named query", f"{q.description}; {q.grain}") for q in NAMED_QUERIES.values() if q.order_by]
        show_table(Table(("name", "kind", "contents"), tables + queries, is_sheet=True), tsv=tsv, output=output)
        return
    if sql is None:
        raise click.UsageError("give an SQL statement, or --list to list tables and named queries")
    text = sys.stdin.read() if sql == "-" else sql
    found = Table.of(read_sql(connect(open_lake(lake, as_of), unsafe=unsafe), text))
    rounded = {one: by for one, by in _UNCERTAINTY_OF.items() if {one, by} <= set(found.columns)}
    decimals = {name: EXPERIMENT_DECIMALS for name in ("experiment_kcal_mol",) if name in found.columns}
    show_table(
        replace(found, keep=_KEEP, precision_of=rounded, decimals=decimals), tsv=tsv, output=output, as_asked=True
    )
