"""Several sources against experiment: every point, every source in the legend, long names within the figure."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import PathCollection

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.report.source_plots import plot_sources


def pairs_of(*errors: float) -> pl.DataFrame:
    experiment = [-9.0 + k for k in range(len(errors))]
    names = {"label": [f"lig{k}" for k in range(len(errors))], "experiment": experiment}
    numbers = {"estimate": [x + e for x, e in zip(experiment, errors, strict=True)]}
    uncertainties = {"experiment_uncertainty": [None] * len(errors), "estimate_uncertainty": [0.2] * len(errors)}
    return pl.DataFrame(names | numbers | uncertainties)


def test_every_source_is_a_series_with_its_rmse() -> None:
    one, two = pairs_of(0.1, -0.1, 0.1, -0.1), pairs_of(0.0, 3.0, 0.0, 4.0)

    figure = plot_sources({"ΔG": {"one": one, "two $2": two}, "ΔΔG": {"one": one.head(2)}}, title="a $")

    ligands, edges = figure.axes
    series = [drawn for drawn in ligands.collections if isinstance(drawn, PathCollection)]
    for drawn, pairs in zip(series, (one, two), strict=True):
        np.testing.assert_allclose(drawn.get_offsets(), pairs.select("experiment", "estimate").to_numpy())
    assert not np.array_equal(series[0].get_facecolor(), series[1].get_facecolor())
    texts = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (ligands, edges)]  # type: ignore[union-attr]
    assert texts == [["one: N = 4, RMSE 0.10", r"two \$2: N = 4, RMSE 2.50"], ["one: N = 2, RMSE 0.10"]]
    assert ligands.get_xlim() == ligands.get_ylim()
    assert {text.get_text() for text in ligands.texts} >= {"lig1", "lig3"}, "the worst points are named"
    assert figure.get_suptitle() == r"a \$"


@pytest.mark.parametrize("n_sources", [2, 9])
def test_long_names_stay_within_the_figure(n_sources: int) -> None:
    names = [f"a network with a long name that somebody gave to it for the record {k}" for k in range(n_sources)]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_sources({"ΔG": {name: pairs_of(0.1, 0.5, -0.4, 1.0, 0.2) for name in names}})
        figure.draw_without_rendering()

    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    box, whole = legend.get_window_extent(), figure.bbox
    assert (box.x0, box.y0) >= (whole.x0, whole.y0)
    assert (box.x1, box.y1) <= (whole.x1, whole.y1)
    assert axes.get_window_extent().width > 0.5 * whole.width
    shown = [text.get_text() for text in legend.get_texts()]
    assert [f"for the record {k}"[-15:] in text for k, text in enumerate(shown)] == [True] * n_sources


def test_without_pairs_there_is_nothing_to_plot() -> None:
    with pytest.raises(EstimationError, match="nothing to plot"):
        plot_sources({"ΔG": {"one": pairs_of()}})
