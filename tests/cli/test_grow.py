"""`networks grow`: what a night did in a few lines, and exit code 1 if a step failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake
from tests.design_files import aged, design

Call = Callable[..., Result]
SCOPE = "org-programme-designs"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, exit_code: int = 0) -> Result:
        given = ["networks", "grow", "tyk2", "--scope", SCOPE, "--from", "designs", *arguments]
        done = CliRunner().invoke(main, given, env={"ALCHEMISCALE_LAKE": None})
        assert done.exit_code == exit_code, done.output
        assert "Traceback" not in done.output
        return done

    return call


def test_a_night_in_a_few_lines(call: Call, tmp_path: Path) -> None:
    designs = tmp_path / "designs"
    design(designs, "a.json", "ab", "bc")
    (designs / "bad.json").write_text("{")
    aged(designs / "bad.json")
    first = call("--strategy", "fixed-repeats", "--setting", "repeats=2", "--budget", "50")

    lake = Lake.open(tmp_path / "lake")
    assert first.stdout.strip() == find_network(lake, "tyk2")
    for line in (
        "tyk2 has grown by 2 new Transformations from 1 file: a.json",
        "refused: bad.json",
        "tyk2: round 1, 4 Tasks created",
        "page of rounds: lake/plots/org-programme-designs/tyk2-rounds.html",
        "next: alchemiscale-lake dispatch",
    ):
        assert line in first.stderr
    design(designs, "a.json", "cd", at=60)
    design(designs, "late.json", "de").touch()
    second = call()
    assert "1 file changed since last time: a.json" in second.stderr
    assert "1 file was changed just now and may be incomplete" in second.stderr
    assert "2 Tasks created" in second.stderr
    assert "tyk2 has not grown: no file has anything new" in call().stderr


def test_what_fails_is_named_and_bad_input_makes_no_lake(call: Call, tmp_path: Path) -> None:
    assert "there is no folder" in call(exit_code=1).stderr
    assert not (tmp_path / "lake").exists()
    design(tmp_path / "designs", "a.json", "ab")
    call()
    (tmp_path / "designs").rename(tmp_path / "away")
    assert "failed: picking up design files: there is no folder" in call(exit_code=1).stderr
    done = CliRunner().invoke(main, ["networks", "set-state", "tyk2", "inactive", "--lake", "lake"])
    assert done.exit_code == 0
    (tmp_path / "away").rename(tmp_path / "designs")
    assert "tyk2 is not active, so nothing was picked up" in call().stderr
