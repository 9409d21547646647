"""Counts of 1,000,000 Tasks by status, compared with DuckDB counting one plain Parquet file of the same rows.

The lake has the Tasks of 20 networks in 4 Scopes, written as a log in a few large commits and folded; then another
2,000 Tasks change, so that the log has a tail. The reference is the states themselves, in one Parquet file that DuckDB
has already opened. Both must count the same. Opening the lake (its tables, the views, the tail of the log) is a
separate row, and so is counting with the Tasks opened again each time. Run it with ``python -m
benchmarks.bench_status``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from alchemiscale_lake.query import TaskSnapshot, ask, connect, status_counts, status_counts_by
from alchemiscale_lake.schemas import STATUSES, TABLES
from alchemiscale_lake.store import Lake, now_utc

from . import _table

NAME = "status"
TARGET = "counts over 1,000,000 Tasks within 3 times DuckDB on one plain Parquet file"

_TARGET_RATIO = 3.0
_N_SCOPES, _NETWORKS_PER_SCOPE, _PER_NETWORK = 4, 5, 100
_SHARES = {"waiting": 0.3, "complete": 0.6, "error": 0.05, "invalid": 0.04, "deleted": 0.01}


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time the counts; medians of 15, alternating.

    Parameters
    ----------
    quick : bool
        Use 100,000 Tasks.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, ratio, target and ok.
    """
    n = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder) / "lake", n)
        plain = Path(folder) / "plain.parquet"
        _plain(lake, plain)
        return [*_time_counts(lake, plain, n), _time_opening(lake, n)]


def _time_counts(lake: Lake, plain: Path, n: int) -> list[dict[str, Any]]:
    tasks = TaskSnapshot.of(lake)
    con, reference = connect(lake), duckdb.connect()
    size = f"{n:,} Tasks"
    file = f"from read_parquet('{plain}')"
    members = lake.table("network_members").scan().select("network", transformation="member").collect()
    reference.register("members", members)
    by_network = f"select network, status, count(*) {file} join members using (transformation) group by all"

    def count(sql: str) -> Callable[[], list[Any]]:
        return lambda: reference.sql(sql).fetchall()

    counted = dict(reference.sql(f"select status, count(*) {file} group by all").fetchall())
    agree = status_counts(tasks) == {status: counted.get(status, 0) for status in STATUSES}
    questions: list[tuple[str, Callable[[], object], Callable[[], object], bool]] = [
        ("by status", lambda: status_counts(tasks), count(f"select status, count(*) {file} group by all"), agree),
        (
            "by status within a Scope",
            lambda: status_counts(tasks, scope="org-bench-p1"),
            count(f"select status, count(*) {file} where scope = 'org-bench-p1' group by all"),
            True,
        ),
        (
            "by network and status",
            lambda: status_counts_by(tasks, "network"),
            count(by_network),
            _by_network(status_counts_by(tasks, "network")) == _pivot(reference, by_network),
        ),
        (
            "by network and status, as the SQL view, no target",
            lambda: ask(con, "network_status"),
            count(by_network),
            True,
        ),
        (
            "by status, opening the Tasks each time, no target",
            lambda: status_counts(lake),
            count(f"select status, count(*) {file} group by all"),
            True,
        ),
    ]
    rows = []
    for name, ours, theirs, same in questions:
        required = "no target" not in name
        rows.append(_row(f"count {size} {name}", *_in_turns(ours, theirs), agree=same, required=required))
    return rows


def _row(name: str, ours_s: float, reference_s: float, *, agree: bool, required: bool) -> dict[str, Any]:
    ratio = ours_s / reference_s
    target = f"<= {_TARGET_RATIO:g}x" if required else "none"
    ok = agree and (not required or ratio <= _TARGET_RATIO)
    return _with(name, ours_s, reference_s, "DuckDB, one Parquet file", ratio, target, ok)


def _with(
    name: str, ours_s: float, reference_s: float | None, reference: str, ratio: float | None, target: str, ok: bool
) -> dict[str, Any]:
    figures = {"ours_s": ours_s, "reference_s": reference_s, "reference": reference, "ratio": ratio}
    return {"name": name, **figures, "target": target, "ok": ok}


def _time_opening(lake: Lake, n: int) -> dict[str, Any]:
    def opened() -> object:
        opened = Lake.open(lake.url)
        return connect(opened), TaskSnapshot.of(opened)

    seconds = statistics.median(_seconds(opened) for _ in range(5))
    return _with(f"open the lake of {n:,} Tasks and connect", seconds, None, "", None, "none", True)


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object], turns: int = 15) -> tuple[float, float]:
    """Return median seconds of each; called alternately, so that both see the same load."""
    for warm in (ours, theirs):
        warm()
    times = [(_seconds(ours), _seconds(theirs)) for _ in range(turns)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# --- the lake ---------------------------------------------------------------------------------------


def make_lake(folder: Path, n_tasks: int) -> Lake:
    """Make a lake whose Tasks were written in five commits and folded, with 2,000 Tasks changed since."""
    lake = Lake.create(folder)
    transformations = _make_networks(lake)
    rng = np.random.default_rng(7)
    for part in range(5):
        _commit(lake, _created(transformations, n_tasks // 5, part, rng))
    lake.task_log.fold()
    waiting = lake.task_log.states().tasks.filter(pl.col("status") == "waiting")
    picked = waiting.sample(min(2_000, len(waiting)), seed=7)
    lease = pl.lit(now_utc()).cast(pl.Datetime("us", "UTC"))
    claimed = picked.with_columns(
        event=pl.lit("claimed"), status=pl.lit("running"), attempt=pl.col("task"), of_attempt=pl.col("task"),
        pool=pl.lit("bench"), lease_expires_at=lease,
    )  # fmt: skip
    _commit(lake, claimed)
    done = claimed.head(1_000).with_columns(
        event=pl.lit("completed"), status=pl.lit("complete"), attempt=pl.lit(None, pl.String),
        pool=pl.lit(None, pl.String), lease_expires_at=pl.lit(None, pl.Datetime("us", "UTC")),
    )  # fmt: skip
    _commit(lake, done)
    return lake


def _make_networks(lake: Lake) -> pl.DataFrame:
    """Store networks and their members; return columns scope, transformation, network."""
    rows = []
    for scope in (f"org-bench-p{i}" for i in range(_N_SCOPES)):
        for number in range(_NETWORKS_PER_SCOPE):
            network = f"AlchemicalNetwork-{number}-{scope}"
            rows += [(scope, f"Transformation-{number}x{k}-{scope}", network) for k in range(_PER_NETWORK)]
    frame = pl.DataFrame(rows, schema=["scope", "transformation", "network"], orient="row")
    members = frame.select("scope", "network", member="transformation", kind=pl.lit("transformation"))
    lake.table("network_members").append_new(members)
    names = frame.select("scope", "network").unique(maintain_order=True)
    samples = TABLES["networks"].sample(len(names), **{c: names[c].to_list() for c in ("scope", "network")})
    lake.table("networks").append_new(samples)
    keys = {c: frame[c].to_list() for c in ("scope", "transformation")}
    lake.table("transformations").append_new(TABLES["transformations"].sample(len(frame), **keys))
    return frame.select("scope", "transformation")


def _created(transformations: pl.DataFrame, n: int, part: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return events that create Tasks and leave them in all statuses at once."""
    picked = transformations[rng.integers(0, len(transformations), n)]
    tokens = [f"{int(a):016x}{int(b):016x}" for a, b in rng.integers(0, 2**63, (n, 2))]
    statuses = rng.choice(list(_SHARES), n, p=list(_SHARES.values()))
    return picked.with_columns(
        token=pl.Series(tokens), status=pl.Series(statuses), priority=pl.lit(10), event=pl.lit("created")
    ).select(pl.exclude("token"), task=pl.format("Task-{}-{}", "token", "scope"))


def _commit(lake: Lake, events: pl.DataFrame) -> None:
    """Append events without checks, which are not measured here."""
    common: Mapping[str, Any] = {"commit_id": "bench", "actor": "bench", "at": now_utc()}

    def rows(_: DeltaTable, seq: int) -> pa.Table:
        kept = [c for c in events.columns if c not in ("seq", "idx")]
        frame = events.select(kept).with_columns(
            *(pl.lit(value).alias(name) for name, value in common.items()),
            seq=pl.lit(seq, pl.Int64),
            idx=pl.int_range(len(events), dtype=pl.Int64),
        )
        return lake.table("task_log").schema.table(frame)

    lake.table("task_log").append(rows)


def _plain(lake: Lake, target: Path) -> None:
    """Write the states as one file."""
    lake.task_log.states().tasks.write_parquet(target)


def _by_network(counts: pl.DataFrame) -> dict[tuple[str, str], int]:
    long = counts.unpivot(index="network", variable_name="status", value_name="n").filter(pl.col("n") > 0)
    return {(network, status): n for network, status, n in long.iter_rows()}


def _pivot(reference: duckdb.DuckDBPyConnection, sql: str) -> dict[tuple[str, str], int]:
    return {(network, status): n for network, status, n in reference.sql(sql).fetchall()}


if __name__ == "__main__":
    _table.main(run)
