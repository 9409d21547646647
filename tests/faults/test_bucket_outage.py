"""A bucket that answers 503 to everything for a while, under a dispatcher at work."""

from __future__ import annotations

import threading
import time

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.dispatch_report import DispatchReport
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.engine import Engine
from tests.plain import SCOPE, plain_chain
from tests.s3 import Way

#: During whatever the dispatcher is doing: claiming, recording, or a heartbeat.
BEFORE = (5, 100)


@pytest.mark.parametrize("after", BEFORE)
def test_a_dispatcher_outlives_it_and_every_task_completes_once(bucket_lake: str, way: Way, after: int) -> None:
    lake = Lake.open(bucket_lake)
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, network, 3, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["asked to fail"], 2, caller=Caller("ana"))
    pools = Pools.model_validate({"pools": {"local": {"kind": "local", "cores": 2, "limits": {"maximum": 2}}}})
    settings = DispatchSettings(resources=Resources(), poll_s=0.05, heartbeat_s=0.5, lease_s=2.0)
    one = Dispatcher(lake, Engine(lake, at_once=True), settings, pools=pools, rng=np.random.default_rng(0))
    reports: list[DispatchReport] = []

    rule = way.misbehave("unavailable", times=10**6, after=after)
    thread = threading.Thread(target=lambda: reports.append(one.run()))
    thread.start()
    give_up = time.monotonic() + 30.0
    while rule.applied < 12 and thread.is_alive():
        assert time.monotonic() < give_up
        time.sleep(0.05)
    way.behave()
    thread.join(60.0)

    assert rule.applied >= 12
    assert len(reports) == 1, "it came to a good end"
    again = Lake.open(bucket_lake)
    assert set(again.task_log.states().tasks["status"]) == {"complete"}
    log = again.table("task_log").scan().filter(pl.col("event") == "completed").collect()
    assert log["task"].is_unique().all()
    assert again.table("results").scan().collect()["task"].is_unique().all()
