"""Plots of estimates against experiment, in the style of cinnabar, and of statistics over time.

Experiment is on x and calculation on y, on the same scale; the dotted line is x = y, the bands are 0.5 and
1.0 kcal/mol. Only matplotlib's object interface is used: no window is opened and no global state changed;
showing and saving are left to the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import EstimationError, MissingDependencyError
from ..estimates.comparisons import Comparison
from ..estimates.experiment_pairs import FEWEST_FOR_INTERVAL, pair_performance
from .point_labels import label_worst, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..estimators.statistics.performance import Performance, Statistic

__all__ = [
    "NOTHING_TO_PLOT",
    "SIDE_IN",
    "draw_frame",
    "limits",
    "new_figure",
    "performance_line",
    "plot_comparison",
    "plot_over_time",
    "plot_pairs",
    "points",
]

#: Why there is no plot.
NOTHING_TO_PLOT: Final = (
    "there is nothing to plot: no estimate has an experimental value; import some with "
    "`alchemiscale-lake assays FILE --scope ...`"
)
#: Side of a panel, inches.
SIDE_IN: Final = 3.25
_BANDS_KCAL_MOL: Final = (1.0, 0.5)
#: More numbers than these would touch below the horizontal axis.
_MOST_TICKS: Final = 7
#: |x - y| at which the colour scale ends.
_WORST_KCAL_MOL: Final = 2.0


@overload
def plot_pairs(pairs: pl.DataFrame, *, quantity: str = ..., title: str | None = ..., ax: None = None) -> Figure: ...
@overload
def plot_pairs(pairs: pl.DataFrame, *, quantity: str = ..., title: str | None = ..., ax: Axes) -> Axes: ...
def plot_pairs(
    pairs: pl.DataFrame, *, quantity: str = "ΔG", title: str | None = None, ax: Axes | None = None
) -> Figure | Axes:
    """Plot estimates against experiment.

    Parameters
    ----------
    pairs : polars.DataFrame
        Columns `experiment_pairs.PAIR_COLUMNS`, kcal/mol; uncertainties may be null.
    quantity : str
        Axis label: `ΔG` or `ΔΔG`.
    title : str, optional
        Shown above the number of points, RMSE and MUE.
    ax : matplotlib Axes, optional
        Axes to draw on; by default a new square figure of 3.25 in.

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
        raise EstimationError(NOTHING_TO_PLOT)
    figure, axes = _axes(ax)
    heading = [plain(title)] if title else []
    _draw_pairs(axes, pairs, quantity, [*heading, *_title_lines(pair_performance(pairs), ("RMSE", "MUE"))])
    _label(axes, pairs)
    return figure if ax is None else axes


def _draw_pairs(axes: Axes, pairs: pl.DataFrame, quantity: str, heading: Iterable[str]) -> None:
    x, y, x_error, y_error = points(pairs)
    low, high = limits([pairs])
    draw_frame(axes, low, high, quantity)
    axes.errorbar(x, y, xerr=x_error, yerr=y_error, fmt="none", ecolor="gray", elinewidth=0.8, zorder=2)
    shades = np.minimum(np.abs(x - y) / _WORST_KCAL_MOL, 1.0)
    axes.scatter(x, y, c=shades, cmap="coolwarm", vmin=0.0, vmax=1.0, s=14, edgecolors="none", zorder=3)
    axes.set_title("\n".join(heading), fontsize=7, family="monospace", loc="right")


def _label(axes: Axes, pairs: pl.DataFrame) -> None:
    x, y, *_ = points(pairs)
    label_worst(axes, x, y, pairs["label"].to_list())


def points(pairs: pl.DataFrame) -> tuple[NDArray[np.float64], ...]:
    """Return x, y and their uncertainties of pairs, kcal/mol; an unknown uncertainty is zero."""
    names = ("experiment", "estimate", "experiment_uncertainty", "estimate_uncertainty")
    return tuple(pairs[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in names)


def limits(frames: Iterable[pl.DataFrame]) -> tuple[float, float]:
    """Return the ends of axes that hold all pairs with their uncertainties, kcal/mol."""
    low, high = math.inf, -math.inf
    for x, y, x_error, y_error in map(points, frames):
        low = min(low, float((x - x_error).min()), float((y - y_error).min()))
        high = max(high, float((x + x_error).max()), float((y + y_error).max()))
    return low - 0.5, high + 0.5


def plot_comparison(
    panels: Mapping[str, pl.DataFrame],
    *,
    statistics: tuple[str, ...] = ("RMSE", "MUE", "R2", "kendall_tau"),
    title: str | None = None,
) -> Figure:
    """Plot ligands and edges side by side.

    Parameters
    ----------
    panels : mapping of str to polars.DataFrame
        Axis label (`ΔG`, `ΔΔG`) to pairs with columns `experiment_pairs.PAIR_COLUMNS`. Correlations of `ΔΔG` count
        edges in both directions.
    statistics : tuple of str
        Statistics shown above each panel, with their intervals.
    title : str, optional
        Shown above the figure.

    Raises
    ------
    EstimationError
        If there is no pair.
    MissingDependencyError
        If matplotlib is not installed.
    """
    if not any(len(pairs) for pairs in panels.values()):
        raise EstimationError(NOTHING_TO_PLOT)
    figure = new_figure(SIDE_IN * len(panels), SIDE_IN + 0.4)
    for place, (quantity, pairs) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        found = pair_performance(pairs, both_directions=quantity == "ΔΔG")
        _draw_pairs(axes, pairs, quantity, _title_lines(found, statistics))
    if title:
        figure.suptitle(plain(title), fontsize=8)
    # names of points go last, when nothing moves any more
    for axes, pairs in zip(figure.axes, panels.values(), strict=True):
        _label(axes, pairs)
    return figure


def plot_over_time(
    comparisons: Sequence[Comparison],
    *,
    statistic: str = "RMSE",
    names: Mapping[str, str | None] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw how a statistic moved as results arrived, with its interval.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Computed with `over_time`; one line per subject, kind and quantity.
    statistic : str
        Name of a statistic.
    names : mapping of str to str, optional
        What subjects are called, by what they are; without, a single one is not named in the legend.
    title : str, optional

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    figure = new_figure(6.5, 3.25)
    axes = figure.add_subplot()
    lines: dict[tuple[str, str], list[Comparison]] = {}
    alone = len({one.subject for one in comparisons}) == 1
    for one in comparisons:
        # of one network alone its key says nothing
        subject = (names or {}).get(one.subject) or ("" if alone else one.subject)
        label = plain(f"{subject} {one.kind} {one.quantity}".strip())
        lines.setdefault((one.subject, label), []).append(one)
    for (_, label), members in lines.items():
        found = [one.performance[statistic] for one in members]
        when: Any = [one.as_of for one in members]
        (line,) = axes.plot(when, [s.value for s in found], marker="o", markersize=3, linewidth=1.0, label=label)
        low, high = [s.low for s in found], [s.high for s in found]
        axes.fill_between(when, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    unit = " (kcal mol$^{-1}$)" if statistic in ("RMSE", "MUE") else ""
    axes.set_ylabel(f"{statistic}{unit}", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=6, frameon=False)
    if title:
        axes.set_title(plain(title), fontsize=8)
    for text in axes.get_xticklabels():
        text.set_rotation(30)
        text.set_horizontalalignment("right")
    return figure


def performance_line(pairs: pl.DataFrame) -> str:
    """Return RMSE and MUE with their bootstrap intervals in one line."""
    found = pair_performance(pairs)
    values = ", ".join(f"{s.name} {s.value:.2f} kcal/mol{_interval_text(s)}" for s in _of(found, ("RMSE", "MUE")))
    return (
        f"{values} (no interval: fewer than {FEWEST_FOR_INTERVAL} pairs)"
        if len(pairs) < FEWEST_FOR_INTERVAL
        else values
    )


def _interval_text(statistic: Statistic) -> str:
    """Return the interval of a statistic in parentheses; empty if there is none."""
    return "" if math.isnan(statistic.low) else f" (95% {statistic.low:.2f} to {statistic.high:.2f})"


def new_figure(width_in: float, height_in: float) -> Figure:
    """Create an empty figure without a window.

    Parameters
    ----------
    width_in : float
        Width, inches.
    height_in : float
        Height, inches.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as e:
        raise MissingDependencyError(
            'plots need matplotlib, which is not installed: pip install "alchemiscale-lake[plot]"'
        ) from e
    figure = Figure(figsize=(width_in, height_in), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _axes(ax: Axes | None) -> tuple[Any, Axes]:
    if ax is not None:
        return None, ax
    figure = new_figure(SIDE_IN, SIDE_IN)
    return figure, figure.add_subplot()


def draw_frame(axes: Axes, low: float, high: float, quantity: str) -> None:
    """Draw x = y with its bands on axes of one scale, experiment on x.

    Parameters
    ----------
    axes : matplotlib Axes
    low, high : float
        Ends of both axes, kcal/mol.
    quantity : str
        Axis label: `ΔG` or `ΔΔG`.
    """
    ends = np.array([low, high])
    for width in _BANDS_KCAL_MOL:
        axes.fill_between(ends, ends - width, ends + width, color="gray", alpha=0.2, linewidth=0, zorder=0)
    axes.plot(ends, ends, "k:", linewidth=1.0, zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel(f"Experimental {quantity} (kcal mol$^{{-1}}$)", fontsize=8)
    axes.set_ylabel(f"Calculated {quantity} (kcal mol$^{{-1}}$)", fontsize=8)
    # both axes have the same scale, so the same ticks
    axes.locator_params(axis="y", nbins=_MOST_TICKS)
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=8)


def _title_lines(found: Performance, names: tuple[str, ...]) -> Iterable[str]:
    yield f"(N = {found.n})"
    for s in _of(found, names):
        interval = "" if math.isnan(s.low) else f" [{found.confidence:.0%}: {s.low:5.2f}, {s.high:5.2f}]"
        yield f"{s.name}: {s.value:5.2f}{interval}"


def _of(performance: Performance, names: tuple[str, ...]) -> Iterable[Any]:
    return (performance[name] for name in names)
