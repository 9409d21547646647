"""Plots of a campaign: progress, and hours of what is compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.report.campaign_plots import plot_hours_per_result, plot_progress

T0 = datetime(2025, 6, 1, tzinfo=UTC)


def test_progress_counts_good_results_up_to_the_tasks_there_are() -> None:
    ended = [T0 + timedelta(hours=h) for h in (3, 1, 2, 4)]
    results = pl.DataFrame({"ended_at": ended, "ok": [True, True, False, True]})

    (axes,) = plot_progress(results, 10).axes

    good, failed, goal = axes.lines
    np.testing.assert_array_equal(good.get_ydata(), [1, 2, 3])
    np.testing.assert_array_equal(failed.get_ydata(), [1])
    assert set(goal.get_ydata()) == {10}
    assert axes.get_ylim()[1] > 10


def test_hours_stand_by_what_is_compared() -> None:
    hours = pl.DataFrame({"label": ["b", "a", "b", "b"], "hours": [1.0, 5.0, 3.0, 2.0]})

    (axes,) = plot_hours_per_result(hours).axes

    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    medians = [line.get_xdata()[0] for line in axes.lines[1::2]]
    assert medians == [5.0, 2.0]
    assert axes.get_xlim()[0] == 0


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(EstimationError, match="nothing to plot"):
        plot_progress(pl.DataFrame({"ended_at": [T0], "ok": [True]}).clear(), 3)
    with pytest.raises(EstimationError, match="nothing to plot"):
        plot_hours_per_result(pl.DataFrame({"label": ["a"], "hours": [1.0]}).clear())
