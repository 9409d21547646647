"""Damages of a small lake: each is found, with what repairs it, and `--repair` repairs what it can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.doctor import Diagnosis, LakeFinding, Severity, examine, repair_findings
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas import FORMAT, TABLES
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_priority
from alchemiscale_lake.store import Lake, maintain
from alchemiscale_lake.store.log_entry import entry_name
from tests.lakes import KeptFolder, new_lake
from tests.plain import SCOPE, leave_receipt, leave_result, plain_chain, plain_receipt

ADA = Caller("ada")
NETWORK = plain_chain([("a", "b"), ("b", "c")])
MAINTAIN = "alchemiscale-lake maintain"
REPAIR = "alchemiscale-lake doctor --repair"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> KeptFolder:
    """Four results, estimates, twenty-four later commits with a checkpoint, and a Task that waits."""
    folder = tmp_path_factory.mktemp("template") / "lake"
    lake = new_lake(folder)
    network = submit_network(lake, NETWORK, SCOPE, caller=ADA).network
    ensure_tasks(lake, network, 2, caller=ADA)
    for claim in claim_tasks(lake, "p", 4, lease_s=600, caller=ADA):
        leave_result(lake, AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
    gather_network(lake, network)
    (late,) = ensure_tasks(lake, network, 3, caller=ADA)[:1]
    maintain(lake)
    for priority in range(1, 25):
        set_tasks_priority(lake, [late], priority, caller=ADA)
    return KeptFolder.of(folder)


@pytest.fixture
def place(template: KeptFolder, tmp_path: Path) -> Path:
    template.write(tmp_path / "lake")
    return tmp_path / "lake"


def look(place: Path, *, quick: bool = True) -> Diagnosis:
    return examine(place, quick=quick, tell=lambda _: None, patience_s=0)


def rested(place: Path) -> None:
    """Let the last write be an hour ago: repair waits for a minute without one."""
    then = time.time() - 3600
    for path in place.glob("tables/*/_delta_log/*"):
        os.utime(path, (then, then))


def data_file(place: Path, table: str) -> Path:
    """Return the newest data file that a table uses."""
    paths = [Path(uri) for uri in DeltaTable(str(place / "tables" / table)).file_uris()]
    return max(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))


def last_entry(place: Path, table: str, back: int = 0) -> Path:
    delta = DeltaTable(str(place / "tables" / table))
    return place / "tables" / table / "_delta_log" / entry_name(delta.version() - back)


def checkpoint(place: Path) -> Path:
    return max(place.glob("tables/task_log/_delta_log/*.checkpoint.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def scramble(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:200] + bytes(255 - byte for byte in data[200:300]) + data[300:])


def attempt_file(place: Path, name: str) -> Path:
    return min(place.glob(f"attempts/**/{name}"))


def rows(place: Path, table: str) -> pl.DataFrame:
    return Lake.open(place).table(table).scan().collect()


def keep_rows(place: Path, table: str, condition: pl.Expr) -> None:
    """Lose the other rows, as if the table were restored from an older copy."""
    kept = rows(place, table).filter(condition)
    assert Lake.open(place).table(table).replace(kept, number=10**9)


def add_rows(place: Path, table: str, new: pl.DataFrame) -> None:
    """Append rows that no verb would write."""
    opened = Lake.open(place).table(table)
    opened.append(lambda _, __: opened.schema.table(new), last=DeltaTable.version)


def add_event(place: Path, **columns: Any) -> None:
    log = rows(place, "task_log").sort("seq", "idx")
    seq = log["seq"].to_list()[-1] + 1
    new = {"seq": seq, "idx": 0, "commit_id": "c" * 32, "at": datetime.now(UTC), **columns}
    add_rows(place, "task_log", log.tail(1).with_columns(**{k: pl.lit(v).cast(log.schema[k]) for k, v in new.items()}))


def aged(path: Path, days: float = 50) -> None:
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def stray(place: Path, name: str, days: float = 50) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(b"x" * 100)
    aged(place / name, days)


def lose_a_claim(place: Path) -> None:
    """Leave a receipt of an attempt that then lost its claim."""
    lake = Lake.open(place)
    claim = claim_tasks(lake, "p", 1, lease_s=600, caller=ADA)[0]
    leave_receipt(lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)))
    for path in ("result.json.zst", "files/kept.txt"):
        lake.objects.put(f"attempts/{claim.scope}/{claim.attempt}/{path}", b"1")
    state = lake.task_log.states().of([claim.task])[claim.task]
    from alchemiscale_lake.tasks import status

    released = status.release(state, claim.attempt, "lost")
    lake.task_log.commit(lambda _: [released], caller=ADA)  # type: ignore[list-item]


def forget_the_end(place: Path) -> None:
    """Record a result of a Task that waits, without ending it."""
    waiting = Lake.open(place).task_log.states().with_status("waiting").row(0, named=True)
    result = rows(place, "results").head(1)
    add_rows(
        place,
        "results",
        result.with_columns(
            attempt=pl.lit("e" * 32), task=pl.lit(waiting["task"]), transformation=pl.lit(waiting["transformation"])
        ),
    )


def wrong_snapshot(place: Path) -> None:
    snapshot = rows(place, "task_snapshots").with_columns(
        status=pl.when(pl.col("status") == "complete").then(pl.lit("error")).otherwise("status")
    )
    assert Lake.open(place).table("task_snapshots").replace(snapshot, number=10**9)


def complete_task(place: Path) -> str:
    return str(Lake.open(place).task_log.states().with_status("complete")["task"].min())


def replay(place: Path) -> None:
    """Claim a complete Task."""
    add_event(place, task=complete_task(place), event="claimed", status="running", attempt="f" * 32, pool="p")


@dataclass(frozen=True)
class Case:
    """A damage, what is found, and whether the repair mends it."""

    damage: Callable[[Path], object]
    severity: str
    check: str
    subject: str
    command: str | None
    #: Severity of what is left after a repair; None if all is well.
    left: str | None = None
    quick: bool = True


#: A time before all others.
OLD = datetime(2020, 1, 1, tzinfo=UTC)
CASES = {
    "a truncated data file": Case(
        lambda p: cut(data_file(p, "tasks")), "damage", "files", "tables/tasks", REPAIR
    ),
    "a flipped bit in a data file": Case(
        lambda p: flip(data_file(p, "results")), "damage", "files", "tables/results", REPAIR, quick=False
    ),
    "a changed data file": Case(
        lambda p: scramble(data_file(p, "results")), "damage", "files", "tables/results", REPAIR, quick=False
    ),
    "a missing data file": Case(
        lambda p: data_file(p, "unit_results").unlink(), "damage", "files", "tables/unit_results", REPAIR
    ),
    "a deleted log entry": Case(
        lambda p: last_entry(p, "task_log", 1).unlink(), "damage", "files", "tables/task_log", REPAIR, "warning"
    ),
    "a half-written log entry": Case(
        lambda p: cut(last_entry(p, "task_log")), "damage", "files", "tables/task_log", REPAIR
    ),
    "a half-written checkpoint": Case(lambda p: cut(checkpoint(p)), "damage", "files", "tables/task_log", REPAIR),
    "a changed kept file": Case(
        lambda p: scramble_small(attempt_file(p, "kept.txt")), "damage", "files", "attempts/", None, "damage", False
    ),
    "a missing result object": Case(
        lambda p: attempt_file(p, "result.json.zst").unlink(), "damage", "objects", "attempts/", None, "damage"
    ),
    "a truncated result object": Case(
        lambda p: cut(attempt_file(p, "kept.txt")), "damage", "objects", "attempts/", None, "damage"
    ),
    "a changed receipt of a recorded result": Case(
        lambda p: flip(attempt_file(p, "receipt.arrow")), "note", "files", "attempts/", None, "note", False
    ),
    "a lost marker": Case(lambda p: (p / "lake.json").unlink(), "damage", "lake", "lake.json", REPAIR),
    "a damaged marker": Case(lambda p: (p / "lake.json").write_text("{"), "damage", "lake", "lake.json", REPAIR),
    "rows of Tasks": Case(
        lambda p: keep_rows(p, "tasks", pl.col("task") != complete_task(p)),
        "damage", "references", "task_log.task", REPAIR,
    ),
    "rows of results": Case(
        lambda p: keep_rows(p, "results", pl.col("task") != complete_task(p)), "damage", "history", "results", REPAIR
    ),
    "rows of hosts": Case(
        lambda p: keep_rows(p, "hosts", pl.lit(False)), "damage", "references", "results.host", REPAIR
    ),
    "rows of Transformations": Case(
        lambda p: keep_rows(p, "transformations", pl.lit(False)),
        "damage", "references", "tasks.transformation", None, "damage",
    ),
    "a gufe object": Case(
        lambda p: keep_rows(p, "gufe_objects", ~pl.col("key").str.starts_with("Ligand-a")),
        "damage", "references", "gufe_objects.refers_to", None, "damage",
    ),
    "a submission that was interrupted": Case(
        lambda p: keep_rows(p, "networks", pl.lit(False)),
        "note", "references", "network_members.network", None, "damage",
    ),
    "a row that is there twice": Case(
        lambda p: add_rows(p, "results", rows(p, "results").head(1)), "damage", "keys", "results", None, "damage"
    ),
    "a snapshot that differs from the log": Case(wrong_snapshot, "damage", "history", "task_snapshots", REPAIR),
    "a claim of a complete Task": Case(replay, "warning", "history", "task_log.status", None, "warning"),
    "a time in the future": Case(
        lambda p: add_event(p, at=datetime.now(UTC) + timedelta(days=1)),
        "warning", "clock", "task_log.at", None, "warning",
    ),
    "a clock that is behind": Case(
        lambda p: add_event(p, event="claimed", status="running", attempt="a" * 32, at=OLD),
        "warning", "clock", "task_log.seq", None, "warning",
    ),
    "a receipt that is in no table": Case(lose_a_claim, "warning", "objects", "receipts", MAINTAIN),
    "a result whose Task has not ended": Case(forget_the_end, "warning", "history", "task_log", MAINTAIN),
    "a table that no schema knows": Case(
        lambda p: stray(p, "tables/pockets/a.parquet"), "warning", "files", "tables/pockets", "mkdir", "warning"
    ),
    "a file that no table knows": Case(
        lambda p: stray(p, "tables/results/notes.txt"),
        "warning", "files", "tables/results/notes.txt", "mkdir", "warning",
    ),
    "a file beside the tables": Case(lambda p: stray(p, "notes.txt"), "note", "files", "notes.txt", None, "note"),
    "a data file of a lost race": Case(
        lambda p: stray(p, f"tables/results/scope={SCOPE}/part-0.parquet"),
        "note", "upkeep", "tables/results", MAINTAIN,
    ),
    "a half-written object": Case(
        lambda p: stray(p, f"attempts/{SCOPE}/{'9' * 32}/result.json.zst.part"), "note", "upkeep", "attempts", MAINTAIN
    ),
}  # fmt: skip


def scramble_small(path: Path) -> None:
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))


def of_case(case: Case, findings: list[LakeFinding]) -> list[LakeFinding]:
    return [
        f
        for f in findings
        if (f.severity, f.check) == (case.severity, case.check) and f.subject.startswith(case.subject)
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_damage_is_found_and_repaired_or_not(name: str, place: Path) -> None:
    case = CASES[name]
    case.damage(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}

    diagnosis = look(place, quick=case.quick)

    (*_, found) = of_case(case, list(diagnosis.findings))
    assert (found.command or "").startswith(case.command or "")
    assert bool(found.command) == bool(case.command)
    assert found.command or found.advice
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before, "it only reads"

    if any(f.is_repairable for f in diagnosis.findings):
        rested(place)
        assert repair_findings(place, diagnosis.findings, caller=ADA, tell=lambda _: None)
    left = look(place, quick=case.quick).findings
    assert (max((list(Severity).index(f.severity) for f in left), default=None)) == (
        None if case.left is None else list(Severity).index(Severity(case.left))
    ), left
    everywhere = {path.name for path in place.rglob("*") if path.is_file()}
    assert {path.name for path in before if not {"_delta_log", "upkeep"} & {*path.parts}} - everywhere <= {
        "part-0.parquet",
        "result.json.zst.part",
    }


def test_a_sound_lake_has_no_findings(place: Path) -> None:
    for quick in (True, False):
        diagnosis = look(place, quick=quick)
        assert diagnosis.findings == []
        assert (diagnosis.exit_code, diagnosis.n_files > 50) == (0, True)
    assert repair_findings(place, [], caller=ADA) == []


def test_a_kept_file_that_was_given_up_is_not_missing(place: Path) -> None:
    attempt_file(place, "kept.txt").unlink()
    kept = rows(place, "result_files")
    gone = kept.filter(pl.col("object_path").map_elements(lambda p: not (place / p).exists(), return_dtype=pl.Boolean))
    assert (len(gone), look(place).exit_code) == (1, 4)
    keys = {name: gone[name].to_list() for name in ("scope", "attempt", "path")}
    Lake.open(place).table("pruned_files").append_new(TABLES["pruned_files"].sample(1, **keys))
    assert look(place).findings == []


@pytest.mark.parametrize("name", ["a table that no schema knows", "a file that no table knows"])
def test_the_command_of_an_unknown_file_moves_it(name: str, place: Path) -> None:
    CASES[name].damage(place)
    (found,) = look(place).findings
    assert found.command is not None
    subprocess.run(found.command, shell=True, check=True)
    assert look(place).findings == []


def test_submitting_again_restores_lost_objects_and_transformations(place: Path) -> None:
    for table in ("transformations", "gufe_objects", "network_members", "networks"):
        keep_rows(place, table, pl.lit(False))
    assert look(place).exit_code == 4
    submit_network(Lake.open(place), NETWORK, SCOPE, caller=ADA)
    assert look(place).findings == []


def test_retention_of_a_gap_is_a_warning_from_then_on(place: Path) -> None:
    last_entry(place, "task_log", 1).unlink()
    rested(place)
    repair_findings(place, look(place).findings, caller=ADA, tell=lambda _: None)
    (gap,) = look(place).findings
    assert (gap.severity, gap.subject) == ("warning", "task_log.seq")


def test_missing_upkeep_is_a_warning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alchemiscale_lake.doctor import upkeep

    monkeypatch.setattr(upkeep, "_COMMITS", 2)
    monkeypatch.setattr(upkeep, "_LOG_FILES", 20)
    monkeypatch.setattr(upkeep, "_SMALL_FILES", 3)
    found = [f for f in look(place).findings if f.subject == "tables/task_log"]
    assert [(f.severity, f.command) for f in found] == [("warning", MAINTAIN)]
    assert "data files, of which" in found[0].what


def test_a_newer_lake_is_refused_with_both_versions(place: Path) -> None:
    from alchemiscale_lake.errors import LakeVersionError

    (place / "lake.json").write_text(json.dumps({"format": FORMAT + 1, "made_by": "7.8.9"}))
    with pytest.raises(
        LakeVersionError, match=rf"format {FORMAT + 1} of alchemiscale-lake 7.8.9; this is .* up to {FORMAT}"
    ):
        look(place)


def test_an_unfinished_migration_is_continued(place: Path) -> None:
    (place / "lake.json").write_text(json.dumps({"format": FORMAT, "made_by": "0.1", "unfinished_from": 1}))
    (found,) = look(place).findings
    assert (found.severity, found.command) == ("damage", "alchemiscale-lake migrate")


def test_a_missing_table_is_reported_and_not_repaired(place: Path) -> None:
    from alchemiscale_lake.errors import DamagedError

    shutil.rmtree(place / "tables" / "assays")
    diagnosis = look(place)
    assert any("assays" in f.subject and f.severity == "damage" for f in diagnosis.findings)
    with pytest.raises(DamagedError, match="restore them from a backup"):
        repair_findings(place, diagnosis.findings, caller=ADA)
