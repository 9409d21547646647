"""Processes killed between any two writes of the store, in a bucket."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake
from tests.forks import ForkServer
from tests.long import LONG

N_TASKS = 6
N_KILLS = 12
SEED = 20250601


def drive(forks: ForkServer, lake: str, *options: str, fault: str | None = None) -> int:
    """Run the driver to its end, or until it is killed."""
    env = {k: v for k, v in os.environ.items() if k != "ALCHEMISCALE_LAKE_FAULT"}
    if fault is not None:
        env["ALCHEMISCALE_LAKE_FAULT"] = fault
    done = forks.run("tests.faults.store_driver", lake, *options, environment=env)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(SEED + n, marks=LONG) for n in range(1, 6))])
def test_killed_between_writes_in_a_bucket(seed: int, forks: ForkServer, bucket: str, tmp_path: Path) -> None:
    """Kills throughout the campaign, from early to late, on one lake; all Tasks complete once."""
    drive(forks, str(tmp_path / "lake"), "--points", str(tmp_path / "points.json"))
    points = list(dict.fromkeys(json.loads((tmp_path / "points.json").read_text())))
    assert len(points) > 40
    draw = random.Random(seed)
    # maintenance passes four points for every table; a few of them are enough
    upkeep = [p for p in points if p.startswith("upkeep:")]
    writes = [p for p in points if p not in upkeep]
    chosen = {*draw.sample(writes, N_KILLS - 3), *draw.sample(upkeep, 3)}
    faults = [point for point in points if point in chosen]
    killed = [fault for fault in faults if drive(forks, bucket, fault=fault) != 0]
    assert drive(forks, bucket) == 0
    lake = Lake.open(bucket)
    assert lake.task_log.states().tasks["status"].to_list() == ["complete"] * N_TASKS
    results = lake.table("results").scan().collect()
    assert sorted(results["task"]) == sorted(lake.task_log.states().tasks["task"])
    assert set(lake.table("unit_results").scan().collect()["attempt"]) == set(results["attempt"])
    log = lake.table("task_log").scan().collect()
    assert log["seq"].unique().sort().to_list() == list(range(1, log["seq"].max() + 1))
    assert len(killed) >= N_KILLS - 4, f"of {faults} only {killed} were reached"
