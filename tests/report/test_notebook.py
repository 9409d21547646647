"""Functions used by notebooks: their lake, pictures, plots of a campaign's progress."""

from __future__ import annotations

import base64
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from alchemiscale_lake.errors import EstimationError, LakeError
from alchemiscale_lake.report import Table
from alchemiscale_lake.report.campaign_plots import plot_hours_per_result, plot_progress
from alchemiscale_lake.report.notebook import frame, open_lake, picture

T0 = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def lakes(empty_lake_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("lake", "named", "set"):
        shutil.copytree(empty_lake_folder, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALCHEMISCALE_LAKE", raising=False)
    return tmp_path


def test_the_command_line_wins_then_the_environment_then_here(lakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_lake([]).local_path == lakes / "lake"
    monkeypatch.setenv("ALCHEMISCALE_LAKE", "set")
    assert open_lake(["kernel", "-f", "connection.json"]).local_path == lakes / "set"
    assert open_lake(["notebook.py", "--lake", "named"]).local_path == lakes / "named"
    assert open_lake(["notebook.py", "--lake=named"]).local_path == lakes / "named"
    with pytest.raises(LakeError, match="there is no lake at "):
        open_lake(["notebook.py", "--lake", "nosuch"])


def test_a_picture_is_an_image_with_words() -> None:
    figure = Figure(figsize=(4, 2))
    figure.add_subplot().plot([1, 2])

    shown = picture(figure, 'a "line" < 3')

    assert shown.png.startswith(b"\x89PNG")
    found = re.search(r'alt="([^"]*)" width="(\d+)" src="data:image/png;base64,([^"]*)"', shown._repr_html_())
    assert found is not None
    assert found[1] == "a &quot;line&quot; &lt; 3"
    assert int(found[2]) == pytest.approx(400, abs=40)
    assert base64.b64decode(found[3]) == shown.png


def test_a_picture_holds_what_stands_out_of_its_figure() -> None:
    figure = Figure(figsize=(2, 2))
    figure.add_axes((0, 0, 1, 1)).set_title("a\ntitle\nabove")

    shown = picture(figure)

    height = int.from_bytes(shown.png[20:24], "big")
    assert height > 2.3 * 200


def test_a_table_becomes_a_frame_that_is_rounded_as_the_table_says() -> None:
    table = Table(("name", "rate", "hours"), [("a", 0.12345, 1.2345), ("b", None, 2.0)], decimals={"rate": 3})

    assert frame(table).rows() == [("a", 0.123, 1.23), ("b", None, 2.0)]
    assert frame(Table(("name", "rate"), [])).columns == ["name", "rate"]


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
