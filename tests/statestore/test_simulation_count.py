"""A warning about multiplied repeats appears before anything runs."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.statestore.simulation_count import repeats_within, simulations_of
from tests.real_data import real_file


def test_only_what_multiplies_is_said() -> None:
    assert simulations_of([1, None], 3) is None
    assert simulations_of([3, 3], 1) is None
    assert "run 3 repeats within each Task" in str(simulations_of([3, 3, None], 3))
    assert "2 of 3 Transformations" in str(simulations_of([3, 3, None], 3))
    assert "3 Tasks per Transformation make 9 simulations of every leg" in str(simulations_of([3, 3], 3))
    assert "2 to 3 repeats" in str(simulations_of([2, 3], 2))
    assert "make 4 to 6 simulations" in str(simulations_of([2, 3], 2))


def test_different_numbers_of_tasks_are_said_as_they_are() -> None:
    assert "of every leg" in str(simulations_of([3, 3], [3, 4]))
    assert "3 to 4 Tasks per Transformation make 9 to 12 simulations" in str(simulations_of([3, 3], [3, 4]))
    assert "1 of them has 2 Tasks, which make 6 simulations of its leg" in str(simulations_of([3, 3, 3], [1, 2, 1]))
    assert "2 of them have 2 to 3 Tasks, which make 6 to 9" in str(simulations_of([3, 3, 3], [1, 2, 3]))


def test_submit_warns_about_a_network_planned_by_openfe(tmp_path: Path) -> None:
    file = real_file("tyk2_network.json")
    command = ["submit", str(file), "--scope", "a-b-c", "--lake", str(tmp_path / "lake"), "-t", "3"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "18 of 18 Transformations run 3 repeats within each Task" in done.stderr
    assert "9 simulations of every leg" in done.stderr
    # the Tasks exist: other Tasks per Transformation are not what to do
    assert "--tasks-per-transformation 1" not in done.stderr
    assert "tasks set-status deleted TASK" in done.stderr

    again = CliRunner().invoke(main, command)
    assert "simulations" not in again.stderr
    assert "no Task was created: every Transformation has at least 3 Tasks already" in again.stderr


def test_estimate_cost_warns_before_submitting(tmp_path: Path) -> None:
    file = real_file("tyk2_network.json")
    command = ["estimate-cost", str(file), "--scope", "a-b-c", "--lake", str(tmp_path / "lake"), "-t"]
    CliRunner().invoke(main, ["init", "--lake", str(tmp_path / "lake")])

    once, thrice = (CliRunner().invoke(main, [*command, n]) for n in ("1", "3"))

    assert (once.exit_code, thrice.exit_code) == (0, 0), once.output + thrice.output
    assert "18 of 18 Transformations run 3 repeats within each Task (`protocol_repeats` in their" in once.stderr
    assert "simulations of every leg" not in once.stderr
    assert "9 simulations of every leg; --tasks-per-transformation 1" in thrice.stderr


def test_tasks_create_warns_once_tasks_multiply(tmp_path: Path) -> None:
    file, lake = real_file("tyk2_network.json"), str(tmp_path / "lake")
    CliRunner().invoke(main, ["submit", str(file), "--scope", "a-b-c", "--lake", lake])
    create = ["tasks", "create", "--network", "tyk2_network", "--lake", lake]

    first, second = (CliRunner().invoke(main, [*create, "--count", "1"]) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "simulations of every leg" not in first.stderr
    assert "2 Tasks per Transformation make 6 simulations of every leg" in second.stderr
    assert len(second.stdout.split()) == 18


def test_repeats_of_one_are_not_worth_a_word() -> None:
    assert repeats_within([1, None]) is None
    assert str(repeats_within([3, 1])).startswith("1 of 2 Transformations runs 3 repeats")
