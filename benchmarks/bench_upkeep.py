"""A lake with 10,000 small commits before and after maintenance, compared with a fresh one with the same rows.

The history is forged file by file, since making it one commit at a time takes half an hour: one Parquet file and one
log entry per commit, and the checkpoints that writers leave. All files are then dated two days back, so that default
retention applies as in a lake of that age. Four processes append during maintenance; afterwards every row must exist,
including theirs. Run it with ``python -m benchmarks.bench_upkeep``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.query import connect, status_counts
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, MaintenanceReport, maintain
from alchemiscale_lake.tasks import Event, TaskState
from tests.plain import SCOPE, plain_chain

from . import _table

NAME = "upkeep"
TARGET = "after upkeep, with four writers throughout, a lake of 10,000 commits within 2 times of a fresh one"

_TARGET_RATIO = 2.0
_N_WRITERS = 4
_AGE_S = 2 * 86400.0
#: Distance between checkpoints that writers leave in a table with many files.
_CHECKPOINT_EVERY = 100
_RESULTS_PER_COMMIT = 5
_RECORDED = ("results", "unit_results", "result_files")


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Forge both lakes, measure, run maintenance with concurrent writers, measure again, count the rows."""
    n_commits = 500 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        forged, fresh, network = _make_lakes(Path(folder), n_commits)
        expected = {name: forged.table(name).scan().collect() for name in TABLES}
        size_before = _bytes(forged)
        before = _measure(forged, fresh, network, turns=3)
        report, written = _among_writers(forged, lambda: maintain(forged))
        after = _measure(forged, fresh, network, turns=9)
        accounted = _accounted(forged, expected, written)
        maintain(forged, now=datetime.now(UTC) + timedelta(hours=25))
        accounted &= _accounted(forged, expected, written)
        facts = _facts(report, written, size_before, _bytes(forged), accounted)
    return [_row(name, n_commits, before[name], after[name], quick=quick) for name in before] + facts


def _row(
    name: str, n_commits: int, before: tuple[float, float], after: tuple[float, float], *, quick: bool
) -> dict[str, Any]:
    ratio = after[0] / after[1]
    return {
        "name": f"{name}, {n_commits:,} commits",
        "before_s": before[0],
        "after_s": after[0],
        "fresh_s": after[1],
        "ratio_before": before[0] / before[1],
        "ratio": ratio,
        "target": f"<= {_TARGET_RATIO:g}x",
        "ok": quick or ratio <= _TARGET_RATIO,
    }


def _facts(
    report: MaintenanceReport, written: dict[str, float], size_before: int, size_after: int, accounted: bool
) -> list[dict[str, Any]]:
    log = next(table for table in report.tables if table.table == "task_log")
    figures = {
        "upkeep, s": report.wall_time_s,
        "task_log data files before": log.files_before,
        "task_log data files after": log.files_after,
        "task_log log files before": log.log_files_before,
        "task_log log files after": log.log_files_after,
        "lake before, MB": size_before / 1e6,
        "lake a day later, MB": size_after / 1e6,
        "rows appended by four writers meanwhile": len(written),
        "append by a writer meanwhile, median s": statistics.median(written.values()),
        "append by a writer meanwhile, longest s": max(written.values()),
    }
    rows: list[dict[str, Any]] = [{"name": name, "figure": figure, "ok": True} for name, figure in figures.items()]
    return [*rows, {"name": "every row is there once", "figure": accounted, "ok": accounted}]


# --- measurements -----------------------------------------------------------------------------------


def _measure(forged: Lake, fresh: Lake, network: str, *, turns: int) -> dict[str, tuple[float, float]]:
    """Return median seconds on the forged and on the fresh lake, alternating; each call opens the lake again."""
    measured = {}
    for name, call in {"open": _open, "status": _status, "append": _append, "record": _record}.items():
        times = [(_seconds(call, forged.url, network), _seconds(call, fresh.url, network)) for _ in range(turns + 1)]
        measured[name] = (statistics.median(t[0] for t in times[1:]), statistics.median(t[1] for t in times[1:]))
    return measured


def _open(url: str, network: str) -> None:
    lake = Lake.open(url)
    connect(lake)
    lake.task_log.states()


def _status(url: str, network: str) -> None:
    status_counts(Lake.open(url), network=network)


def _append(url: str, network: str) -> None:
    Lake.open(url).task_log.commit(lambda _: [Event("created", _new_task())], caller=Caller("bench"))


def _record(url: str, network: str) -> None:
    Lake.open(url).table("results").append_new(TABLES["results"].sample(1, scope=SCOPE, attempt=uuid.uuid4().hex))


def _new_task() -> TaskState:
    return TaskState(SCOPE, f"Task-{uuid.uuid4().hex}-{SCOPE}", f"Transformation-bench-{SCOPE}", None)


def _seconds(call: Callable[[str, str], object], url: str, network: str) -> float:
    start = time.perf_counter()
    call(url, network)
    return time.perf_counter() - start


# --- writers ----------------------------------------------------------------------------------------


def _write(url: str, stop: Flag, told: multiprocessing.SimpleQueue[dict[str, float]]) -> None:
    lake, written = Lake.open(url), dict[str, float]()
    while not stop.is_set():
        task = _new_task()
        start = time.perf_counter()
        lake.task_log.commit(lambda _, task=task: [Event("created", task)], caller=Caller("writer"))  # type: ignore[misc]
        written[task.task] = time.perf_counter() - start
        time.sleep(0.05)
    told.put(written)


def _among_writers(lake: Lake, work: Callable[[], MaintenanceReport]) -> tuple[MaintenanceReport, dict[str, float]]:
    """Run `work` while four processes append; return its report, and every Task they created with its seconds."""
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.SimpleQueue()
    writers = [context.Process(target=_write, args=(lake.url, stop, told)) for _ in range(_N_WRITERS)]
    for writer in writers:
        writer.start()
    seq = lake.task_log.states().seq
    while lake.task_log.states().seq < seq + _N_WRITERS:
        time.sleep(0.1)
    report = work()
    stop.set()
    written: dict[str, float] = {}
    for _ in writers:
        written |= told.get()
    for writer in writers:
        writer.join()
    return report, written


def _accounted(lake: Lake, expected: dict[str, pl.DataFrame], written: dict[str, float]) -> bool:
    """Return whether all old rows exist once, all acknowledged writes exist, and seq has no gap."""
    log = Lake.open(lake.url).table("task_log").scan().collect()
    by_writers = log.filter(pl.col("actor") == "writer")["task"].to_list()
    good = sorted(by_writers) == sorted(written)
    good &= log["seq"].unique().sort().to_list() == list(range(1, log["seq"].max() + 1))  # type: ignore[operator]
    good &= sorted(Lake.open(lake.url).task_log.states().tasks["task"]) == sorted(log["task"].unique())
    for name in (*_RECORDED, "task_log", "tasks"):
        key, old = TABLES[name].key, expected[name]
        now = lake.table(name).scan().collect()
        good &= now.select(key).is_unique().all()
        good &= now.join(old.select(key), on=list(key), how="semi").sort(key).equals(old.sort(key))
    return good


# --- the lakes --------------------------------------------------------------------------------------


def _make_lakes(folder: Path, n_commits: int) -> tuple[Lake, Lake, str]:
    """Make two lakes with the same rows: one by many small commits, one by few; both folded."""
    forged = Lake.create(folder / "forged")
    network = submit_network(forged, plain_chain([(f"l{i}", f"l{i + 1}") for i in range(100)]), SCOPE).network
    ensure_tasks(forged, network, max(1, n_commits // 200), caller=Caller("bench"))
    history = _history(forged, n_commits)
    for name, frame in history.items():
        per_commit = 1 if name == "task_log" else _RESULTS_PER_COMMIT
        _forge(forged, name, frame, per_commit)
    forged.task_log.fold()
    _age(folder / "forged")
    return Lake.open(folder / "forged"), _fresh(folder / "fresh", forged), network


def _fresh(folder: Path, forged: Lake) -> Lake:
    fresh = Lake.create(folder)
    for name in TABLES:
        rows = forged.table(name).scan().collect()
        if name == "task_log":
            _forge(fresh, name, rows.sort("seq", "idx"), len(rows), last=int(rows["seq"].max()))  # type: ignore[arg-type]
        elif len(rows) and name != "migrations" and not name.endswith("_snapshots"):
            fresh.table(name).append_new(rows)
    fresh.task_log.fold()
    return Lake.open(folder)


def _history(lake: Lake, n_commits: int) -> dict[str, pl.DataFrame]:
    """Return rows of Tasks claimed and completed one by one, and of their results."""
    start = lake.task_log.states()
    tasks = start.tasks.head(n_commits // 2).with_columns(
        attempt=pl.Series([uuid.uuid4().hex for _ in range(min(len(start.tasks), n_commits // 2))]),
        seq=start.seq + 1 + 2 * pl.int_range(pl.len(), dtype=pl.Int64),
        idx=pl.lit(0, pl.Int64),
    )
    now = pl.lit(datetime.now(UTC) - timedelta(seconds=_AGE_S)).cast(pl.Datetime("us", "UTC"))
    common = {"actor": pl.lit("bench"), "commit_id": pl.col("attempt"), "at": now, "of_attempt": pl.col("attempt")}
    claimed = tasks.with_columns(
        event=pl.lit("claimed"), status=pl.lit("running"), pool=pl.lit("p"), lease_expires_at=now, **common
    )
    completed = tasks.with_columns(event=pl.lit("completed"), status=pl.lit("complete"), **common).with_columns(
        seq=pl.col("seq") + 1, attempt=pl.lit(None, pl.String)
    )
    log = pl.concat([claimed, completed], how="diagonal_relaxed").sort("seq")
    attempts = {"scope": tasks["scope"].to_list(), "attempt": tasks["attempt"].to_list()}
    named = attempts | {name: tasks[name].to_list() for name in ("task", "transformation")}
    recorded = {
        name: pl.DataFrame(TABLES[name].sample(len(tasks), **(named if name == "results" else attempts)))
        for name in _RECORDED
    }
    return {"task_log": log.select(c for c in TABLES["task_log"].names if c in log.columns), **recorded}


def _forge(lake: Lake, name: str, frame: pl.DataFrame, per_commit: int, *, last: int | None = None) -> None:
    """Add rows to a table as commits of `per_commit` rows, in deltalake's format."""
    assert lake.local_path is not None
    table = lake.table(name)
    rows, folder = table.schema.table(frame), lake.local_path / "tables" / name
    delta = table.snapshot()
    version, number = delta.version(), delta.transaction_version(name) or 0
    for start in range(0, len(rows), per_commit):
        version, number = version + 1, number + 1
        piece = rows.slice(start, per_commit)
        actions: list[dict[str, Any]] = [
            {"commitInfo": {"timestamp": int(time.time() * 1000), "operation": "WRITE", "operationParameters": {}}},
            {"txn": {"appId": name, "version": last or number, "lastUpdated": int(time.time() * 1000)}},
        ]
        for scope in piece.column("scope").unique().to_pylist():
            actions.append({"add": _file(folder, scope, piece.filter(pc.equal(piece.column("scope"), scope)))})
        text = "\n".join(json.dumps(action) for action in actions)
        (folder / "_delta_log" / f"{version:020d}.json").write_text(text)
        if version % _CHECKPOINT_EVERY == 0:
            DeltaTable(folder).create_checkpoint()


def _file(folder: Path, scope: str, rows: pa.Table) -> dict[str, Any]:
    path = f"scope={scope}/part-00000-{uuid.uuid4()}-c000.snappy.parquet"
    (folder / path).parent.mkdir(exist_ok=True)
    rows = rows.drop_columns(["scope"])
    pq.write_table(rows, folder / path)
    least, most, nulls = {}, {}, {}
    for column in rows.column_names:
        values = rows.column(column)
        nulls[column] = values.null_count
        if values.null_count == len(values) or not (
            pa.types.is_string(values.type) or pa.types.is_integer(values.type)
        ):
            continue
        ends = pc.min_max(values).as_py()
        least[column], most[column] = ends["min"], ends["max"]
    stats = {"numRecords": len(rows), "minValues": least, "maxValues": most, "nullCount": nulls}
    return {
        "path": path,
        "partitionValues": {"scope": scope},
        "size": (folder / path).stat().st_size,
        "modificationTime": int(time.time() * 1000),
        "dataChange": True,
        "stats": json.dumps(stats),
    }


def _age(folder: Path) -> None:
    then = time.time() - _AGE_S
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def _bytes(lake: Lake) -> int:
    return sum(found.n_bytes for found in lake.objects.list_with_times("tables"))


if __name__ == "__main__":
    _table.main(run)
