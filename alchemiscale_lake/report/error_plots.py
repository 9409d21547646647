"""Cumulative distributions of errors against experiment, and of closures of cycles.

matplotlib is used through its objects alone, as in `plots`; showing and saving belong to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..errors import EstimationError
from ..estimates.cycle_closures import closure_share
from ..estimates.experiment_pairs import error_share
from ..plurals import count
from .plots import NOTHING_TO_PLOT, SIDE_IN, new_figure
from .point_labels import legend_name, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cycle_closures", "plot_ecdf", "plot_source_ecdf"]


def plot_ecdf(panels: Mapping[str, pl.DataFrame], *, n_bootstrap: int = 1000, seed: int = 2019) -> Figure:
    """Draw the fraction of ligands, and of edges, whose error is at most so large, with its bootstrap interval.

    Parameters
    ----------
    panels : mapping of str to polars.DataFrame
        Label of each curve (`ΔG`, `ΔΔG`) to pairs with columns `experiment_pairs.PAIR_COLUMNS`, kcal/mol.
    n_bootstrap : int
        Number of resamples of the pairs; 0 for no interval.
    seed : int
        Seed of the resampling.

    Raises
    ------
    EstimationError
        If there are no pairs.
    MissingDependencyError
        If matplotlib is not installed.
    """
    return plot_source_ecdf({"": panels}, n_bootstrap=n_bootstrap, seed=seed)


def plot_source_ecdf(
    panels: Mapping[str, Mapping[str, pl.DataFrame]],
    *,
    title: str | None = None,
    n_bootstrap: int = 1000,
    seed: int = 2019,
) -> Figure:
    """Draw the cumulative distributions of errors of several sources, in one panel per quantity.

    Parameters
    ----------
    panels : mapping of str to mapping of str to polars.DataFrame
        Quantity (`ΔG`, `ΔΔG`) to the pairs of each source by its name, with columns `experiment_pairs.PAIR_COLUMNS`,
        kcal/mol; those without pairs are left out.
    title : str, optional
        Shown above the figure.
    n_bootstrap : int
        Number of resamples of the pairs; 0 for no interval.
    seed : int
        Seed of the resampling.

    Raises
    ------
    EstimationError
        If there are no pairs.
    MissingDependencyError
        If matplotlib is not installed.
    """
    given = {quantity: {name: p for name, p in of.items() if len(p)} for quantity, of in panels.items()}
    given = {quantity: of for quantity, of in given.items() if of}
    if not given:
        raise EstimationError(NOTHING_TO_PLOT)
    figure = new_figure(SIDE_IN * len(given), SIDE_IN + (0.3 if title else 0.0))
    rng = np.random.default_rng(seed)
    for place, (quantity, curves) in enumerate(given.items(), 1):
        _draw_ecdf(figure.add_subplot(1, len(given), place), quantity, curves, n_bootstrap, rng)
    if title:
        figure.suptitle(plain(title), fontsize=8)
    return figure


def _draw_ecdf(
    axes: Axes, quantity: str, curves: Mapping[str, pl.DataFrame], n_bootstrap: int, rng: np.random.Generator
) -> None:
    for label, pairs in curves.items():
        found = error_share(pairs, n_bootstrap=n_bootstrap, rng=rng)
        label = f"{legend_name(label)} (N = {len(pairs)})"
        (line,) = axes.step(found.size, found.share, where="post", linewidth=1.5, label=label)
        if n_bootstrap:
            low_high = (found.low, found.high)
            axes.fill_between(found.size, *low_high, step="post", color=line.get_color(), alpha=0.15, linewidth=0)
    _finish(axes, f"{f'{quantity}: ' if quantity else ''}|calculated - experimental| (kcal mol$^{{-1}}$)")


def _finish(axes: Axes, x_label: str) -> None:
    axes.set(xlim=(0.0, None), ylim=(0.0, 1.02))
    axes.set_xlabel(x_label, fontsize=8)
    axes.set_ylabel("Cumulative fraction", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7, frameon=False, loc="lower right")


def plot_cycle_closures(closures: pl.DataFrame, *, title: str | None = None) -> Figure:
    """Draw which fraction of independent cycles closes within an error, and which one their uncertainties predict.

    A curve to the right of the dashed one means that uncertainties are too small, or that edges contradict each other.

    Parameters
    ----------
    closures : polars.DataFrame
        As from `estimates.cycle_closures`: columns kind, cycle, closure_kcal_mol, uncertainty_kcal_mol.
    title : str, optional
        Name of the network.

    Raises
    ------
    EstimationError
        If there is no cycle.
    MissingDependencyError
        If matplotlib is not installed.
    """
    if closures.is_empty():
        raise EstimationError(
            "there is nothing to plot: the network has no cycle whose edges all have an estimate; plan redundant "
            "edges, or wait for results"
        )
    figure = new_figure(SIDE_IN, SIDE_IN)
    axes = figure.add_subplot()
    for (kind,), own in closures.group_by("kind", maintain_order=True):
        found, grid, expected = closure_share(own)
        label = f"{kind} ({count(len(own), 'cycle')})"
        (line,) = axes.step(found.size, found.share, where="post", linewidth=1.5, label=label)
        axes.plot(
            grid, expected, linestyle="--", linewidth=1.0, color=line.get_color(), label="as uncertainties predict"
        )
    _finish(axes, "|sum around a cycle| (kcal mol$^{-1}$)")
    if title is not None:
        axes.set_title(plain(title), fontsize=9)
    return figure
