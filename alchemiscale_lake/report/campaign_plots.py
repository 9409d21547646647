"""Plots of a campaign's progress: results over time, and hours per result.

Takes results of named queries as data frames. Estimates against experiment are in `plots`, throughput in
`usage_plots`; as there, no window is opened and no global state changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ..errors import EstimationError
from .plots import new_figure
from .point_labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_hours_per_result", "plot_progress"]

_SIZE_IN: Final = (6.8, 2.6)
_INK: Final = "#31394d"
_GOOD: Final = "#009384"
_FAILED: Final = "#d55e00"


def plot_progress(results: pl.DataFrame, n_tasks: int, *, title: str | None = None) -> Figure:
    """Draw how many Tasks have come to an end since the first did.

    Parameters
    ----------
    results : polars.DataFrame
        Columns `ended_at` (timestamp) and `ok` (bool), one row per result.
    n_tasks : int
        Tasks there are, drawn as the line to reach.
    title : str, optional
        The network's name, say.

    Raises
    ------
    EstimationError
        If there is no result.
    """
    _some(results, "result")
    figure, axes = _paper()
    rows = results.sort("ended_at")
    good = rows.filter("ok")
    axes.step(good["ended_at"].to_list(), np.arange(1, len(good) + 1), where="post", color=_GOOD, label="complete")
    bad = rows.filter(~pl.col("ok"))
    if len(bad):
        at = [int((good["ended_at"] <= ended).sum()) for ended in bad["ended_at"]]
        axes.plot(bad["ended_at"].to_list(), at, "x", color=_FAILED, markersize=5, label="failed", zorder=3)
    axes.axhline(n_tasks, color="gray", linestyle=":", linewidth=1)
    axes.set_ylim(0, max(n_tasks, len(good), 1) * 1.08)
    axes.set_ylabel("results", fontsize=8)
    _dates(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    if title:
        axes.set_title(plain(title), fontsize=8, loc="right")
    return figure


def plot_hours_per_result(results: pl.DataFrame, *, title: str | None = None) -> Figure:
    """Draw what one result takes, one row per kind of result.

    Parameters
    ----------
    results : polars.DataFrame
        Columns `label` (what is compared, such as GPU model and phase) and `hours`.
    title : str, optional
        The network's name, say.
    """
    _some(results, "result")
    groups = results.group_by("label", maintain_order=True).agg("hours").sort("label")
    figure, axes = _paper(0.6 + 0.32 * len(groups))
    for place, hours in enumerate(groups["hours"]):
        # spread by rank, not at random, so that the figure is reproducible
        spread = (np.arange(len(hours)) % 5 - 2) * 0.07
        axes.plot(sorted(hours), place + spread, "o", color=_GOOD, alpha=0.45, markersize=3.5, markeredgewidth=0)
        axes.plot([float(np.median(hours))] * 2, [place - 0.3, place + 0.3], color=_INK, linewidth=1.6)
    axes.set_yticks(range(len(groups)), [plain(label) for label in groups["label"]])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlim(0, None)
    axes.set_xlabel("hours per result; the line is the median", fontsize=8)
    axes.tick_params(labelsize=8)
    if title:
        axes.set_title(plain(title), fontsize=8, loc="right")
    return figure


def _some(rows: pl.DataFrame, noun: str) -> None:
    if not len(rows):
        raise EstimationError(f"there is nothing to plot: no {noun} yet; see `alchemiscale-lake status`")


def _paper(height_in: float = _SIZE_IN[1]) -> tuple[Figure, Any]:
    figure = new_figure(_SIZE_IN[0], height_in)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _dates(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_fontsize(8)
    axes.tick_params(labelsize=8)
