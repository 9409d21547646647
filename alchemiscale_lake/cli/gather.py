"""`alchemiscale-lake gather`: bring estimates up to date and print them, as `openfe gather` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._errors import say
from ._options import lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..query import Connection

__all__ = ["command"]


@click.command("gather")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--report",
    type=click.Choice(["dg", "ddg", "raw"], case_sensitive=False),
    default="dg",
    show_default=True,
    help="Ligands (dg), edges between them (ddg), or every result of every leg (raw).",
)
@output_options
@click.option(
    "--plot",
    default=None,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Draw estimate against experiment (png, pdf, svg).",
)
@click.option(
    "--allow-partial", is_flag=True, help="With dg: show the parts of a disconnected network, each by itself."
)
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    report: str,
    tsv: bool,
    output: str | None,
    plot: str | None,
    allow_partial: bool,
) -> None:
    """Bring the estimates of a network up to date, and print them.

    NETWORK is a name, a ScopedKey or the beginning of one; it may be left out if there is only one.
    Values are in kcal/mol. What failed prints Error; what has not run yet is left out.

    \b
    Example:
      alchemiscale-lake gather tyk2 --report ddg -o ddg.tsv
    """
    from ..ledger.estimates import gather_network
    from ..query import connect, find_network
    from ..report import REPORTS
    from ..store import Lake

    opened = Lake.open(lake)
    found = find_network(opened, network, scope=scope)
    done = gather_network(opened, found)
    say(f"{done.n_regathered} of {done.n_transformations} Transformations had new results")
    connection = connect(opened)
    estimates = REPORTS[report](connection, found, allow_partial=allow_partial)
    show_table(estimates.table, tsv=tsv, output=output, counted=estimates.counted)
    for remark in estimates.remarks:
        say(remark)
    if plot is not None:
        _draw(connection, found, report, Path(plot))


def _draw(connection: Connection, network: str, report: str, target: Path) -> None:
    from ..query import ask
    from ..report import ddg_pairs, dg_pairs, performance_line, plot_pairs

    ranking = ask(connection, "ligand_ranking", network=network)
    edges = report == "ddg"
    pairs = ddg_pairs(ask(connection, "latest_edges", network=network), ranking) if edges else dg_pairs(ranking)
    figure = plot_pairs(pairs, quantity="ΔΔG" if edges else "ΔG")
    figure.savefig(target)
    say(f"wrote {target} ({len(pairs)} {'edges' if edges else 'ligands'}; {performance_line(pairs)})")
