"""Names beside points: the farthest from experiment, none over another."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.report.plots import plot_comparison, plot_pairs


def pairs_of(n: int, *, spread: float = 0.8, label: str = "ligand-{}") -> pl.DataFrame:
    rng = np.random.default_rng(n)
    x = rng.uniform(-9, -4, n)
    columns = {"experiment": x, "experiment_uncertainty": [0.2] * n, "estimate": x + rng.normal(0, spread, n)}
    return pl.DataFrame({"label": [label.format(k) for k in range(n)], **columns, "estimate_uncertainty": [0.3] * n})


def boxes(axes: Any) -> list[Any]:
    axes.figure.draw_without_rendering()
    return [text.get_window_extent().extents for text in axes.texts]


def overlap(a: Any, b: Any) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_the_points_farthest_from_experiment_are_named() -> None:
    pairs = pairs_of(12)
    off = pairs.with_columns(off=(pl.col("estimate") - pl.col("experiment")).abs()).sort("off", descending=True)

    (axes,) = plot_pairs(pairs).axes

    named = [text.get_text() for text in axes.texts]
    assert off["label"][0] in named
    assert set(named) <= set(off["label"].head(5))


@pytest.mark.parametrize(("n", "spread"), [(1, 0.5), (2, 0.1), (12, 0.8), (60, 1.5), (400, 0.3)])
def test_no_name_covers_another_a_point_or_leaves_the_frame(n: int, spread: float) -> None:
    figure = plot_comparison(
        {"ΔG": pairs_of(n, spread=spread), "ΔΔG": pairs_of(n, spread=spread, label="ligand-{0} -> ligand-1{0}")},
        title="a network",
    )

    for axes in figure.axes:
        found = boxes(axes)
        assert not [1 for a, b in itertools.combinations(found, 2) if overlap(a, b)]
        frame = axes.get_window_extent().extents
        assert all(box[0] >= frame[0] + 2 and box[2] <= frame[2] - 2 for box in found)
        points = axes.transData.transform(axes.collections[-1].get_offsets())
        inside = [
            1 for b in found for x, y in points if b[0] < x < b[2] and b[1] < y < b[3]
        ]  # fmt: skip
        assert inside == []


def test_names_and_titles_are_no_formulas() -> None:
    pairs = pairs_of(3, label="$x_{0}$ a$b")

    figure = plot_pairs(pairs, title=r"set $\alpha")

    (axes,) = figure.axes
    assert axes.texts
    figure.draw_without_rendering()
    assert all("$x_" in text.get_text() for text in axes.texts)
