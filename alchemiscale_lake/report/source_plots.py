"""Estimates of several sources against the same experimental values, one series per source.

The frame is that of `plots`; error distributions of sources are in `error_plots`. Showing and saving belong to the
caller.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ..errors import EstimationError
from ..estimates.experiment_pairs import pair_performance
from .plots import NOTHING_TO_PLOT, SIDE_IN, draw_frame, limits, new_figure, points
from .point_labels import label_worst, legend_name, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_sources"]

#: Distinguishable without colours too.
_MARKERS: Final = "osD^vP*X"
#: Height of one line of a legend, inches.
_LINE_IN: Final = 0.13
#: Characters of a name that leave space for statistics in its line.
_SHORT_NAME: Final = 20


def plot_sources(panels: Mapping[str, Mapping[str, pl.DataFrame]], *, title: str | None = None) -> Figure:
    """Plot estimates of several sources against experiment, in one panel per quantity.

    The legend gives the RMSE of each source with its bootstrap interval; the points farthest from experiment are named.

    Parameters
    ----------
    panels : mapping of str to mapping of str to polars.DataFrame
        Axis label (`ΔG`, `ΔΔG`) to the pairs of each source by its name, with columns `experiment_pairs.PAIR_COLUMNS`,
        kcal/mol; those without pairs are left out.
    title : str, optional
        Shown above the figure.

    Raises
    ------
    EstimationError
        If there is no pair.
    MissingDependencyError
        If matplotlib is not installed.
    """
    given = {quantity: {name: p for name, p in of.items() if len(p)} for quantity, of in panels.items()}
    given = {quantity: of for quantity, of in given.items() if of}
    if not given:
        raise EstimationError(NOTHING_TO_PLOT)
    lines = 1 + max(sum(1 + (len(name) > _SHORT_NAME) for name in of) for of in given.values())
    figure = new_figure(SIDE_IN * len(given), SIDE_IN + lines * _LINE_IN + (0.3 if title else 0.0))
    for place, (quantity, series) in enumerate(given.items(), 1):
        _draw(figure.add_subplot(1, len(given), place), quantity, series)
    if title:
        figure.suptitle(plain(title), fontsize=8)
    # names of points go last, when nothing moves any more
    for axes, series in zip(figure.axes, given.values(), strict=True):
        x, y = (np.concatenate([points(pairs)[k] for pairs in series.values()]) for k in (0, 1))
        label_worst(axes, x, y, [label for pairs in series.values() for label in pairs["label"]])
    return figure


def _draw(axes: Axes, quantity: str, series: Mapping[str, pl.DataFrame]) -> None:
    draw_frame(axes, *limits(series.values()), quantity)
    colours = (f"C{k}" for k in itertools.count())
    for (name, pairs), marker, colour in zip(series.items(), itertools.cycle(_MARKERS), colours, strict=False):
        x, y, x_error, y_error = points(pairs)
        axes.errorbar(x, y, xerr=x_error, yerr=y_error, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.5, zorder=2)
        label = _legend_line(name, pairs, both_directions=quantity == "ΔΔG")
        axes.scatter(x, y, color=colour, marker=marker, s=14, edgecolors="none", zorder=3, label=label)
    # below the axes, where it covers no point
    axes.legend(fontsize=6, frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.16), title_fontsize=6)


def _legend_line(name: str, pairs: pl.DataFrame, *, both_directions: bool) -> str:
    rmse = pair_performance(pairs, both_directions=both_directions)["RMSE"]
    interval = "" if np.isnan(rmse.low) else f" [{rmse.low:.2f}, {rmse.high:.2f}]"
    between = ":\n" if len(name) > _SHORT_NAME else ": "
    return f"{legend_name(name)}{between}N = {len(pairs)}, RMSE {rmse.value:.2f}{interval}"
