"""Functions used by notebooks: their lake, pictures, plots of a campaign's progress."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from alchemiscale_lake.errors import LakeError
from alchemiscale_lake.report import Table
from alchemiscale_lake.report.notebook import frame, open_lake, picture


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
