"""Plots of errors: what is drawn is the distribution itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.report.error_plots import plot_ecdf

PAIRS = pl.DataFrame({"experiment": [0.0, 1.0, 2.0, 3.0], "estimate": [0.5, 1.0, 0.0, 4.0]})


def test_the_curve_is_the_fraction_of_errors_up_to_each() -> None:
    figure = plot_ecdf({"ΔG": PAIRS, "ΔΔG": PAIRS.head(0)}, n_bootstrap=50)

    (axes,) = figure.axes
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xdata(), [0.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(line.get_ydata(), [0.0, 0.25, 0.5, 0.75, 1.0])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ΔG (N = 4)"]  # type: ignore[union-attr]
    assert len(axes.collections) == 1
    assert not plot_ecdf({"ΔG": PAIRS}, n_bootstrap=0).axes[0].collections


def test_without_pairs_there_is_nothing_to_plot() -> None:
    with pytest.raises(EstimationError, match="nothing to plot"):
        plot_ecdf({"ΔG": PAIRS.head(0)})
