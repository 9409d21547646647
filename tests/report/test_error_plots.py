"""Plots of errors: what is drawn is the distribution itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.report.error_plots import plot_cycle_closures, plot_ecdf, plot_source_ecdf

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


def test_each_source_has_a_curve_in_the_panel_of_its_quantity() -> None:
    better = PAIRS.with_columns(estimate=pl.col("experiment") + 0.1)
    panels = {"ΔG": {"one": PAIRS, "two $x": better}, "ΔΔG": {"one": PAIRS.head(2), "two $x": better.head(0)}}

    figure = plot_source_ecdf(panels, title="one and two", n_bootstrap=20)

    ligands, edges = figure.axes
    curves = [np.asarray(line.get_xdata()).tolist() for line in ligands.get_lines()]
    assert curves == [pytest.approx([0, 0, 0.5, 1, 2]), pytest.approx([0, 0.1, 0.1, 0.1, 0.1])]
    names = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (ligands, edges)]  # type: ignore[union-attr]
    assert names == [["one (N = 4)", r"two \$x (N = 4)"], ["one (N = 2)"]]
    assert [axes.get_xlabel().split(":")[0] for axes in (ligands, edges)] == ["ΔG", "ΔΔG"]
    assert figure.get_suptitle() == "one and two"


def test_closures_stand_beside_what_their_uncertainties_predict() -> None:
    closures = pl.DataFrame(
        {
            "kind": ["binding"] * 4,
            "cycle": [["a", "b", "c"]] * 4,
            "closure_kcal_mol": [-0.5, 1.0, 2.0, -0.2],
            "uncertainty_kcal_mol": [1.0] * 4,
        }
    )

    (axes,) = plot_cycle_closures(closures, title="tyk2 $1").axes

    seen, expected = axes.get_lines()
    np.testing.assert_allclose(seen.get_xdata(), [0.0, 0.2, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(seen.get_ydata(), [0.0, 0.25, 0.5, 0.75, 1.0])
    at = np.asarray(expected.get_xdata())
    one_sd = np.interp(1.0, at, np.asarray(expected.get_ydata()))
    assert one_sd == pytest.approx(0.6827, abs=1e-3)
    assert axes.get_title() == r"tyk2 \$1"


def test_a_tree_has_no_closures_to_plot() -> None:
    empty = pl.DataFrame(schema={"kind": pl.String, "closure_kcal_mol": pl.Float64, "uncertainty_kcal_mol": pl.Float64})
    with pytest.raises(EstimationError, match="no cycle"):
        plot_cycle_closures(empty)
