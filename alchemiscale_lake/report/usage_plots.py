"""Plots of throughput over time: cumulative results and GPU-hours.

Only matplotlib's object interface is used, as in `plots`; showing and saving are left to the caller.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ..errors import EstimationError
from ..ids import Scope
from ..query import Connection, ask
from .plots import new_figure
from .point_labels import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["THROUGHPUT_BY", "plot_throughput", "throughput_by_day"]

#: Dimensions of throughput, and their columns in the named query `throughput`.
THROUGHPUT_BY: Final = {"scope": "scope", "protocol": "protocol", "host": "hostname", "pool": "pool"}

#: Groups drawn separately; the rest are drawn as one.
_MOST_GROUPS: Final = 8
_OTHERS: Final = "others"
_UNKNOWN: Final = "unknown"
_PALETTE: Final = ("#31394d", "#b85741", "#009384", "#d9c4b1", "#eec044", "#002f4a", "#7a6c9e", "#6b8e5a", "#999999")


def throughput_by_day(
    connection: Connection,
    *,
    by: str = "scope",
    scope: Scope | str | None = None,
    window: timedelta | None = None,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Return cumulative results and hours by day.

    Parameters
    ----------
    connection : Connection
    by : {"scope", "protocol", "host", "pool"}
        Grouping: the eight groups with the most results, and `others`.
    scope : Scope or str, optional
        Only this Scope (wildcards allowed).
    window : timedelta, optional
        With `now`: only days that end within it.
    now : datetime, optional

    Returns
    -------
    polars.DataFrame
        Columns group, day (every day from the first to the last), n_results, core_h, gpu_h: cumulative.
    """
    daily = ask(connection, "throughput", scope=scope)
    if window is not None and now is not None:
        daily = daily.filter(pl.col("day") >= (now - window).date())
    daily = daily.with_columns(group=pl.col(THROUGHPUT_BY[by]).fill_null(_UNKNOWN))
    largest = (
        daily.group_by("group").agg(pl.col("n_results").sum()).sort(["n_results", "group"], descending=[True, False])
    )
    apart = largest["group"].head(_MOST_GROUPS).to_list()
    daily = daily.with_columns(group=pl.when(pl.col("group").is_in(apart)).then("group").otherwise(pl.lit(_OTHERS)))
    sums = daily.group_by("group", "day").agg(pl.col("n_results", "core_h", "gpu_h").sum())
    if not len(sums):
        return sums
    days = pl.DataFrame({"day": pl.date_range(sums["day"].min(), sums["day"].max(), eager=True)})  # type: ignore[arg-type]
    order = [name for name in (*apart, _OTHERS) if name in set(sums["group"])]
    groups = pl.DataFrame({"group": order, "place": range(len(order))})
    grid = groups.join(days, how="cross").join(sums, on=["group", "day"], how="left").sort("place", "day")
    return grid.with_columns(pl.col("n_results", "core_h", "gpu_h").fill_null(0).cum_sum().over("group")).drop("place")


def plot_throughput(
    connection: Connection,
    *,
    by: str = "scope",
    scope: Scope | str | None = None,
    window: timedelta | None = None,
    now: datetime | None = None,
    title: str | None = None,
) -> Figure:
    """Plot cumulative results and hours over time, one layer per group.

    Hours are GPU-hours, or core-hours if no GPU was used.

    Parameters
    ----------
    connection, by, scope, window, now
        As in `throughput_by_day`.
    title : str, optional
        What is counted, such as a Scope; by default the Scope, if there is one.

    Raises
    ------
    EstimationError
        If no attempt ended in this Scope and window.
    MissingDependencyError
        If matplotlib is not installed.
    """
    rows = throughput_by_day(connection, by=by, scope=scope, window=window, now=now)
    if not len(rows):
        raise EstimationError(
            "there is nothing to plot: no attempt has ended in this period; see `alchemiscale-lake status`"
        )
    figure = new_figure(6.5, 4.5)
    upper, lower = figure.subplots(2, 1, sharex=True)
    hours, label = ("gpu_h", "GPU-hours") if rows["gpu_h"].max() else ("core_h", "core-hours")
    _stack(upper, rows, "n_results", "results")
    _stack(lower, rows, hours, label)
    upper.legend(loc="upper left", fontsize=7, frameon=False)
    heading = title or (str(scope) if scope is not None else "all Scopes of the lake")
    upper.set_title(plain(heading), fontsize=8, loc="right")
    for text in lower.get_xticklabels():
        text.set_rotation(30)
        text.set_horizontalalignment("right")
    return figure


def _stack(axes: Axes, rows: pl.DataFrame, column: str, label: str) -> None:
    """Draw one layer per group, in the order of the rows."""
    parts = rows.partition_by("group", maintain_order=True)
    # sums are those at the end of a day; they start from zero
    ends = [day + timedelta(days=1) for day in parts[0]["day"]]
    days: Any = [parts[0]["day"][0], *ends]
    layers = [np.concatenate([[0.0], part[column].cast(pl.Float64).to_numpy()]) for part in parts]
    axes.stackplot(days, *layers, labels=[plain(part["group"][0]) for part in parts], colors=_PALETTE[: len(parts)])
    axes.set_ylabel(f"{label}, cumulative", fontsize=8)
    axes.set_xlim(days[0], days[-1])
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
