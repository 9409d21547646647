"""Files that commands write are checked before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.store import Lake


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gather", "x", "--plot", "y.xyz"], "y.xyz does not end in .png, .pdf or .svg"),
        (["gather", "x", "--plot", "nowhere/y.png"], "there is no folder nowhere; create it first"),
        (["compare", "--plot", "y"], "y does not end in .png, .pdf or .svg"),
        (["usage", "--plot", "y.txt"], "y.txt does not end in .png, .pdf or .svg"),
        (["status", "-o", "nowhere/y.tsv"], "there is no folder nowhere; create it first"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_first(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*arguments, "--lake", lake.url])
    assert done.exit_code == 2
    assert told in done.stderr
