"""With a hundred thousand waiting Tasks: a claim is decided between two commits, and must not take longer."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import polars as pl

from alchemiscale_lake.settings import Pools
from alchemiscale_lake.tasks import choose
from alchemiscale_lake.tasks.fitness import NEEDS_SCHEMA, fitness
from alchemiscale_lake.tasks.policy import PoolView, Situation, admit

N_TASKS, N_TRANSFORMATIONS = 100_000, 30_000
#: CPU time, some fifty times that of an idle machine: enough to distinguish columns from loops.
LONGEST_S = 10.0
POOLS = Pools.model_validate(
    {
        "pools": {
            "cluster": {
                "kind": "slurm",
                "cores": 8,
                "memory": "32GiB",
                "gpus": 1,
                "walltime": "24h",
                "limits": {"maximum": 500},
            },
            "cloud": {
                "kind": "work-pool",
                "work_pool": "k8s",
                "gpus": 1,
                "priority": 20,
                "cost_per_gpu_hour": 1.0,
                "burst": {"backlog_gpu_hours": 1, "oldest_waiting": "1h", "budget_per_day": 1000},
            },
        },
        "shares": {"org-c1-*": 0.5},
    }
)


def test_admitting_and_drawing_take_columns_not_loops() -> None:
    now = datetime(2025, 6, 1, tzinfo=UTC)
    scopes = [f"org-c{i % 4}-p" for i in range(N_TRANSFORMATIONS)]
    needs = pl.DataFrame(
        {
            "transformation": [f"Transformation-{i:032x}-{scope}" for i, scope in enumerate(scopes)],
            "scope": scopes,
            "protocol": "SomeProtocol",
            "cores": 1,
            "memory_bytes": None,
            "gpus": 1.0,
            "duration_s": 3600.0,
        },
        schema=NEEDS_SCHEMA,
    )
    performs = np.arange(N_TASKS) % N_TRANSFORMATIONS
    tasks = needs.select("transformation", "scope")[performs].with_columns(
        pl.Series("task", [f"Task-{i:032x}" for i in range(N_TASKS)]),
        priority=pl.lit(10, pl.Int64),
        network=pl.lit("AlchemicalNetwork-1-") + pl.col("scope"),
        weight=pl.lit(0.5),
    )
    since = tasks.select("task", since=pl.lit(now))
    situation = Situation(now, {name: PoolView() for name in POOLS.pools}, since)

    began = time.process_time()
    fit = fitness(POOLS, needs)
    candidates = tasks.join(fit, on="transformation")
    running = candidates.clear().with_columns(pool=pl.lit("cluster"), attempt=pl.lit("a"))
    admission = admit(POOLS, "cloud", candidates, running, situation)
    weights = dict.fromkeys(tasks["network"].unique(), 0.5)
    drawn = choose(admission.candidates, weights, 200, np.random.default_rng(0))
    took_s = time.process_time() - began

    assert (len(drawn), len(admission.candidates), admission.limit) == (200, N_TASKS - 500, 1000)
    assert took_s < LONGEST_S
