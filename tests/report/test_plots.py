"""Plots in cinnabar's form, without a window or global state; and the summary at the end of a campaign."""

from __future__ import annotations

import builtins
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from cinnabar.stats import bootstrap_statistic
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import EstimationError, MissingDependencyError
from alchemiscale_lake.estimates.experiment_pairs import ddg_pairs, dg_pairs
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report import performance_line, plot_pairs, summarise
from tests.campaign import SCOPE, Campaign, small_campaign

NETWORK = f"AlchemicalNetwork-tyk2-{SCOPE}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = small_campaign(tmp_path_factory.mktemp("plots") / "lake")
    gather_network(made.lake, NETWORK)
    return made


def pairs_of(n: int = 9) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.uniform(-9, -4, n)
    columns = {"experiment": x, "experiment_uncertainty": [0.2] * n, "estimate": x + rng.normal(0, 0.8, n)}
    return pl.DataFrame({"label": [f"l{i}" for i in range(n)], **columns, "estimate_uncertainty": [0.3] * n})


def test_the_figure_is_square_with_experiment_on_x_and_bands_around_the_diagonal() -> None:
    pairs = pairs_of()

    figure = plot_pairs(pairs, title="a set")

    (axes,) = figure.axes
    assert figure.get_size_inches().tolist() == [3.25, 3.25]
    offsets = axes.collections[-1].get_offsets()
    np.testing.assert_allclose(offsets, pairs.select("experiment", "estimate").to_numpy())
    assert axes.get_xlabel().startswith("Experimental ΔG")
    assert axes.get_ylabel().startswith("Calculated ΔG")
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
    assert [line.get_linestyle() for line in axes.lines if line.get_linestyle() == ":"] == [":"]
    assert [band_width(band) for band in axes.collections[:2]] == pytest.approx([2.0, 1.0])
    assert "(N = 9)" in axes.get_title(loc="right")


@pytest.mark.parametrize("spread", [0.02, 1.1, 4.3, 9.7, 31.0])
def test_numbers_below_the_axis_do_not_touch(spread: float) -> None:
    x = [-9.0, -9.0 + spread / 2, -9.0 + spread]
    columns = {"experiment": x, "experiment_uncertainty": [0.2] * 3, "estimate": x, "estimate_uncertainty": [0.3] * 3}
    figure = plot_pairs(pl.DataFrame({"label": list("abc"), **columns}))
    figure.canvas.draw()

    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(boxes) > 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def band_width(band: Any) -> float:
    vertices = band.get_paths()[0].vertices
    return float(np.ptp(vertices[vertices[:, 0] == vertices[:, 0].min(), 1]))


def test_points_are_coloured_by_their_deviation() -> None:
    pairs = pairs_of()

    (axes,) = plot_pairs(pairs).axes
    shades = axes.collections[-1].get_array()

    deviation = (pairs["estimate"] - pairs["experiment"]).abs().to_numpy()
    np.testing.assert_allclose(shades, np.minimum(deviation / 2.0, 1.0))


def test_statistics_are_cinnabars() -> None:
    pairs = pairs_of()
    found = bootstrap_statistic(pairs["experiment"].to_numpy(), pairs["estimate"].to_numpy(), statistic="RMSE")

    (axes,) = plot_pairs(pairs).axes

    assert f"RMSE: {found['mle']:5.2f} [95%" in axes.get_title(loc="right")
    assert performance_line(pairs).startswith(f"RMSE {found['mle']:.2f} kcal/mol (95% ")


def test_it_draws_into_axes_that_are_given() -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()

    assert plot_pairs(pairs_of(), ax=axes) is axes


def test_missing_uncertainties_are_drawn_without_bars() -> None:
    pairs = pairs_of().with_columns(experiment_uncertainty=pl.lit(None, pl.Float64))

    assert plot_pairs(pairs).axes


def test_pyplot_is_never_touched() -> None:
    code = (
        "import sys, polars as pl; from alchemiscale_lake.report import plot_pairs;"
        "plot_pairs(pl.DataFrame({'label': ['a'], 'experiment': [1.0], 'experiment_uncertainty': [0.1],"
        "'estimate': [1.5], 'estimate_uncertainty': [0.1]})); assert 'matplotlib.pyplot' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_pairs_and_missing_matplotlib_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EstimationError, match=r"nothing to plot.*alchemiscale-lake assays"):
        plot_pairs(pairs_of().clear())

    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"alchemiscale-lake\[plot\]"):
        plot_pairs(pairs_of())


def test_pairs_of_edges_are_differences_of_experiments(campaign: Campaign) -> None:
    con = connect(campaign.lake)

    pairs = ddg_pairs(ask(con, "latest_edges"), ask(con, "ligand_ranking"))

    assert pairs["label"].to_list() == ["a -> b", "b -> c", "c -> a"]
    assert pairs["experiment"].to_list() == pytest.approx([0.8, 2.1, -2.9])
    assert pairs["experiment_uncertainty"].to_list() == pytest.approx([0.2 * 2**0.5] * 3)
    assert dg_pairs(ask(con, "ligand_ranking"))["label"].to_list() == ["a", "b", "c"]


def test_a_summary_has_ligands_rmse_plot_and_next_steps(campaign: Campaign) -> None:
    summary = summarise(campaign.lake, NETWORK)

    assert summary.table.columns == (
        "ligand",
        "DG(MLE) (kcal/mol)",
        "uncertainty (kcal/mol)",
        "experiment (kcal/mol)",
    )
    assert [row[0] for row in summary.table.rows] == ["a", "b", "c", "d"]
    assert summary.table.rows[-1][1] == "Error"
    assert summary.lines[0].startswith("RMSE 0.08 kcal/mol")
    assert summary.plot is not None
    assert summary.lines[1] == f"plot: {summary.plot}"
    assert summary.plot.read_bytes().startswith(b"\x89PNG")
    after = summary.lines[summary.lines.index("next:") + 1 :]
    assert len(after) == 3
    page = campaign.lake.local_path / "plots" / SCOPE / "tyk2.html"  # type: ignore[operator]
    assert f"page: {page}" in summary.lines
    assert page.exists()
    assert summary.plot == page.with_suffix(".png")
    assert all("alchemiscale-lake " in line for line in summary.lines[-3:])


def test_a_summary_without_estimates_names_commands_that_work(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("plain", [("a", "b")])
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], ok=False)
    gather_network(campaign.lake, network)

    *_, first, second = summarise(campaign.lake, network).lines

    for command in (first, second):
        done = CliRunner().invoke(main, [*command.split()[1:], "--lake", str(tmp_path / "lake")])
        assert done.exit_code == 0, done.output


def test_a_summary_without_experiment_has_no_plot(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("plain", [("a", "b")])
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1)
    gather_network(campaign.lake, network)

    summary = summarise(campaign.lake, network)

    assert summary.plot is None
    assert "no ligand has an experimental value" in summary.lines[0]
    assert summary.lines[-1] == "  alchemiscale-lake rank plain"
