"""Migration: nothing is lost, readers are served, older versions refuse, any kill is continued."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import (
    DamagedError,
    LakeVersionError,
    MissingTableError,
    TasksRunningError,
    UpkeepRunningError,
)
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import connect
from alchemiscale_lake.schemas import FORMAT, TABLES
from alchemiscale_lake.store import Lake, Location, MigrationReport, check_tables, migrate, restore_marker
from alchemiscale_lake.store.migrations import STEPS
from alchemiscale_lake.store.upkeep_lease import hold_upkeep
from alchemiscale_lake.tasks import Event, TaskState
from tests.next_formats import ADDED, ADDITIVE, CHANGED, CHANGING, next_formats
from tests.plain import SCOPE

REPOSITORY = Path(__file__).parents[2]
NAMES = {"networks": ["a", "b"], "transformations": ["x", "y", "z"]}


class CutError(BaseException):
    """A kill, as far as this process can suffer one."""


@pytest.fixture
def old(place: str) -> str:
    """Return a lake of today's format with some rows, in a folder and in a bucket."""
    return fill(place)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    Lake.create(tmp_path / "lake")
    return fill(str(tmp_path / "lake"))


def fill(place: str) -> str:
    lake = Lake.open(place)
    for table, names in NAMES.items():
        assert lake.table(table).append_new(TABLES[table].sample(len(names), name=names)) == len(names)
    return place


def migrated(place: str, *, dry_run: bool = False) -> MigrationReport:
    return migrate(place, dry_run=dry_run, tell=lambda _: None)


def names(lake: Lake) -> dict[str, list[str]]:
    return {table: sorted(lake.table(table).scan().collect()["name"]) for table in NAMES}


def capitals() -> dict[str, list[str]]:
    return {table: [name.upper() for name in found] for table, found in NAMES.items()}


def history(lake: Lake) -> list[tuple[int, str]]:
    return lake.table("migrations").scan().select("format", "what").collect().sort("format").rows()


def run_a_task(lake: Lake) -> None:
    attempt = TaskState(SCOPE, f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", None, "running", 10, "a1", "cluster")
    lake.task_log.commit(lambda _: [Event("claimed", attempt, of_attempt="a1")], caller=Caller("ada"))


def content(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- the steps ------------------------------------------------------------------------------------


def test_every_format_has_its_step() -> None:
    assert [step.to for step in STEPS] == list(range(2, FORMAT + 1))


def test_all_steps_are_run_and_recorded(old: str) -> None:
    with next_formats():
        report = migrated(old)
        lake = Lake.open(old)

        assert (report.before, report.after) == (FORMAT, CHANGED)
        assert [done.step.to for done in report.steps] == [ADDED, CHANGED]
        assert names(lake) == capitals()
        assert set(lake.tables) == set(TABLES)
        assert lake.table("networks").scan().collect()["note"].to_list() == [None, None]
        assert history(lake)[-2:] == [(ADDED, ADDITIVE.what), (CHANGED, CHANGING.what)]
        assert [checked.flaws for checked in check_tables(lake, lambda _: None)] == [[]] * len(TABLES)
        assert migrated(old).steps == []


def test_a_dry_run_changes_nothing(folder: str) -> None:
    before = content(Path(folder))
    with next_formats():
        report = migrated(folder, dry_run=True)

    assert [(done.step.to, done.wall_time_s) for done in report.steps] == [(ADDED, None), (CHANGED, None)]
    assert report.refusal is None
    assert content(Path(folder)) == before


def test_rows_written_before_and_after_an_additive_step_count_equally(old: str) -> None:
    older, late = Lake.open(old), TABLES["networks"].sample(1, name="c", network="late")
    with next_formats(ADDITIVE):
        migrated(old)
        assert older.table("networks").append_new(late) == 1
        assert names(Lake.open(old))["networks"] == ["a", "b", "c"]


# --- versions -------------------------------------------------------------------------------------


def test_a_lake_that_lacks_only_additive_steps_opens(old: str) -> None:
    with next_formats(ADDITIVE):
        lake = Lake.open(old)

        assert names(lake) == NAMES
        assert lake.table("notes").scan().collect().is_empty()
        assert connect(lake).sql("select count(*) from networks where note is null").fetchall() == [(2,)]


def test_a_lake_that_lacks_other_steps_says_what_to_run(folder: str) -> None:
    with (
        next_formats(),
        pytest.raises(LakeVersionError, match=rf"needs format {CHANGED}: run .*migrate --lake /.*lake"),
    ):
        Lake.open(folder)


def test_an_older_version_refuses_and_says_what_to_install(old: str) -> None:
    with next_formats(ADDITIVE):
        migrated(old)

    with pytest.raises(LakeVersionError, match=rf"has format {ADDED} .*supports formats up to {FORMAT}: install"):
        Lake.open(old)
    with pytest.raises(LakeVersionError, match="install"):
        migrated(old)


def test_a_lost_marker_is_restored_in_the_newer_format(folder: str) -> None:
    with next_formats():
        migrated(folder)
        written = json.loads(Path(folder, "lake.json").read_text())
        Path(folder, "lake.json").unlink()

        assert restore_marker(Location.parse(folder)) == "missing"
        assert json.loads(Path(folder, "lake.json").read_text()) == written
        assert Lake.create(folder, exist_ok=True).url == Lake.open(folder).url


def test_creating_a_lake_again_that_lost_its_marker_keeps_its_format(folder: str) -> None:
    Path(folder, "lake.json").unlink()
    with next_formats(ADDITIVE):
        assert names(Lake.create(folder)) == NAMES
    assert json.loads(Path(folder, "lake.json").read_text())["format"] == FORMAT


def test_a_creation_that_an_older_version_began_is_finished(tmp_path: Path) -> None:
    def cut(name: str) -> None:
        if name.startswith("commit:migrations"):
            raise CutError

    with fault_hook(cut), pytest.raises(CutError):
        Lake.create(tmp_path / "lake")
    with next_formats(ADDITIVE):
        Lake.create(tmp_path / "lake")
        lake = Lake(Location.parse(tmp_path / "lake"), ADDED)
        assert lake.table("networks").scan().collect().is_empty()
        assert migrated(str(tmp_path / "lake")).steps == []


# --- beside others --------------------------------------------------------------------------------


def test_additive_steps_run_beside_running_tasks(folder: str) -> None:
    lake = Lake.open(folder)
    run_a_task(lake)
    with next_formats(ADDITIVE):
        assert migrated(folder).after == ADDED
    assert lake.task_log.states().tasks["status"].to_list() == ["running"]


def test_other_steps_are_refused_while_tasks_are_running(folder: str) -> None:
    run_a_task(Lake.open(folder))
    with next_formats():
        refusal = migrated(folder, dry_run=True).refusal
        with pytest.raises(TasksRunningError, match="are running: 1 in pool cluster by ada; the first is Task-1") as e:
            migrated(folder)

        assert str(e.value) == refusal
        marker = json.loads(Path(folder, "lake.json").read_text())
        assert (marker["format"], marker.get("unfinished_from")) == (ADDED, None), "the additive step stays done"
        assert names(Lake(Location.parse(folder), ADDED)) == NAMES


def test_a_task_that_is_claimed_just_before_a_step_is_noticed(folder: str) -> None:
    """By a dispatcher of the older version that was there already; the lake is as it was."""
    open_since = Lake.open(folder)

    def claim(point: str) -> None:
        if point == f"migrate:{CHANGED}:announced":
            run_a_task(open_since)

    with next_formats(), fault_hook(claim), pytest.raises(TasksRunningError):
        migrated(folder)

    marker = json.loads(Path(folder, "lake.json").read_text())
    assert (marker["format"], marker.get("unfinished_from")) == (ADDED, None)
    assert names(open_since) == NAMES


def test_one_migration_at_a_time_and_none_beside_maintenance(folder: str) -> None:
    with next_formats(ADDITIVE), hold_upkeep(Lake.open(folder).objects), pytest.raises(UpkeepRunningError):
        migrated(folder)


def test_readers_are_served_meanwhile(folder: str) -> None:
    """Every read, through a connection, an open lake or a new one, sees all rows, old or new."""
    lake = Lake.open(folder)
    connection = connect(lake)
    stop, reads, wrong = threading.Event(), [0], list[object]()

    def read() -> None:
        while not stop.is_set():
            for found in (names(lake), names(Lake(Location.parse(folder), FORMAT))):
                if any(found[table] not in (NAMES[table], capitals()[table]) for table in NAMES):
                    wrong.append(found)
            reads[0] += 1

    thread = threading.Thread(target=read)
    thread.start()
    try:
        with next_formats():
            while not reads[0]:
                pass
            migrated(folder)
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert connection.sql("select name from networks order by all").fetchall() == [("a",), ("b",)], "its snapshot"
    assert names(lake) == capitals()


def test_a_damaged_lake_is_refused_before_anything_is_changed(folder: str) -> None:
    log = Path(folder, "tables/assays/_delta_log/00000000000000000000.json")
    log.write_bytes(log.read_bytes()[:100])
    before = content(Path(folder))
    with next_formats():
        with pytest.raises(DamagedError, match=r"assays.*maintain --repair"):
            migrated(folder)
        shutil.rmtree(Path(folder, "tables/assays"))
        with pytest.raises(MissingTableError, match=r"assays.*restore it from a backup"):
            migrated(folder)
    assert content(Path(folder)) == {path: data for path, data in before.items() if "/assays/" not in path}


# --- kills ----------------------------------------------------------------------------------------


def test_a_migration_killed_between_any_two_writes_goes_on(folder: str, tmp_path: Path) -> None:
    """SIGKILL at every fault point; then what was there is there, and the next migration ends as if undisturbed."""
    (tmp_path / "killed").mkdir()
    command = [sys.executable, "-m", "tests.next_formats", folder, str(tmp_path / "killed")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)
    assert len(points) >= 15
    with next_formats():
        expected = history(Lake.open(tmp_path / "killed" / "undisturbed"))
    for i, point in enumerate(points):
        place = str(tmp_path / "killed" / str(i))
        assert_nothing_is_lost(place, point)
        with next_formats():
            migrated(place)
            lake = Lake.open(place)
            assert names(lake) == capitals(), point
            assert history(lake) == expected, point
            assert all(not checked.flaws for checked in check_tables(lake, lambda _: None)), point


def assert_nothing_is_lost(place: str, point: str) -> None:
    marker = json.loads(Path(place, "lake.json").read_text())
    with next_formats():
        sound = marker.get("unfinished_from", marker["format"])
        found = names(Lake(Location.parse(place), sound))
        for table in NAMES:
            allowed = [NAMES[table]] * (sound < CHANGED) + [capitals()[table]] * (marker["format"] == CHANGED)
            assert found[table] in allowed, point
        if "unfinished_from" in marker:
            with pytest.raises(LakeVersionError, match=r"being migrated .* or that was interrupted.*migrate"):
                Lake.open(place)
            assert restore_marker(Location.parse(place)) is None, "the marker is right"
    if marker["format"] > FORMAT:
        with pytest.raises(LakeVersionError, match="supports formats up to"):
            Lake.open(place)
    else:
        assert names(Lake.open(place)) == NAMES
