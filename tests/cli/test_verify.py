"""`verify` and `maintain` on a terminal: what to do in full, and no line per table."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from alchemiscale_lake.cli import _bar, main
from alchemiscale_lake.cli import verify as verify_command
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.campaign import small_campaign


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    campaign = small_campaign(tmp_path / "lake")
    data = next((campaign.lake.local_path or tmp_path).joinpath("tables/results").rglob("*.parquet"))
    data.write_bytes(data.read_bytes()[:-3] + b"xyz")
    return tmp_path / "lake"


@pytest.mark.parametrize("width", ["80", "200"])
def test_what_to_do_is_never_cut(damaged: Path, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_command, "is_for_people", lambda tsv, output: not tsv and output is None)
    options = ["verify", "--lake", str(damaged)]

    shown = CliRunner().invoke(main, options, env={"COLUMNS": width})
    table = CliRunner().invoke(main, [*options, "--tsv"])

    assert (shown.exit_code, table.exit_code) == (1, 1)
    rows = [line.split("\t") for line in table.stdout.splitlines()[1:]]
    assert any(path.startswith("tables/results/") for path, _, _ in rows)
    expected = [line for path, what, do in rows for line in (path, f"  damage: {what}", f"  to do: {do}")]
    assert shown.stdout.splitlines() == expected


@pytest.mark.parametrize("command", ["verify", "maintain"])
def test_there_is_no_line_per_table(tmp_path: Path, command: str) -> None:
    Lake.create(tmp_path / "lake").table("assays").append_new(TABLES["assays"].sample(1))
    done = CliRunner().invoke(main, [command, "--lake", str(tmp_path / "lake")])

    assert done.exit_code == 0, done.output
    assert len(done.stderr.splitlines()) == 1


def test_steps_of_a_slow_command_are_printed_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 1.0, 11.0, 12.0, 25.0])
    monkeypatch.setattr(_bar.time, "monotonic", lambda: next(times))
    with _bar.StepLine() as step:
        for name in "abcd":
            step(name)
    assert capsys.readouterr().err.splitlines() == ["b", "d"]


def test_steps_replace_each_other_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(_bar, "Console", lambda file: Console(file=screen, force_terminal=True, width=80))
    with _bar.StepLine() as step:
        step("table [1] of 25")
    assert "table [1] of 25" in screen.getvalue() or "starting" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")
