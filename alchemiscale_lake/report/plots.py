"""Estimate against experiment, in the form of cinnabar's plots.

Experiment on x, calculation on y, both on one scale; the dotted line is x = y, the bands are 0.5 and
1.0 kcal/mol. matplotlib is used through its objects alone: no window, no global state is touched;
showing and saving belong to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import polars as pl

from estimators.performance import Performance, assess

from ..errors import EstimationError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PAIR_COLUMNS", "ddg_pairs", "dg_pairs", "performance_line", "plot_pairs"]

#: What a plot is drawn from: columns of `dg_pairs` and `ddg_pairs`.
PAIR_COLUMNS: Final = ("label", "experiment", "experiment_uncertainty", "estimate", "estimate_uncertainty")

_SIDE_IN: Final = 3.25
_BANDS_KCAL_MOL: Final = (1.0, 0.5)
#: |x - y| at which the colour is as far as it goes.
_WORST_KCAL_MOL: Final = 2.0


def dg_pairs(ranking: pl.DataFrame) -> pl.DataFrame:
    """Ligands that have both, from the answer to `ligand_ranking`; columns `PAIR_COLUMNS`, kcal/mol."""
    both = pl.col("value_kcal_mol").is_not_null() & pl.col("experiment_kcal_mol").is_not_null()
    return ranking.filter(both).select(
        label="ligand",
        experiment="experiment_kcal_mol",
        experiment_uncertainty="experiment_uncertainty_kcal_mol",
        estimate="value_kcal_mol",
        estimate_uncertainty="uncertainty_kcal_mol",
    )


def ddg_pairs(edges: pl.DataFrame, ranking: pl.DataFrame) -> pl.DataFrame:
    """Edges that have both, from the answers to `latest_edges` and `ligand_ranking`."""
    known = ranking.filter(pl.col("experiment_kcal_mol").is_not_null())
    known = known.select("kind", "ligand", x="experiment_kcal_mol", s="experiment_uncertainty_kcal_mol")
    rows = edges.filter(pl.col("value_kcal_mol").is_not_null())
    rows = rows.join(known, left_on=["kind", "ligand_i"], right_on=["kind", "ligand"])
    rows = rows.join(known, left_on=["kind", "ligand_j"], right_on=["kind", "ligand"], suffix="_j")
    return rows.sort("kind", "ligand_i", "ligand_j").select(
        label=pl.format("{} -> {}", "ligand_i", "ligand_j"),
        experiment=pl.col("x_j") - pl.col("x"),
        experiment_uncertainty=(pl.col("s") ** 2 + pl.col("s_j") ** 2).sqrt(),
        estimate="value_kcal_mol",
        estimate_uncertainty="uncertainty_kcal_mol",
    )


@overload
def plot_pairs(pairs: pl.DataFrame, *, quantity: str = ..., title: str | None = ..., ax: None = None) -> Figure: ...
@overload
def plot_pairs(pairs: pl.DataFrame, *, quantity: str = ..., title: str | None = ..., ax: Axes) -> Axes: ...
def plot_pairs(
    pairs: pl.DataFrame, *, quantity: str = "ΔG", title: str | None = None, ax: Axes | None = None
) -> Figure | Axes:
    """Draw estimates against experiment.

    Parameters
    ----------
    pairs : polars.DataFrame
        Columns `PAIR_COLUMNS`, kcal/mol; uncertainties may be null.
    quantity : str
        What the axes say: `ΔG` or `ΔΔG`.
    title : str, optional
        Put above the number of points, RMSE and MUE.
    ax : matplotlib Axes, optional
        Where to draw; a new square figure of 3.25 in by default.

    Returns
    -------
    matplotlib Figure, or the Axes given

    Raises
    ------
    EstimationError
        If there is no pair.
    MissingDependencyError
        If matplotlib is not installed.
    """
    if not len(pairs):
        raise EstimationError(
            "there is nothing to plot: no estimate has an experimental value; import some with "
            "`alchemiscale-lake assays FILE --scope ...`"
        )
    figure, axes = _axes(ax)
    x, y = (pairs[name].to_numpy() for name in ("experiment", "estimate"))
    x_error, y_error = (
        pairs[name].cast(pl.Float64).fill_null(0.0).to_numpy()
        for name in ("experiment_uncertainty", "estimate_uncertainty")
    )
    low = float(min((x - x_error).min(), (y - y_error).min())) - 0.5
    high = float(max((x + x_error).max(), (y + y_error).max())) + 0.5
    _draw_bands(axes, low, high)
    axes.errorbar(x, y, xerr=x_error, yerr=y_error, fmt="none", ecolor="gray", elinewidth=0.8, zorder=2)
    shades = np.minimum(np.abs(x - y) / _WORST_KCAL_MOL, 1.0)
    axes.scatter(x, y, c=shades, cmap="coolwarm", vmin=0.0, vmax=1.0, s=14, edgecolors="none", zorder=3)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel(f"Experimental {quantity} (kcal mol$^{{-1}}$)", fontsize=8)
    axes.set_ylabel(f"Calculated {quantity} (kcal mol$^{{-1}}$)", fontsize=8)
    # one scale, so the same ticks
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=8)
    heading = [title] if title else []
    axes.set_title("\n".join([*heading, *_statistics(pairs)]), fontsize=7, family="monospace", loc="right")
    return figure if ax is None else axes


def performance_line(pairs: pl.DataFrame) -> str:
    """RMSE and MUE with their bootstrap intervals, in one line."""
    found = _assess(pairs)
    return ", ".join(
        f"{s.name} {s.value:.2f} kcal/mol (95% {s.low:.2f} to {s.high:.2f})" for s in _of(found, ("RMSE", "MUE"))
    )


def _axes(ax: Axes | None) -> tuple[Any, Axes]:
    if ax is not None:
        return None, ax
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as e:
        raise MissingDependencyError(
            'plots need matplotlib, which is not installed: pip install "alchemiscale-lake[plot]"'
        ) from e
    figure = Figure(figsize=(_SIDE_IN, _SIDE_IN), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _draw_bands(axes: Axes, low: float, high: float) -> None:
    ends = np.array([low, high])
    for width in _BANDS_KCAL_MOL:
        axes.fill_between(ends, ends - width, ends + width, color="gray", alpha=0.2, linewidth=0, zorder=0)
    axes.plot(ends, ends, "k:", linewidth=1.0, zorder=1)


def _statistics(pairs: pl.DataFrame) -> Iterable[str]:
    found = _assess(pairs)
    yield f"(N = {found.n})"
    for s in _of(found, ("RMSE", "MUE")):
        yield f"{s.name}: {s.value:5.2f} [95%: {s.low:5.2f}, {s.high:5.2f}]"


def _assess(pairs: pl.DataFrame) -> Performance:
    # estimates with experiment beside them were brought to its scale, so nothing is left to shift
    return assess(pairs["estimate"].to_numpy(), pairs["experiment"].to_numpy(), relative=False)


def _of(performance: Performance, names: tuple[str, ...]) -> Iterable[Any]:
    return (performance[name] for name in names)
