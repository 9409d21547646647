"""The data of the throughput plot."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.query import Connection, connect
from alchemiscale_lake.report.usage_plots import plot_throughput, throughput_by_day
from tests.campaign import Campaign, hours


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Connection:
    """Return twelve hosts, one result each on the first day; three more on the fourth, one of an unknown host."""
    campaign = Campaign.at(tmp_path_factory.mktemp("throughput") / "lake")
    network = campaign.network("n", [("a", "b")])
    tasks = campaign.new_tasks(network, ["a_b_other"] * 15)
    for number, task in enumerate(tasks):
        late = number >= 12
        hostname = "node0" if late else f"node{number}"
        campaign.result(
            task, 1.0, 0.1, hostname=None if number == 14 else hostname, started_at=hours(72 if late else 1)
        )
    return connect(campaign.lake)


def test_sums_run_over_every_day_and_small_groups_go_together(connection: Connection) -> None:
    rows = throughput_by_day(connection, by="host")

    assert rows["group"].unique(maintain_order=True).to_list()[0] == "node0"
    assert rows["group"].unique(maintain_order=True).to_list()[-1] == "others"
    assert rows["group"].n_unique() == 9
    assert rows.filter(pl.col("group") == "node0")["n_results"].to_list() == [1, 1, 1, 3]
    ends = rows.filter(pl.col("day") == rows["day"].max())
    assert (ends["n_results"].sum(), ends["gpu_h"].sum()) == (15, pytest.approx(15 * 0.25))
    assert rows["day"].min() == date(2025, 6, 1)


def test_a_scope_and_a_window_select(connection: Connection) -> None:
    assert len(throughput_by_day(connection, scope="no-such-scope")) == 0
    late = throughput_by_day(connection, window=timedelta(days=1), now=hours(80))
    assert late["n_results"].to_list() == [3]


def test_the_figure_starts_at_nothing_and_ends_at_the_sums(connection: Connection, tmp_path: Path) -> None:
    figure = plot_throughput(connection, by="pool")

    upper, lower = figure.axes
    heights = upper.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.0, 15.0)
    assert lower.get_ylabel().startswith("GPU-hours")
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["local"]


def test_a_plot_says_what_is_counted(connection: Connection) -> None:
    upper, _ = plot_throughput(connection, scope="org-*-*").axes

    assert upper.get_title(loc="right") == "org-*-*"
