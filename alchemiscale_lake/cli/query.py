"""`alchemiscale-lake query`: SQL over the lake."""

from __future__ import annotations

import sys

import click

from ._options import lake_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("query")
@click.argument("sql", required=False)
@lake_option
@click.option("--list", "listed", is_flag=True, help="List tables and named questions instead.")
@click.option(
    "--unsafe",
    is_flag=True,
    help="Let the statement do all that DuckDB can: read and write files, attach databases, load extensions.",
)
@output_options
def command(sql: str | None, lake: str, listed: bool, unsafe: bool, tsv: bool, output: str | None) -> None:
    """Ask the lake in SQL.

    SQL is one DuckDB statement; every table and every named question of the lake is a view. With `-`
    it is read from standard input. It can read the lake and nothing else, unless --unsafe is given.

    \b
    Example:
      alchemiscale-lake query "from throughput order by gpu_h desc"
    """
    from ..query import QUESTIONS, connect, read_sql
    from ..report import Table
    from ..schemas import TABLES
    from ..store import Lake

    if listed:
        tables = [(name, "table", schema.doc) for name, schema in TABLES.items()]
        questions = [(q.name, "question", f"{q.says}; {q.grain}") for q in QUESTIONS.values() if q.order_by]
        show_table(Table(("name", "kind", "holds"), tables + questions), tsv=tsv, output=output)
        return
    if sql is None:
        raise click.UsageError("give an SQL statement, or --list to see what can be asked")
    text = sys.stdin.read() if sql == "-" else sql
    show_table(Table.of(read_sql(connect(Lake.open(lake), unsafe=unsafe), text)), tsv=tsv, output=output, as_asked=True)
