"""`alchemiscale-lake rank`: ligands by free energy, with the uncertainty of the order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from ..plurals import part
from ._errors import say
from ._options import as_of_option, lake_option, open_lake, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..estimates.model_errors import AskedModelError
    from ..estimates.ranked_ligands import RankedNetwork

__all__ = ["command"]


def _model_error(ctx: click.Context, param: click.Parameter, value: str) -> AskedModelError:
    """Parse `auto`, `none`, or a number of kcal/mol."""
    text = value.strip().lower()
    if text in ("auto", "none"):
        return "auto" if text == "auto" else None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise click.BadParameter(
            f"{value!r} is not a model error; give auto, none, or kcal/mol such as 0.9", ctx, param
        )
    return number


@click.command("rank")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="K",
    help="Number of ligands that count as the best.",
)
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Show only the first N ligands.")
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    help="Only values of this quantity.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=None,
    show_default="10000; 2000 for more than 1000 ligands",
    metavar="N",
    help="Number of joint draws.",
)
@click.option(
    "--model-error",
    callback=_model_error,
    default="none",
    show_default=True,
    metavar="auto|VALUE|none",
    help="Error of the model relative to experiment, also drawn; auto: from assays and published benchmarks.",
)
@as_of_option
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    top: int,
    limit: int | None,
    kind: str | None,
    draws: int | None,
    model_error: AskedModelError,
    as_of: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Rank ligands, with the probability that each is the best or among the best.

    NETWORK is a name, a ScopedKey or a prefix of one; it may be omitted if there is only one. The lowest
    free energy is the best. Probabilities and the 95% interval of the rank are computed from the values,
    uncertainties and correlations of the newest estimates. Run `gather` first. With `--model-error`, they
    refer to experiment: the error of force field and model is also drawn.

    \b
    Examples:
      alchemiscale-lake rank tyk2 --top 5
      alchemiscale-lake rank tyk2 --model-error auto
    """
    from ..estimates.ranked_ligands import NEEDS_FOR_RANKING, rank_network
    from ..query import ask, connect_for, find_network
    from ..report.performance import few_ligands, ranking_table
    from ..report.tables import rule_remark

    opened = open_lake(lake, as_of)
    found = find_network(opened, network, scope=scope)
    connection = connect_for(opened, *NEEDS_FOR_RANKING)
    ranked = rank_network(connection, found, top=top, kind=kind, n_draws=draws, model_error=model_error)
    table = ranking_table(ranked, shown=limit)
    show_table(table, tsv=tsv, output=output, counted=f"{part(len(table.rows), len(ranked.ligands), 'ligand')}")
    say(f"probabilities have a sampling error of {ranked.max_standard_error:.1g} at most")
    kept_rule = rule_remark(found, ask(connection, "latest_edges", network=found))
    for line in (*_about(ranked), *few_ligands(ranked), *kept_rule):
        say(line)
    if ranked.n_without:
        say(f"left out, without a value and its uncertainty: {ranked.n_without}")


def _about(ranked: RankedNetwork) -> list[str]:
    """Return lines that state whether probabilities refer to computed free energies or to experiment."""
    if not ranked.model_errors:
        return ["probabilities refer to the computed free energies; with --model-error auto, to experiment"]
    several = len(ranked.model_errors) > 1
    return [
        f"model error{f' of {one.kind}, component {one.component}' if several else ''}: "
        f"{one.error.sd_kcal_mol:.2f} kcal/mol per ligand ({one.source})"
        for one in ranked.model_errors
    ]
