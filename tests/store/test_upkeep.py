from __future__ import annotations

import json
import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import UpkeepRunningError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, UpkeepSettings, maintain, now_utc
from alchemiscale_lake.store import table_upkeep as table_upkeep_module
from alchemiscale_lake.store import upkeep as upkeep_module
from alchemiscale_lake.tasks import Event, TaskState, TaskStates
from tests.long import share
from tests.plain import SCOPE

ASSAYS = TABLES["assays"]
OTHER_SCOPE = "org-campaign-other"


def later(days: float = 8.0) -> dict[str, object]:
    """Maintain as of some days from now, when everything that exists now is old."""
    return {"now": now_utc() + timedelta(days=days)}


def new_task(scope: str = SCOPE) -> TaskState:
    return TaskState(scope, f"Task-{uuid.uuid4().hex}-{scope}", f"Transformation-1-{scope}", None)


def commit_small(lake: Lake, n: int = 12) -> list[str]:
    """Make many small commits; return the Tasks created."""
    tasks = [new_task(SCOPE if i % 3 else OTHER_SCOPE) for i in range(n)]
    for i, task in enumerate(tasks):
        lake.task_log.commit(lambda _, task=task: [Event("created", task)], caller=Caller("t"))
        if i % 2:
            lake.table("assays").append_new(ASSAYS.sample(1, ligand=f"l{time.monotonic_ns()}", value_kcal_mol=float(i)))
    return [task.task for task in tasks]


def content(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return all rows that maintenance must not change."""
    frames = {name: lake.table(name).scan().collect() for name in TABLES if not name.endswith("_snapshots")}
    return {name: frame.sort(TABLES[name].key) for name, frame in frames.items()}


def assert_same(before: dict[str, pl.DataFrame], after: dict[str, pl.DataFrame]) -> None:
    for name, frame in before.items():
        assert frame.equals(after[name]), name


def states_of(lake: Lake) -> list[tuple[object, ...]]:
    return sorted(Lake.open(lake.url).task_log.states().tasks.rows())


def paths(lake: Lake, prefix: str = "") -> list[str]:
    return sorted(found.path for found in lake.objects.list_with_times(prefix))


def test_upkeep_leaves_the_rows_and_little_else(place: str) -> None:
    lake = Lake.open(place)
    commit_small(lake, 24)
    before, states = content(lake), states_of(lake)
    first = maintain(lake)
    second = maintain(lake, **later())
    done = {table.table: table for table in first.tables}
    assert (done["task_log"].files_before, done["task_log"].files_after) == (24, 2)
    assert (done["assays"].files_before, done["assays"].files_after) == (12, 1)
    done = {table.table: table for table in second.tables}
    assert done["task_log"].log_files_before > 25
    assert done["task_log"].log_files_after == 2
    assert len([p for p in paths(lake, "tables/task_log") if "/part-" in p]) == 2
    assert len([p for p in paths(lake, "tables/task_log/scope=" + SCOPE) if p.endswith(".parquet")]) == 1
    assert second.freed_bytes > 24 * 1000
    assert_same(before, content(Lake.open(place)))
    assert states_of(lake) == states
    assert first.folded_to_seq == second.folded_to_seq == 24


def test_what_is_young_stays(lake: Lake) -> None:
    commit_small(lake)
    before = paths(lake, "tables")
    report = maintain(lake)
    assert set(before) <= set(paths(lake, "tables"))
    assert report.freed_bytes == 0


def test_a_reader_reads_on(lake: Lake) -> None:
    """Files of a snapshot exist for the promised time, however old the files themselves are."""
    commit_small(lake)
    make_old(lake, days=100)
    table = lake.table("task_log")
    delta = table.snapshot()
    frame = table.scan(delta)
    maintain(lake)
    assert len(frame.collect()) == 12
    assert len(table.scan(delta).collect()) == 12


def make_old(lake: Lake, days: float) -> None:
    assert lake.local_path is not None
    then = time.time() - days * 86400
    for path in lake.local_path.joinpath("tables").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def test_old_commits_go_in_the_first_upkeep_if_an_old_checkpoint_stands_above_them(lake: Lake) -> None:
    commit_small(lake, 45)  # with checkpoints at 20 and 40
    make_old(lake, days=1)
    maintain(lake)
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    assert sorted(int(p.name[:20]) for p in log.glob("*.json")) == list(range(40, 47))
    assert Lake.open(lake.url).task_log.states().seq == 45


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_a_compaction_between_decision_and_commit_costs_a_try(place: str) -> None:
    lake, other = Lake.open(place), Lake.open(place)
    commit_small(lake, 10)
    tries: list[int] = []

    def upkeep(name: str) -> None:
        if name == "commit:task_log:before" and not tries:
            tries.append(1)
            maintain(other)

    def decide(states: TaskStates) -> list[Event]:
        decided.append(states.seq)
        return [Event("created", new_task())]

    decided: list[int] = []
    with fault_hook(upkeep):
        landed = lake.task_log.commit(decide, caller=Caller("t"))
    assert decided == [10, 10]
    assert landed.seq == 11
    assert Lake.open(place).table("task_log").scan().collect()["seq"].sort().to_list() == list(range(1, 12))


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_whoever_has_the_log_open_goes_on_after_its_entries_are_gone(place: str) -> None:
    lake, other = Lake.open(place), Lake.open(place)
    commit_small(lake, 3)
    assert other.task_log.states().seq == 3
    commit_small(lake, 6)
    maintain(lake)
    maintain(lake, **later())
    commit_small(lake, 2)
    assert other.task_log.states().seq == 11
    commit_small(other, 1)
    assert lake.task_log.states().seq == 12
    assert states_of(lake) == sorted(other.task_log.states().tasks.rows())


def fault_points(lake: Lake) -> list[str]:
    passed: list[str] = []
    with fault_hook(passed.append):
        maintain(lake, **later())
    return [name for name in passed if name.startswith("upkeep:")]


def test_cut_anywhere_and_done_again(lake: Lake) -> None:
    class CutError(BaseException):
        pass

    commit_small(lake)
    before, states = content(lake), states_of(lake)
    points = [p for p in fault_points(lake) if p.split(":")[1] in ("folded", "task_log", "assays", "orphans")]
    assert len(points) >= 10
    for point in points:

        def cut(name: str, point: str = point) -> None:
            if name == point:
                raise CutError

        added = commit_small(lake, 6)
        before, states = content(lake), states_of(lake)
        with fault_hook(cut), pytest.raises(CutError):
            maintain(lake, **later())
        assert_same(before, content(Lake.open(lake.url)))
        assert states_of(lake) == states
        assert {task for _, task, *_ in states} >= set(added)
    maintain(lake, **later())
    assert_same(before, content(Lake.open(lake.url)))
    assert states_of(lake) == states


def test_concurrent_writers_during_repeated_maintenance(place: str) -> None:
    """Every row exists once, and every commit has its number."""
    created: list[str] = []
    done = threading.Event()

    def write() -> None:
        mine = Lake.open(place)
        for _ in range(3):
            created.extend(commit_small(mine, 4))

    def keep_up() -> None:
        mine = Lake.open(place)
        while not done.is_set():
            maintain(mine, now=now_utc() + timedelta(hours=2))

    writers = [threading.Thread(target=write) for _ in range(4)]
    keeper = threading.Thread(target=keep_up)
    for thread in [*writers, keeper]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    keeper.join()
    log = Lake.open(place).table("task_log").scan().sort("seq").collect()
    assert log["seq"].to_list() == list(range(1, 49))
    assert sorted(log["task"]) == sorted(created)
    assert Lake.open(place).table("assays").scan().collect().height == 24


def test_files_of_lost_races_go_once_the_table_has_moved_on(lake: Lake) -> None:
    commit_small(lake, 2)
    make_old(lake, days=3)
    assert lake.local_path is not None
    orphan = lake.local_path / "tables" / "task_log" / f"scope={SCOPE}" / "part-00000-lost-c000.snappy.parquet"
    orphan.write_bytes(b"rows whose commit came second")
    two_days_ago = time.time() - 2 * 86400
    os.utime(orphan, (two_days_ago, two_days_ago))
    maintain(lake)
    assert orphan.exists(), "its writer may only be slow: nothing was committed since"
    commit_small(lake, 1)
    report = maintain(lake)
    assert not orphan.exists()
    assert report.freed_bytes == len(b"rows whose commit came second")
    assert Lake.open(lake.url).task_log.states().seq == 3


def test_a_dry_run_reports_and_changes_nothing(lake: Lake) -> None:
    commit_small(lake, 20)
    make_old(lake, days=2)
    before = paths(lake)
    told = maintain(lake, UpkeepSettings(dry_run=True))
    assert paths(lake) == before
    done = maintain(lake)
    for was, would in zip(done.tables, told.tables, strict=True):
        if was.table.endswith("_snapshots"):
            continue  # folded, which a dry run does not do
        assert (was.files_before, was.files_after) == (would.files_before, would.files_after), was.table
    assert told.dry_run


def test_one_at_a_time(place: str) -> None:
    lake, other = Lake.open(place), Lake.open(place)
    refused: list[str] = []

    def at_once(name: str) -> None:
        if name == "upkeep:folded":
            with pytest.raises(UpkeepRunningError, match=f"process {os.getpid()} on") as caught:
                maintain(other)
            refused.append(str(caught.value))

    with fault_hook(at_once):
        maintain(lake)
    assert len(refused) == 1
    maintain(other)
    assert len(lake.objects.list("upkeep")) == 1


def test_what_was_just_written_is_young_to_a_machine_whose_clock_is_ahead(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers may commit through a snapshot that is a minute old: the log entries since must exist."""
    for n in range(3):
        lake.network_log.set([f"AlchemicalNetwork-{n}-{SCOPE}"], caller=Caller("ana"), weight=0.1)
    entries = set(lake.objects.list("tables/network_log/_delta_log"))
    for module in (upkeep_module, table_upkeep_module):
        monkeypatch.setattr(module, "now_utc", lambda: datetime.now(UTC) + timedelta(days=30))
    maintain(lake)
    assert entries <= set(lake.objects.list("tables/network_log/_delta_log"))


def test_one_that_was_not_heard_of_stops_when_it_finds_itself_replaced(lake: Lake) -> None:
    def replaced(name: str) -> None:
        if name == "upkeep:folded":
            said = {"hostname": "elsewhere", "pid": 1, "until": time.time() + 600}
            lake.objects.put("upkeep/00000002.json", json.dumps(said).encode())

    with fault_hook(replaced), pytest.raises(UpkeepRunningError, match="took over"):
        maintain(lake)
    assert json.loads(lake.objects.get("upkeep/00000002.json"))["until"] > time.time()


STEPS = st.lists(
    st.sampled_from(["commit here", "commit there", "states there", "fold", "upkeep now", "upkeep later"]), max_size=10
)


@given(steps=STEPS)
@settings(max_examples=share(0.4), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_upkeep_is_never_noticed(
    steps: list[str], empty_lake_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the order of commits, folds and maintenance, all handles see everything that was created."""
    import shutil

    folder = tmp_path_factory.mktemp("steps") / "lake"
    shutil.copytree(empty_lake_folder, folder)
    here, there = Lake.open(folder), Lake.open(folder)
    created: list[str] = []
    for step in steps:
        match step:
            case "commit here":
                created += commit_small(here, 3)
            case "commit there":
                created += commit_small(there, 1)
            case "states there":
                assert sorted(there.task_log.states().tasks["task"]) == sorted(created)
            case "fold":
                here.task_log.fold()
            case "upkeep now":
                maintain(here)
            case "upkeep later":
                maintain(there, **later())
    for lake in (here, there, Lake.open(folder)):
        assert sorted(lake.task_log.states().tasks["task"]) == sorted(created)
