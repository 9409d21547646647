"""`alchemiscale-lake rank`: ligands by free energy, and how sure that order is."""

from __future__ import annotations

import click

from ._errors import say
from ._options import lake_option, scope_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("rank")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="K", help="How many are the best few."
)
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Show only the first N.")
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    help="Only what measures this.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=None,
    show_default="10000; 2000 for more than 1000 ligands",
    metavar="N",
    help="Joint draws that are counted.",
)
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    top: int,
    limit: int | None,
    kind: str | None,
    draws: int | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Rank ligands, with the probability of each to be the best or among the best.

    NETWORK is a name, a ScopedKey or the beginning of one; it may be left out if there is only one. The
    lowest free energy is the best. Probabilities and the 95% interval of the rank follow from values and
    uncertainties of the newest round together with their correlation. Run `gather` first.

    \b
    Example:
      alchemiscale-lake rank tyk2 --top 5
    """
    from ..ledger.ranked_ligands import rank_network
    from ..query import connect, find_network
    from ..report.performance import ranking_table
    from ..store import Lake

    opened = Lake.open(lake)
    found = find_network(opened, network, scope=scope)
    ranked = rank_network(connect(opened), found, top=top, kind=kind, n_draws=draws)
    table = ranking_table(ranked, shown=limit)
    show_table(table, tsv=tsv, output=output, counted=f"{len(table.rows)} of {len(ranked.ligands)} ligands")
    say(f"probabilities have a sampling error of {ranked.max_standard_error:.1g} at most")
    if ranked.n_without:
        say(f"left out, without a value and its uncertainty: {ranked.n_without}")
