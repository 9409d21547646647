"""Copies of a lake: whole, consistent beside writers, continued after a kill, between folders and buckets."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake import faults
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.doctor import LakeFinding, examine, repair_findings
from alchemiscale_lake.errors import LakeExistsError, MissingMarkerError, NotALakeError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.new_tasks import ensure_tasks
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, copy_lake, maintain
from alchemiscale_lake.store.lake_copy import PIN_ORDER
from tests.lakes import KeptFolder, new_lake
from tests.plain import SCOPE, leave_result, plain_chain

ADA = Caller("ada")


def work(lake: Lake, network: str, n: int) -> None:
    """Run another Task of each Transformation."""
    ensure_tasks(lake, network, n, caller=ADA)
    for claim in claim_tasks(lake, "p", 8, lease_s=600, caller=ADA):
        leave_result(lake, AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeptFolder, str]:
    folder = tmp_path_factory.mktemp("template") / "lake"
    lake = new_lake(folder)
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE, caller=ADA).network
    work(lake, network, 1)
    return KeptFolder.of(folder), network


@pytest.fixture
def lake(template: tuple[KeptFolder, str], tmp_path: Path) -> Lake:
    template[0].write(tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def rows(lake: Lake) -> dict[str, int]:
    return {name: lake.table(name).scan().collect().height for name in TABLES}


def findings(place: str | Path) -> list[LakeFinding]:
    return list(examine(place, quick=True, tell=lambda _: None, patience_s=0).findings)


def test_every_table_is_copied_after_those_that_refer_to_it() -> None:
    from alchemiscale_lake.doctor.references import REFERENCES

    assert set(PIN_ORDER) == set(TABLES)
    place = PIN_ORDER.index
    wrong = [
        (reference.table, to)
        for reference in REFERENCES
        if reference.severity == "damage"
        for to in (each.partition(".")[0] for each in reference.to)
        if to != reference.table and place(to) < place(reference.table)
    ]
    # members become visible with their network, and units, files and repeats with their result
    assert {pair for pair in wrong if pair[1] not in ("network_members", "results", "attempt_ends")} == set()


def test_a_copy_is_the_lake_and_is_brought_up_to_date(
    lake: Lake, template: tuple[KeptFolder, str], tmp_path: Path
) -> None:
    first = copy_lake(lake, tmp_path / "copy")
    copy = Lake.open(tmp_path / "copy")
    assert rows(copy) == rows(lake)
    assert findings(tmp_path / "copy") == []
    assert (tmp_path / "copy" / "keys").stat().st_mode & 0o077 == 0
    assert copy_lake(lake, tmp_path / "copy").n_bytes < first.n_bytes / 4

    work(lake, template[1], 2)
    maintain(lake)
    work(lake, template[1], 3)
    copy_lake(lake, tmp_path / "copy")
    assert rows(Lake.open(tmp_path / "copy")) == rows(lake)
    assert findings(tmp_path / "copy") == []

    work(Lake.open(tmp_path / "copy"), template[1], 4)  # it goes on there
    with pytest.raises(LakeExistsError, match="has been written to"):
        copy_lake(lake, tmp_path / "copy")


def test_places_that_are_refused(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(LakeExistsError, match="other files"):
        copy_lake(lake, tmp_path / "full")
    with pytest.raises(LakeExistsError, match="the lake itself"):
        copy_lake(lake, lake.url)


def test_a_copy_beside_writers_is_consistent(lake: Lake, template: tuple[KeptFolder, str], tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        mine = Lake.open(lake.url)
        for n in range(2, 500):
            work(mine, template[1], n)
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [copy_lake(lake, tmp_path / name) for name in ("one", "one", "two")]
    finally:
        stop.set()
        writer.join()
    for name in ("one", "two"):
        left = findings(tmp_path / name)
        assert [found for found in left if found.severity == "damage"] == []
        # receipts that are not recorded yet, and results whose Task has not ended, are completed by any dispatcher
        repair_findings(tmp_path / name, left, caller=ADA)
        # a row of `tasks` is written before the event that creates the Task
        assert {(found.severity, found.subject) for found in findings(tmp_path / name)} <= {("note", "tasks.task")}
    assert copies[0].versions["task_log"] < copies[-1].versions["task_log"]


@pytest.mark.parametrize("point", ["copy:pinned", "copy:batch", "copy:objects-copied"])
def test_a_killed_copy_is_no_lake_and_is_continued(
    lake: Lake, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr("alchemiscale_lake.store.lake_copy.fault_point", kill)
    with pytest.raises(Killed):
        copy_lake(lake, tmp_path / "copy")
    with pytest.raises((NotALakeError, MissingMarkerError)):
        Lake.open(tmp_path / "copy")
    monkeypatch.setattr("alchemiscale_lake.store.lake_copy.fault_point", faults.fault_point)
    copy_lake(lake, tmp_path / "copy")
    assert findings(tmp_path / "copy") == []


def test_from_a_folder_to_a_bucket_to_a_bucket_to_a_folder(lake: Lake, bucket: str, tmp_path: Path) -> None:
    copy_lake(lake, f"{bucket}/one")
    copy_lake(Lake.open(f"{bucket}/one"), f"{bucket}/two")
    copy_lake(Lake.open(f"{bucket}/two"), tmp_path / "back")
    assert rows(Lake.open(tmp_path / "back")) == rows(lake)
    assert findings(tmp_path / "back") == []


def test_the_command(lake: Lake, tmp_path: Path) -> None:
    target = str(tmp_path / "copy")
    done = CliRunner().invoke(main, ["copy-lake", target, "--lake", lake.url, "--verify"])
    assert (done.exit_code, done.stdout) == (0, f"{target}\n"), done.output
    assert "nothing is wrong" in done.stderr
