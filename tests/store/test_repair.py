"""Damage by a power cut is detected on opening, and repaired without deleting anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import DamagedError, UpkeepRunningError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, RepairReport, repair
from alchemiscale_lake.store.log_entry import entry_name
from alchemiscale_lake.store.upkeep_lease import hold_upkeep
from alchemiscale_lake.tasks import Event, TaskState
from tests.plain import SCOPE

ASSAYS = TABLES["assays"]


def create(lake: Lake, name: str) -> None:
    task = TaskState(SCOPE, f"Task-{name}-{SCOPE}", f"Transformation-1-{SCOPE}", None)
    lake.task_log.commit(lambda _: [Event("created", task)], caller=Caller("t"))


def mend(lake: Lake) -> RepairReport:
    """An hour after the last write."""
    assert lake.local_path is not None
    then = time.time() - 3600
    for path in lake.local_path.glob("tables/*/_delta_log/*"):
        os.utime(path, (then, then))
    return repair(lake, tell=lambda _: None)


def tasks(lake: Lake) -> list[str]:
    return sorted(name.split("-")[1] for name in Lake.open(lake.url).task_log.states().tasks["task"])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, empty_lake_folder: Path) -> Path:
    """Twenty-three commits, with a checkpoint at the twentieth."""
    folder = tmp_path_factory.mktemp("twenty-three") / "lake"
    shutil.copytree(empty_lake_folder, folder)
    lake = Lake.open(folder)
    for i in range(23):
        create(lake, f"{i:02d}")
    return folder


@pytest.fixture
def lake(template: Path, tmp_path: Path) -> Lake:
    shutil.copytree(template, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def entry(log: Path, version: int) -> Path:
    return log / entry_name(version)


def file_of(log: Path, version: int) -> Path:
    actions = [json.loads(line) for line in entry(log, version).read_bytes().splitlines()]
    (path,) = [action["add"]["path"] for action in actions if "add" in action]
    return log.parent / str(path)


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def rename_add(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"add":', b'"adf":'))


def flip_digit(path: Path, n: int = 1) -> None:
    """Change digits of the number of rows: still a valid entry."""
    assert b"numRecords" in path.read_bytes()
    path.write_bytes(re.sub(rb'(numRecords\\": ?)1', rb"\g<1>0", path.read_bytes()))
    if n > 1:
        path.write_bytes(re.sub(rb'("size":)\d', rb"\g<1>9", path.read_bytes()))


def flip(path: Path) -> None:
    """Flip one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


CHECKPOINT = "00000000000000000020.checkpoint.parquet"
#: Kind of damage, its description, and the lost Tasks.
TORN: dict[str, tuple[Callable[[Path], object], str, set[str]]] = {
    "the last entry is empty": (lambda log: entry(log, 23).write_bytes(b""), "an empty entry", {"22"}),
    "the last entry is cut": (lambda log: halve(entry(log, 23)), "a damaged entry", {"22"}),
    "the last entry is zeros": (lambda log: zero(entry(log, 23)), "an empty entry", {"22"}),
    "the last entry is other JSON": (lambda log: entry(log, 23).write_text('{"hello": 1}'), "a damaged entry", {"22"}),
    "a flipped bit makes an action unknown": (lambda log: rename_add(entry(log, 23)), "a damaged entry", set()),
    "a flipped bit changes a value of the last entry": (
        lambda log: flip_digit(entry(log, 23)),
        "a damaged entry",
        set(),
    ),
    "a flipped bit changes a value further below": (lambda log: flip_digit(entry(log, 21)), "a damaged entry", set()),
    "two values of the last entry are changed": (lambda log: flip_digit(entry(log, 23), 2), "a damaged entry", {"22"}),
    "two values are changed further below": (lambda log: flip_digit(entry(log, 22), 2), "a damaged entry", {"21"}),
    "two entries are empty": (
        lambda log: [entry(log, v).write_bytes(b"") for v in (22, 23)],
        "an empty entry",
        {"21", "22"},
    ),
    "an entry below a whole one is empty": (lambda log: entry(log, 22).write_bytes(b""), "an empty entry", {"21"}),
    "an entry is missing": (lambda log: entry(log, 22).unlink(), "a missing entry", {"21"}),
    "the checkpoint is empty": (lambda log: (log / CHECKPOINT).write_bytes(b""), "a damaged checkpoint", set()),
    "the checkpoint is cut": (lambda log: halve(log / CHECKPOINT), "a damaged checkpoint", set()),
    "a flipped bit in the checkpoint": (lambda log: flip(log / CHECKPOINT), "a damaged checkpoint", set()),
    "the newest file is empty": (lambda log: file_of(log, 23).write_bytes(b""), "a truncated file", {"22"}),
    "the newest file is zeros": (lambda log: zero(file_of(log, 23)), "a truncated file", {"22"}),
    "the newest file is missing": (lambda log: file_of(log, 23).unlink(), "a missing file", {"22"}),
}


@pytest.mark.parametrize("how", TORN)
def test_truncated_entries_are_reported_and_repaired(lake: Lake, how: str) -> None:
    tear, what, gone = TORN[how]
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    files = {path.name: path.read_bytes() for path in log.parent.rglob("*") if path.is_file()}
    tear(log)
    for act in (lambda: tasks(lake), lambda: create(Lake.open(lake.url), "new")):
        with pytest.raises(DamagedError, match=rf"'task_log' is damaged.*{what}.*maintain --repair"):
            act()
    assert {p.name for p in log.parent.rglob("*") if p.is_file()} <= files.keys()

    report = mend(lake)

    assert {loss.table for loss in report.losses} == {"task_log"}
    assert {loss.damage.what for loss in report.losses} == {what}
    assert tasks(lake) == [f"{i:02d}" for i in range(23) if f"{i:02d}" not in gone]
    create(Lake.open(lake.url), "new")
    assert "new" in tasks(lake)
    everywhere = {path.name for path in lake.local_path.rglob("*")}
    missing = "missing" in what
    assert files.keys() - everywhere <= ({file_of(log, 23).name, entry_name(22)} if missing else {"_last_checkpoint"})
    if not missing:
        assert all((lake.local_path / str(loss.moved_to)).is_file() for loss in report.losses)
    assert mend(lake).losses == []


def test_a_file_with_one_flipped_bit_is_restored(lake: Lake) -> None:
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    files = [file_of(log, 5), file_of(log, 23)]
    written = [path.read_bytes() for path in files]
    for path in files:
        flip(path)
    losses = mend(lake).losses
    assert [loss.is_restored for loss in losses] == [True, True]
    assert "one flipped bit was restored" in str(losses[0])
    assert [path.read_bytes() for path in files] == written
    assert mend(lake).losses == []


def test_a_file_that_is_changed_further_is_set_aside(lake: Lake) -> None:
    assert lake.local_path is not None
    path = file_of(lake.local_path / "tables" / "task_log" / "_delta_log", 23)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\0" * 20 + data[120:])
    (loss,) = mend(lake).losses
    assert (loss.damage.what, loss.n_rows, loss.is_restored) == ("a changed file", 1, False)
    assert tasks(lake) == [f"{i:02d}" for i in range(22)]


def test_an_entry_without_its_own_digest_is_restored_by_the_next_one(lake: Lake) -> None:
    """Also as the first entry of a table, and those of older versions."""
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "assays" / "_delta_log"
    lake.table("assays").append_new(ASSAYS.sample(1))
    written = entry(log, 0).read_bytes()
    entry(log, 0).write_bytes(re.sub(rb'("createdTime":)\d', lambda m: m[1] + b"3", written))
    assert entry(log, 0).read_bytes() != written
    (loss,) = mend(lake).losses
    assert (loss.damage.what, loss.is_restored) == ("a changed entry", True)
    assert entry(log, 0).read_bytes() == written


def test_rows_that_are_gone_are_counted(lake: Lake) -> None:
    assert lake.local_path is not None
    file_of(lake.local_path / "tables" / "task_log" / "_delta_log", 23).write_bytes(b"")
    (loss,) = mend(lake).losses
    assert "table task_log: a truncated file" in str(loss)
    assert "1 row lost" in str(loss)


def test_a_sound_lake_is_left_as_it_is(lake: Lake) -> None:
    assert lake.local_path is not None
    before = {path: path.read_bytes() for path in lake.local_path.rglob("*") if path.is_file()}
    assert mend(lake).losses == []
    assert before.items() <= {p: p.read_bytes() for p in lake.local_path.rglob("*") if p.is_file()}.items()


def test_a_damaged_snapshot_is_made_again_from_the_log(lake: Lake) -> None:
    lake.task_log.fold()
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_snapshots" / "_delta_log"
    file_of(log, 1).write_bytes(b"")
    with pytest.raises(DamagedError, match="'task_snapshots' is damaged"):
        tasks(lake)
    mend(lake)
    assert len(tasks(lake)) == 23
    create(lake, "new")
    assert Lake.open(lake.url).task_log.fold() == 24
    assert len(tasks(lake)) == 24


def test_a_table_that_is_gone_is_not_made_up(lake: Lake) -> None:
    assert lake.local_path is not None
    entry(lake.local_path / "tables" / "task_log" / "_delta_log", 23).write_bytes(b"")
    shutil.rmtree(lake.local_path / "tables" / "results" / "_delta_log")
    with pytest.raises(DamagedError, match=r"missing tables, which cannot be repaired: results, in .*backup"):
        mend(lake)
    assert entry(lake.local_path / "tables" / "task_log" / "_delta_log", 23).exists()


def test_nothing_is_repaired_during_a_write(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    entry(log, 23).write_bytes(b"")
    monkeypatch.setattr(sys.modules["alchemiscale_lake.store.repair"], "_QUIET", timedelta(seconds=2))
    lake.table("assays").append_new(ASSAYS.sample(1))
    said: list[str] = []

    def write(what: str) -> None:
        said.append(what)
        lake.table("assays").append_new(ASSAYS.sample(2))

    with pytest.raises(UpkeepRunningError, match="are being written to"):
        repair(lake, tell=write)
    assert re.search(r"written to \d s ago; waiting \d s", said[0])
    with hold_upkeep(lake.objects), pytest.raises(UpkeepRunningError, match="already running"):
        mend(lake)
    assert entry(log, 23).exists()


def test_repair_waits_until_no_process_writes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.local_path is not None
    monkeypatch.setattr(sys.modules["alchemiscale_lake.store.repair"], "_QUIET", timedelta(seconds=2))
    create(lake, "new")
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    entry(log, 22).write_bytes(b"")
    said: list[str] = []
    assert len(repair(lake, tell=said.append).losses) == 1
    assert "waiting" in said[0]


def test_a_dry_run_only_tells(lake: Lake) -> None:
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    entry(log, 23).write_bytes(b"")
    report = repair(lake, tell=lambda _: None, dry_run=True)
    assert [str(loss) for loss in report.losses] == [
        f"table task_log: an empty entry (_delta_log/{entry_name(23)}): an unknown number of rows lost"
    ]
    assert entry(log, 23).exists()


def test_a_creation_that_was_cut_is_done_again(tmp_path: Path, template: Path) -> None:
    """Nothing was acknowledged before the marker."""
    folder = tmp_path / "lake"
    shutil.copytree(template, folder)
    (folder / "lake.json").unlink()
    for name in TABLES:
        shutil.rmtree(folder / "tables" / name)
    log = folder / "tables" / "results" / "_delta_log"
    log.mkdir(parents=True)
    entry(log, 0).write_bytes(b"")
    create(Lake.create(folder), "a")
    assert tasks(Lake.open(folder)) == ["a"]
