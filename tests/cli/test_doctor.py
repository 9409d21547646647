"""`doctor`: output, exit codes, JSON and repair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import doctor as doctor_command
from alchemiscale_lake.cli import main
from alchemiscale_lake.doctor import examination
from tests.lakes import new_lake


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(examination, "_PATIENCE_S", 0.0)
    new_lake(tmp_path / "lake")
    return tmp_path / "lake"


def doctor(place: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--lake", str(place), *options])


def test_a_sound_lake(place: Path) -> None:
    done = doctor(place)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.rstrip().endswith("nothing is wrong")


def test_warnings_and_damage_have_exit_codes_and_commands(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "tables" / "pockets").mkdir()
    done = doctor(place, "--quick", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["exit_code"], found["quick"]) == (3, 3, True)
    (finding,) = found["findings"]
    assert finding["severity"] == "warning"
    assert f"{place}/tables/pockets" in finding["command"]

    (place / "lake.json").unlink()
    done = doctor(place, "--tsv")
    assert done.exit_code == 4
    assert f"alchemiscale-lake doctor --repair --lake {place}" in done.stdout

    monkeypatch.setattr(doctor_command, "is_for_people", lambda tsv, output: True)
    lines = doctor(place).stdout.splitlines()
    assert lines[0] == "damage: lake.json"
    assert lines[-1] == f"  repair: alchemiscale-lake doctor --repair --lake {place}"

    (place / "tables" / "pockets").rmdir()
    done = doctor(place, "--repair")
    assert done.exit_code == 0, done.output
    assert "repaired: lake.json was missing; it has been rewritten" in done.stderr
    assert doctor(place, "--repair").exit_code == 0


def test_no_lake_is_an_error_and_no_finding(tmp_path: Path) -> None:
    done = doctor(tmp_path / "none")
    assert done.exit_code == 1
    assert "there is no lake" in done.stderr
