"""`migrate`: a table of steps on stdout, the talk on stderr, an exit code that a script can use."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.schemas import FORMAT
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, TaskState
from tests.next_formats import ADDED, CHANGED, next_formats
from tests.plain import SCOPE

HEAD = "format\tchange\twhile Tasks run\tstate\tseconds\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Lake.create(tmp_path / "lake")
    return tmp_path / "lake"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_dry_run_lists_the_missing_steps_and_exits_with_1(folder: Path) -> None:
    with next_formats():
        done = call("migrate", "--dry-run", "--lake", folder)

    assert done.exit_code == 1
    assert done.stdout == (
        f"{HEAD}{ADDED}\tcolumn note of two tables; table notes\tyes\tmissing\t\n"
        f"{CHANGED}\tnames in capitals\tno\tmissing\t\n"
    )
    assert done.stderr == (
        f"the lake has format {FORMAT} and lacks 2 steps; nothing was changed\n"
        f"next: alchemiscale-lake migrate --lake {folder}\n"
    )


def test_each_step_is_announced_and_reported(folder: Path) -> None:
    with next_formats():
        done = call("migrate", "--lake", folder)
        again = call("migrate", "--lake", folder)

    assert done.exit_code == again.exit_code == 0
    assert [line.split("\t")[3] for line in done.stdout.splitlines()] == ["state", "done", "done"]
    assert done.stderr.splitlines() == [
        f"format {ADDED}: column note of two tables; table notes",
        "table networks: adding columns",
        "table transformations: adding columns",
        "table notes: creating",
        f"format {CHANGED}: names in capitals",
        "table networks: names in capitals",
        "table transformations: names in capitals",
        f"the lake has been migrated from format {FORMAT} to {CHANGED}",
    ]
    assert (again.stdout, again.stderr) == ("", f"the lake has format {CHANGED}, the current one; nothing to do\n")


def test_it_is_refused_in_one_line_while_tasks_are_running(folder: Path) -> None:
    attempt = TaskState(SCOPE, f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", None, "running", 10, "a1", "cluster")
    Lake.open(folder).task_log.commit(lambda _: [Event("claimed", attempt, of_attempt="a1")], caller=Caller("ada"))
    with next_formats():
        told, done = call("migrate", "--dry-run", "--lake", folder), call("migrate", "--lake", folder)

    assert told.exit_code == done.exit_code == 1
    assert f"refused now: 1 Task(s) are running: 1 in pool cluster by ada; the first is Task-1-{SCOPE}" in told.stderr
    assert done.stderr.splitlines()[-1].startswith(
        f"Error: 1 Task(s) are running: 1 in pool cluster by ada; the first is Task-1-{SCOPE}"
    )
    assert "Traceback" not in done.output


def test_other_commands_name_the_command_that_helps(folder: Path) -> None:
    with next_formats():
        done = call("status", "--lake", folder)
        call("migrate", "--lake", folder)
    newer = call("status", "--lake", folder)

    assert f"run `alchemiscale-lake migrate --lake {folder}`" in done.stderr
    assert f"has format {CHANGED}" in newer.stderr
    assert "install a newer build of it" in newer.stderr


def test_maintenance_mentions_missing_steps(folder: Path) -> None:
    assert "migrate" not in call("maintain", "--dry-run", "--lake", folder).stderr
    with tarfile.open(Path(__file__).parents[1] / "data" / "lake-format-1.tar.xz") as archive:
        archive.extractall(folder.parent / "old", filter="data")

    done = call("maintain", "--dry-run", "--lake", folder.parent / "old" / "lake")

    assert f"this lake has format 1, the current one is {FORMAT}; next: alchemiscale-lake migrate" in done.stderr
