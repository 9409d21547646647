"""Usage of a lake with 1,000,000 results, compared with DuckDB on the same columns in one plain Parquet file.

The results are in 20 networks of 4 Scopes, on 200 hosts and in 3 pools, over a year. The reference counts attempts,
failures and hours by host, the minimum for any answer; ours also counts each Task once and looks up the names of
Protocols or networks. The first row must take at most a few seconds, for interactive use; its sums must equal the
reference's. Run it with ``python -m benchmarks.bench_usage``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report.usage import DIMENSIONS, usage_frame
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake

from . import _table

NAME = "usage"
TARGET = "usage of 1,000,000 results by anything within 5 s"

_TARGET_S = 5.0
_N_SCOPES, _NETWORKS_PER_SCOPE, _PER_NETWORK = 4, 5, 100
_N_HOSTS = 200
_START = datetime(2025, 1, 1, tzinfo=UTC)
_YEAR = timedelta(days=365)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time every dimension, for all time and the last week; medians of three.

    Parameters
    ----------
    quick : bool
        Use 50,000 results.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, ratio, target and ok.
    """
    n = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        lake = _make_lake(Path(folder) / "lake", n)
        plain = Path(folder) / "plain.parquet"
        lake.table("results").scan().select("hostname", "ok", "wall_time_s", "gpu_time_s").sink_parquet(plain)
        reference = duckdb.connect()
        sql = (
            "select hostname, count(*) as n, count(*) filter (not ok) as failed, sum(wall_time_s) / 3600 as wall_h, "
            f"sum(gpu_time_s) / 3600 as gpu_h from read_parquet('{plain}') group by all order by all"
        )
        counted = reference.sql(sql).pl()
        reference_s = _median(lambda: reference.sql(sql).fetchall())
        connection = connect(lake)
        by_host = usage_frame(connection, "host")
        agree = by_host["n_attempts"].to_list() == counted["n"].to_list() and bool(
            np.allclose(by_host["gpu_h"], counted["gpu_h"])
        )
        last_week = {"window": timedelta(days=7), "now": _START + _YEAR}
        rows = [
            _row(f"{n:,} results by {by}", _median(lambda by=by: usage_frame(connection, by)), reference_s, ok=agree)
            for by in DIMENSIONS
        ]
        week_s = _median(lambda: usage_frame(connection, "host", **last_week))
        rows.append(_row("the last week by host", week_s, reference_s, ok=agree))
        rows += [
            _row(f"question {question}", _median(lambda question=question: ask(connection, question)), reference_s)
            for question in ("failure_rates", "network_storage", "scope_storage")
        ]
        return rows


def _row(name: str, ours_s: float, reference_s: float, *, ok: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": "DuckDB, four columns of one Parquet file by host",
        "ratio": ours_s / reference_s,
        "target": f"<= {_TARGET_S:g} s",
        "ok": ok and ours_s <= _TARGET_S,
    }


def _median(call: Callable[[], object]) -> float:
    def seconds() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    seconds()
    return statistics.median(seconds() for _ in range(3))


def _make_lake(folder: Path, n: int) -> Lake:
    lake = Lake.create(folder)
    transformations = _make_networks(lake)
    rng = np.random.default_rng(7)
    for part in range(5):
        rows = _results(transformations, n // 5, part, rng)
        lake.table("results").append_new(rows)
        kept = rows.filter(pl.Series(rng.random(len(rows)) < 0.1)).select(
            "scope",
            "attempt",
            path=pl.lit("production.log"),
            n_bytes=pl.lit(50_000),
            digest=pl.lit("d"),
            object_path=pl.format("attempts/{}/files/production.log", "attempt"),
        )
        lake.table("result_files").append_new(kept)
    return lake


def _make_networks(lake: Lake) -> pl.DataFrame:
    """Store networks, their members and Transformations; return columns scope, transformation."""
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


def _results(transformations: pl.DataFrame, n: int, part: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return one good result for most Tasks, with a preceding failure for some."""
    picked = transformations[rng.integers(0, len(transformations), n)]
    first = part * n
    ok = rng.random(n) < 0.95
    started = _START + pl.Series(rng.uniform(0, _YEAR.total_seconds() - 1e5, n) * 1e6).cast(pl.Duration("us"))
    wall = rng.uniform(600, 20_000, n)
    return picked.with_columns(
        attempt=pl.format("{}", pl.int_range(first, first + n)).str.zfill(32),
        task=pl.format("Task-{}-{}", pl.int_range(first, first + n) // 2 * 2, "scope"),
        ok=pl.Series(ok),
        exception=pl.when(pl.Series(~ok)).then(pl.lit("ValueError: it exploded")),
        object_path=pl.when(pl.Series(ok)).then(pl.lit("results/x.json.zst")),
        n_bytes=pl.Series(rng.integers(20_000, 400_000, n)),
        n_units=pl.lit(3),
        started_at=started,
        ended_at=started + pl.Series(wall * 1e6).cast(pl.Duration("us")),
        wall_time_s=pl.Series(wall),
        cpu_time_s=pl.Series(wall * 1.1),
        gpu_time_s=pl.Series(wall),
        pool=pl.Series(rng.choice(["lab", "cluster", "cloud"], n)),
        hostname=pl.Series([f"node{k:03d}" for k in rng.integers(0, _N_HOSTS, n)]),
        recorded_at=started + pl.Series(wall * 1e6).cast(pl.Duration("us")),
    )


if __name__ == "__main__":
    _table.main(run)
