"""That repeats multiply is said before anything runs."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.ledger.multiplied import simulations_of
from tests.real_data import real_file


def test_only_what_multiplies_is_said() -> None:
    assert simulations_of([1, None], 3) is None
    assert simulations_of([3, 3], 1) is None
    assert "make 3 repeats within each Task" in str(simulations_of([3, 3, None], 3))
    assert "2 of 3 Transformations" in str(simulations_of([3, 3, None], 3))
    assert "that is 9 simulations of every leg" in str(simulations_of([3, 3], 3))
    assert "2 to 3 repeats" in str(simulations_of([2, 3], 2))
    assert "up to 6 simulations" in str(simulations_of([2, 3], 2))


def test_submit_says_it_of_a_network_that_openfe_planned(tmp_path: Path) -> None:
    file = real_file("tyk2_network.json")
    command = ["submit", str(file), "--scope", "a-b-c", "--lake", str(tmp_path / "lake"), "-t", "3"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "18 of 18 Transformations make 3 repeats within each Task" in done.stderr
    assert "9 simulations of every leg" in done.stderr
