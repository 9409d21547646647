"""`alchemiscale-lake compare`: estimates compared with experiment, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..plurals import count
from ._errors import say
from ._files import PlotFile
from ._options import as_of_option, lake_option, open_lake, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

    from ..estimates.comparisons import Comparison
    from ..query import Connection

__all__ = ["command"]

_SHOWN = ("RMSE", "MUE", "R2", "pearson_r", "spearman_rho", "kendall_tau")
_STATISTICS = (*_SHOWN, "NRMSE", "RAE", "predictive_index", "fraction_best")


@click.command("compare")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    help="Only values of this quantity.",
)
@click.option(
    "--by",
    type=click.Choice(["network", "scope", "programme"], case_sensitive=False),
    default="network",
    show_default=True,
    help="Unit of comparison; a programme is org-campaign-*.",
)
@click.option("--over-time", is_flag=True, help="One row per estimate version, or per day with a change.")
@click.option(
    "--statistic",
    "statistics",
    type=click.Choice(_STATISTICS, case_sensitive=False),
    multiple=True,
    help="Only this statistic; may be repeated.  [default: the first six]",
)
@click.option(
    "--bootstrap", type=click.IntRange(min=0), default=1000, show_default=True, metavar="N", help="Number of resamples."
)
@click.option(
    "--resample",
    "over",
    type=click.Choice(["pairs", "networks"], case_sensitive=False),
    default="pairs",
    show_default=True,
    help="Resampling unit for pooled networks: pairs generalize to other ligands, networks to other networks too.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="NETWORK",
    help="Another network, side by side on the ligands and edges of all, with joint intervals of the differences "
    "NETWORK minus this one; may be repeated.",
)
@click.option("--uncertainties", is_flag=True, help="Also resample values within their uncertainties.")
@as_of_option
@output_options
@click.option(
    "--plot",
    default=None,
    type=PlotFile(),
    metavar="FILE",
    help="Plot estimate against experiment, or the statistic over time (png, pdf, svg).",
)
@click.option(
    "--ecdf",
    default=None,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Draw the cumulative distribution of errors (png, pdf, svg).",
)
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    kind: str | None,
    by: Literal["network", "scope", "programme"],
    over_time: bool,
    statistics: tuple[str, ...],
    bootstrap: int,
    over: Literal["pairs", "networks"],
    against: tuple[str, ...],
    uncertainties: bool,
    as_of: str | None,
    tsv: bool,
    output: str | None,
    plot: str | None,
    ecdf: str | None,
) -> None:
    """Compare estimates with experiment.

    NETWORK is a name, a ScopedKey or a prefix of one; the default is all networks. Ligands (dG) are
    compared after centering each network, edges (ddG) in both directions. Errors are in kcal/mol,
    intervals are 95% bootstrap intervals. Run `gather` first to include the newest results.

    \b
    Examples:
      alchemiscale-lake compare tyk2 --plot tyk2.png
      alchemiscale-lake compare --by programme --over-time --statistic RMSE
      alchemiscale-lake compare openff-2.2 --against openff-1.3 --against gaff-2 --plot all.png
    """
    from ..report.performance import too_few

    if against:
        if network is None or by != "network" or over_time or uncertainties or as_of is not None:
            raise click.UsageError("--against needs NETWORK and takes no --by, --over-time, --uncertainties or --as-of")
        from ._side_by_side import show_side_by_side

        show_side_by_side(
            lake,
            (network, *against),
            scope=scope,
            kind=kind,
            statistics=statistics or _SHOWN,
            bootstrap=bootstrap,
            tsv=tsv,
            output=output,
            plot=plot,
            ecdf=ecdf,
        )
        return
    from ..estimates.comparisons import NEEDS_FOR_COMPARISON, compare
    from ..query import ask, connect_for, find_network, require_scope
    from ..report.performance import comparison_table

    opened = open_lake(lake, as_of)
    require_scope(opened, scope)
    chosen: dict[str, Any] = {"scope": scope, "kind": kind, "over_time": over_time}
    if network is not None:
        chosen["network"] = find_network(opened, network, scope=scope)
    connection = connect_for(opened, *NEEDS_FOR_COMPARISON)
    found = compare(connection, **chosen, by=by, over=over, uncertainties=uncertainties, n_bootstrap=bootstrap)
    names = dict(ask(connection, "network_states").select("network", "name").iter_rows())
    shown = statistics or _SHOWN
    table = comparison_table(found, by=by, over_time=over_time, names=names, statistics=shown)
    show_table(table, tsv=tsv, output=output, counted=count(len(found), "comparison"))
    for line in too_few([one.performance.n for one in found]):
        say(line)
    if plot is not None:
        title = _title(chosen, names)
        figure = _over_time(found, statistics, names, title) if over_time else _scatter(connection, chosen, title)
        figure.savefig(Path(plot))
        say(f"wrote {plot}")
    if ecdf is not None:
        from ..report.error_plots import plot_ecdf

        plot_ecdf(_panels(connection, chosen)).savefig(Path(ecdf))
        say(f"wrote {ecdf}")


def _title(chosen: dict[str, Any], names: dict[str, str | None]) -> str:
    """Return what was compared, as people call it."""
    if "network" in chosen:
        return names.get(chosen["network"]) or "network without a name"
    return f"all networks of {chosen['scope']}" if chosen["scope"] else "all networks"


def _over_time(
    found: list[Comparison], statistics: tuple[str, ...], names: dict[str, str | None], title: str
) -> Figure:
    from ..report.plots import plot_over_time

    return plot_over_time(found, statistic=statistics[0] if statistics else "RMSE", names=names, title=title)


def _scatter(connection: Connection, chosen: dict[str, Any], title: str) -> Figure:
    """Plot all compared pairs in one figure, ligands beside edges."""
    from ..report.plots import plot_comparison

    panels = _panels(connection, chosen)
    # correlations of several networks do not follow from their pooled pairs
    names = ("RMSE", "MUE", "R2", "kendall_tau") if "network" in chosen else ("RMSE", "MUE")
    return plot_comparison({name: pairs for name, pairs in panels.items() if len(pairs)}, statistics=names, title=title)


def _panels(connection: Connection, chosen: dict[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the newest pairs of ligands and edges, by what the axes say."""
    from ..estimates.comparisons import compared_pairs
    from ..estimates.experiment_pairs import centred_pairs, edge_pairs

    wanted = {**chosen, "over_time": False}
    return {
        "ΔG": centred_pairs(compared_pairs(connection, "dG", **wanted)),
        "ΔΔG": edge_pairs(compared_pairs(connection, "ddG", **wanted)),
    }
