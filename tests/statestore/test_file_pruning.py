"""Pruning of kept files: what is given up and deleted, beside writers, and after kills."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import PermissionDeniedError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.file_pruning import Pruning, Retention, prune_files
from alchemiscale_lake.statestore.kept_sizes import kept_sizes
from alchemiscale_lake.statestore.lake_verification import check_digests
from alchemiscale_lake.statestore.task_files import task_files
from alchemiscale_lake.store import Lake, attempt_folder, now_utc
from tests.campaign import SCOPE, Campaign, hours
from tests.kept_files import FileKeeper

DAYS_30 = Retention(keep_s=30 * 86400.0)
LATER = hours(24 * 60)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


@pytest.fixture
def writer(campaign: Campaign, tmp_path: Path) -> FileKeeper:
    return FileKeeper(campaign.lake, tmp_path / "files")


def prune(lake: Lake, retention: Retention = DAYS_30, **options: object) -> Pruning:
    return prune_files(lake, retention, caller=Caller("ada"), **{"now": LATER, **options})  # type: ignore[arg-type]


@pytest.fixture
def tasks(campaign: Campaign) -> list[str]:
    network = campaign.network("first", [("a", "b"), ("b", "c")])
    return campaign.new_tasks(network, ["a_b_other", "b_c_other"])


def contents(lake: Lake) -> list[str]:
    return [path for path in lake.objects.list("files") if "/data" in path]


def storage(lake: Lake) -> list[tuple[int, int]]:
    """Return number and size of kept files, by network and by Scope."""
    connection = connect(lake)
    names = ("network_storage", "scope_storage")
    return [ask(connection, name).select("n_files", "file_bytes").row(0) for name in names]


def test_old_files_are_given_up_and_their_content_deleted(writer: FileKeeper, tasks: list[str]) -> None:
    lake = writer.lake
    path = writer.kept(tasks[0], b"old")
    assert prune(lake, now=hours(24)).rows.is_empty()

    planned = prune(lake, dry_run=True)
    assert (len(planned.rows), planned.n_deleted, planned.deleted_bytes) == (1, 1, 3)
    assert lake.objects.get(path) == b"old"
    assert lake.table("pruned_files").scan().collect().is_empty()

    done = prune(lake)
    assert done.rows.equals(planned.rows)
    assert (done.n_deleted, done.deleted_bytes, contents(lake)) == (1, 3, [])
    (file,) = task_files(lake, tasks[0]).to_dicts()
    assert (file["object_path"], "by ada: older than 30d" in file["reason"]) == (None, True), file
    assert kept_sizes(lake, tasks, of_scopes=True).by_scope == {}
    assert not check_digests(lake, "result_files").flaws
    assert prune(lake).n_deleted == 0


def test_what_another_row_points_to_stays(writer: FileKeeper, tasks: list[str]) -> None:
    path = writer.kept(tasks[0], b"same", "a.nc")
    assert writer.kept(tasks[1], b"same", "a.log") == path
    assert storage(writer.lake) == [(2, 4), (2, 4)]

    done = prune(writer.lake, Retention(keep_s=0.0, pattern="*.nc"))

    assert (len(done.rows), done.n_deleted) == (1, 0)
    assert writer.lake.objects.get(path) == b"same"
    assert storage(writer.lake) == [(1, 4), (1, 4)]
    assert prune(writer.lake).n_deleted == 1
    assert storage(writer.lake) == [(0, 0), (0, 0)]


def test_files_in_a_bucket(bucket_lake: str, tmp_path: Path) -> None:
    keeper, task = FileKeeper(Lake.open(bucket_lake), tmp_path / "files"), f"Task-{'a' * 32}-{SCOPE}"
    old, stays = keeper.kept(task, b"old"), keeper.kept(task, b"stays", "a.log")

    done = prune(keeper.lake, Retention(0.0, pattern="*.nc"))

    assert (len(done.rows), done.n_deleted, contents(keeper.lake)) == (1, 1, [stays])
    again = keeper.kept(task, b"old")
    assert again != old
    assert keeper.lake.objects.get(again) == b"old"


def test_only_files_of_the_networks_and_scopes_that_are_named(campaign: Campaign, writer: FileKeeper) -> None:
    one, two = (campaign.network(name, [pair]) for name, pair in (("one", ("a", "b")), ("two", ("x", "y"))))
    (task,) = campaign.new_tasks(one, ["a_b_other"])
    writer.kept(task, b"content")
    assert prune(writer.lake, Retention(0.0, networks=(two,)), dry_run=True).rows.is_empty()
    assert prune(writer.lake, Retention(0.0, scopes=("org-other-*",)), dry_run=True).rows.is_empty()
    assert len(prune(writer.lake, Retention(0.0, networks=(one,)), dry_run=True).rows) == 1
    assert prune(writer.lake, Retention(0.0, scopes=("org-*-*",))).n_deleted == 1


def test_files_that_an_unfinished_task_continues_are_spared(campaign: Campaign, writer: FileKeeper) -> None:
    from dataclasses import replace

    from alchemiscale_lake.tasks import Event

    network = campaign.network("first", [("a", "b")])
    one, other = campaign.new_tasks(network, ["a_b_other"] * 2)
    writer.kept(one, b"continued")
    longer = replace(campaign.tasks[other], task="Task-longer-" + SCOPE, extends=one)
    campaign.commit([Event("created", longer)])
    done = prune(writer.lake)
    assert (len(done.rows), done.n_spared, len(contents(writer.lake))) == (0, 1, 1)


def test_an_attempt_that_is_not_recorded_yet_keeps_what_it_relies_on(writer: FileKeeper, tasks: list[str]) -> None:
    lake, attempt = writer.lake, uuid.uuid4().hex
    path = writer.kept(tasks[0], b"shared")
    assert writer.keep(attempt, b"shared", SCOPE) == path  # running: it has a mark, and no row

    assert prune(lake, now=now_utc(), retention=Retention(0.0)).n_deleted == 0
    writer.record(tasks[1], attempt, b"shared", path)
    assert lake.objects.get(path) == b"shared"
    assert task_files(lake, tasks[1])["object_path"].to_list() == [path]


def test_content_of_dead_attempts_is_deleted_after_a_month(writer: FileKeeper, tasks: list[str]) -> None:
    lake, dead, silent = writer.lake, uuid.uuid4().hex, uuid.uuid4().hex
    writer.keep(dead, b"never recorded", SCOPE)
    with_receipt = writer.keep(silent, b"its receipt is there", SCOPE)
    lake.objects.put(f"{attempt_folder(SCOPE, silent)}/receipt.arrow", b"receipt")
    assert prune(lake, Retention(), now=now_utc() + timedelta(days=29)).n_deleted == 0
    assert prune(lake, Retention(), now=now_utc() + timedelta(days=31)).n_deleted == 1
    assert contents(lake) == [with_receipt]


def test_rows_that_were_lost_are_not_taken_for_unneeded_content(writer: FileKeeper, tasks: list[str]) -> None:
    """A repair restores rows of recorded results from their receipts."""
    attempt = uuid.uuid4().hex
    writer.kept(tasks[0], b"first", attempt=attempt)
    writer.keep(attempt, b"its row was lost", SCOPE)
    assert prune(writer.lake, Retention(), now=now_utc() + timedelta(days=365)).n_deleted == 0


POINTS = ("prune:rows-written", "content:condemned", "prune:decided", "content:deleted", "content:unmarked")


@pytest.mark.parametrize("point", POINTS)
def test_a_writer_beside_a_pruning_loses_nothing(writer: FileKeeper, tasks: list[str], point: str) -> None:
    """At every step of a pruning, another attempt keeps the same content, and is recorded at once or later."""
    lake = writer.lake
    writer.kept(tasks[0], b"shared")
    kept: dict[str, str] = {}

    def write(name: str) -> None:
        if name == point:
            for attempt in (uuid.uuid4().hex, uuid.uuid4().hex):
                kept[attempt] = writer.keep(attempt, b"shared", SCOPE)
            writer.record(tasks[1], next(iter(kept)), b"shared", next(iter(kept.values())))

    with fault_hook(write):
        prune(lake, now=now_utc(), retention=Retention(0.0))
    late = list(kept)[1]
    writer.record(tasks[1], late, b"shared", kept[late], "late.nc")

    assert len(kept) == 2
    for path in kept.values():
        assert lake.objects.get(path) == b"shared"
    assert not check_digests(lake, "result_files").flaws


_WRITER = """
import random, sys, uuid
from pathlib import Path
from alchemiscale_lake.store import Lake
from tests.kept_files import FileKeeper

place, folder, task, seed = sys.argv[1:]
writer, chance = FileKeeper(Lake.open(place), Path(folder)), random.Random(seed)
scope, waiting = task.split("-", 2)[2], []
for _ in range(25):
    attempt, n = uuid.uuid4().hex, chance.randrange(6)
    content = b"content %d" % n
    name = "a.log" if n == 0 else "a.nc"
    waiting.append((attempt, content, writer.keep(attempt, content, scope), name))
    while len(waiting) > chance.randrange(3):
        writer.record(task, *waiting.pop(0))
for one in waiting:
    writer.record(task, *one)
"""


def test_real_writers_beside_prunings_lose_nothing(writer: FileKeeper, tasks: list[str], tmp_path: Path) -> None:
    """Two processes keep the same few contents, and record them later, while others are given up and deleted."""
    lake = writer.lake
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, lake.url, str(tmp_path / f"of {task}"), task, task])
        for task in tasks
    ]
    n_deleted = 0
    while any(one.poll() is None for one in writers):
        n_deleted += prune(lake, Retention(0.0, pattern="*.nc"), now=now_utc()).n_deleted
    assert [one.returncode for one in writers] == [0, 0]
    n_deleted += prune(lake, Retention(0.0, pattern="*.nc"), now=now_utc()).n_deleted

    rows = pl.concat([task_files(lake, task) for task in tasks])
    stays = rows.filter(pl.col("path").str.ends_with(".log"))
    assert len(rows) == 50
    assert n_deleted > 0
    assert len(stays) == stays["object_path"].count() > 0
    for row in stays.iter_rows(named=True):
        assert lake.objects.get(row["object_path"], digest=row["digest"])
    assert not check_digests(lake, "result_files").flaws
    assert set(contents(lake)) == set(stays["object_path"])


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_pruning_is_continued(writer: FileKeeper, tasks: list[str], point: str) -> None:
    lake = writer.lake
    writer.kept(tasks[0], b"old")
    stays = writer.kept(tasks[1], b"stays", "a.log")
    command = ["files", "prune", "--older-than", "1d", "--pattern", "*.nc", "--yes", "--lake", lake.url]
    killed = subprocess.run(
        [sys.executable, "-m", "alchemiscale_lake", *command],
        env={"ALCHEMISCALE_LAKE_FAULT": point, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert not check_digests(lake, "result_files").flaws

    assert prune(lake, Retention(keep_s=86400.0, pattern="*.nc")).rows.is_empty()

    assert contents(lake) == [stays]
    assert lake.objects.get(stays) == b"stays"


@pytest.mark.parametrize("order", ["marked", "condemned"])
def test_a_copy_beside_a_pruning_has_its_files_or_says_why_not(
    campaign: Campaign, writer: FileKeeper, order: str
) -> None:
    from alchemiscale_lake.statestore.stored_files import relied_on, stored_files

    network = campaign.network("first", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    lake, path = writer.lake, writer.kept(task, b"copied")
    mine = stored_files(lake).collect()
    attempt = uuid.uuid4().hex
    rows = mine.with_columns(attempt=pl.lit(attempt), scope=pl.lit("org-campaign-other"))
    if order == "condemned":
        prune(lake, now=now_utc(), retention=Retention(0.0))
    kept, refused = relied_on(lake, rows, "gone")
    if order == "marked":
        prune(lake, now=now_utc(), retention=Retention(0.0))
        assert lake.objects.get(path) == b"copied"
    assert (len(kept), refused["reason"].to_list()) == ((1, []) if order == "marked" else (0, ["gone"]))
    lake.table("refused_files").append_new(refused)


def test_a_caller_without_the_right_changes_nothing(writer: FileKeeper, tasks: list[str]) -> None:
    from alchemiscale_lake.ids import Scope

    path = writer.kept(tasks[0], b"old")
    reader = Caller("eve", ((Scope.from_str("*-*-*"), "write"),))
    with pytest.raises(PermissionDeniedError, match="domain"):
        prune_files(writer.lake, DAYS_30, caller=reader, now=LATER)
    assert writer.lake.objects.get(path) == b"old"


@pytest.fixture
def call(campaign: Campaign) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(main, ["files", *arguments], env={"ALCHEMISCALE_LAKE": campaign.lake.url})
        return done.exit_code, done.stdout, done.stderr

    return run


def test_the_command(call: Callable[..., tuple[int, str, str]], writer: FileKeeper, tasks: list[str]) -> None:
    path = writer.kept(tasks[0], b"x" * 10**6)
    asked = ("prune", "--older-than", "1d", "--network", "first", "--tsv")
    code, out, err = call(*asked)
    assert (code, out.count("permanent/00-u/a.nc"), writer.lake.objects.exists(path)) == (0, 1, True), err
    assert "1 file would be given up, 1.0 MB\n1 object would be deleted, 1.0 MB" in err
    assert "--yes" in err
    code, out, err = call(*asked, "--yes")
    assert (code, writer.lake.objects.exists(path)) == (0, False), err
    assert "1 object deleted" in err
    assert call("prune", "--pattern", "*.nc")[0] == 2
    assert call("prune")[0] == 0


def test_the_space_that_files_take_up(
    call: Callable[..., tuple[int, str, str]], campaign: Campaign, writer: FileKeeper, tasks: list[str]
) -> None:
    for task in tasks:
        writer.kept(task, b"shared", transformation=campaign.tasks[task].transformation)
    writer.kept(tasks[0], b"its own", "b.nc")

    def rows(*arguments: str) -> list[list[str]]:
        code, out, err = call("usage", *arguments, "--tsv")
        assert code == 0, err
        return [line.split("\t")[:5] for line in out.splitlines()]

    assert rows()[1:] == [["first", "3", "13", "3000", "0"]]
    by_task = rows("--by", "task", "--network", "first")
    assert by_task[0] == ["name", "n_files", "file_bytes", "result_bytes", "shared_bytes"]
    assert [row[0:3] + row[4:] for row in by_task[1:]] == [
        ["a_b_other-r0", "2", "13", "6"],
        ["b_c_other-r0", "1", "6", "6"],
    ]
    assert rows("--by", "scope")[1][:3] == [SCOPE, "3", "13"]
    assert call("usage", "--network", "first")[0] == 2
