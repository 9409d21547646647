from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.plan import DispatchPlan, plan_dispatch
from alchemiscale_lake.dispatch.pool_reports import PoolReport, report_pool
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.store import Lake, now_utc
from tests.campaign import Campaign

LOCAL = {"kind": "local", "cores": 4, "gpus": 4, "priority": 1, "limits": {"maximum": 2}}
CLUSTER = {"kind": "slurm", "cores": 4, "memory": "16GiB", "gpus": 1, "walltime": "24h", "limits": {"maximum": 3}}
CLOUD = {"kind": "work-pool", "work_pool": "k8s", "gpus": 1, "priority": 20, "cost_per_gpu_hour": 2.0}
NEEDS = {"HarmonicProtocol": {"gpus": 1, "duration": "2h"}, "LongProtocol": {"gpus": 1, "duration": "30h"}}


def config(**cloud: Any) -> Pools:
    keys = CLOUD | {"burst": {"backlog_gpu_hours": 4}, "exclude_protocols": ["LongProtocol"]} | cloud
    pools = {"local": LOCAL | {"exclude_protocols": ["LongProtocol"]}, "cluster": CLUSTER, "cloud": keys}
    return Pools.model_validate({"pools": pools, "protocols": NEEDS})


@pytest.fixture
def campaign(lake: Lake) -> Campaign:
    made = Campaign(lake)
    network = made.network("n", [("a", "b"), ("b", "c")])
    made.new_tasks(network, ["a_b_other", "b_c_other"] * 4)
    return made


def would_claim(plan: DispatchPlan) -> dict[str, int]:
    return {pool.pool: pool.would_claim for pool in plan.pools}


def test_pool_after_pool_takes_what_it_has_room_for(campaign: Campaign) -> None:
    plan = plan_dispatch(campaign.lake, config())
    _, cluster, cloud = plan.pools

    assert would_claim(plan) == {"local": 2, "cluster": 3, "cloud": 3}
    assert plan.assumed
    assert (plan.n_claimable, plan.n_not_claimable, plan.unplaced) == (8, 0, ())
    assert cluster.reasons == ("has capacity for 3 of 6 Tasks",)
    assert (cloud.state, cloud.gpu_hours, cloud.cost) == ("open", 6.0, 12.0)
    assert sum(sum(pool.networks.values()) for pool in plan.pools) == 8


def test_a_plan_writes_nothing_and_is_repeatable(campaign: Campaign) -> None:
    lake, now = campaign.lake, now_utc()
    assert lake.local_path is not None
    before = sorted(str(path) for path in lake.local_path.rglob("*"))
    assert plan_dispatch(lake, config(), now=now) == plan_dispatch(lake, config(), now=now)
    assert sorted(str(path) for path in lake.local_path.rglob("*")) == before


def test_only_pools_that_were_heard_of_take_part(campaign: Campaign) -> None:
    lake = campaign.lake
    report_pool(lake, "cloud", PoolReport(now_utc(), "p"))
    report_pool(lake, "cluster", PoolReport(now_utc() - timedelta(hours=1), "p"))

    plan = plan_dispatch(lake, config())
    assert [pool.state for pool in plan.pools] == ["no dispatcher", "no dispatcher", "open"]
    assert would_claim(plan) == {"local": 0, "cluster": 0, "cloud": 8}
    assert not plan.assumed
    assert "start one with `alchemiscale-lake dispatch local`" in plan.pools[0].reasons[0]

    everybody = plan_dispatch(lake, config(), all_pools=True)
    assert everybody.assumed
    assert would_claim(everybody) == {"local": 2, "cluster": 3, "cloud": 3}


def test_running_tasks_use_capacity_and_a_closed_pool_is_reported(campaign: Campaign) -> None:
    for task in list(campaign.tasks)[:2]:
        campaign.set_status(task, "running")
    plan = plan_dispatch(campaign.lake, config(burst={"backlog_gpu_hours": 90}))

    assert [pool.running for pool in plan.pools] == [2, 0, 0]
    assert would_claim(plan) == {"local": 0, "cluster": 3, "cloud": 0}
    assert plan.pools[2].state == "closed"
    (group,) = plan.unplaced
    assert group.n_tasks == 3
    assert group.why == {
        "local": "it takes no more Tasks now",
        "cluster": "it takes no more Tasks now",
        "cloud": "it is closed now",
    }
    assert group.remedies == {}


def test_what_no_pool_can_take_comes_with_what_to_change(campaign: Campaign) -> None:
    long = campaign.network("long", [("x", "y")], protocol="LongProtocol")
    campaign.new_tasks(long, ["x_y_other"] * 2)
    idle = campaign.new_tasks(long, ["x_y_other"])
    campaign.set_status(idle[0], "error")
    (group,) = plan_dispatch(campaign.lake, config()).unplaced

    assert (group.protocol, group.scope, group.n_tasks) == ("LongProtocol", "org-campaign-project", 2)
    assert group.why["cluster"].startswith("it is expected to take longer")
    assert group.remedies == {
        "local": "remove it from `exclude_protocols`",
        "cluster": "increase the `walltime` of the pool",
        "cloud": "remove it from `exclude_protocols`",
    }


def test_tasks_that_wait_and_may_not_be_claimed_are_counted(campaign: Campaign) -> None:
    lake = campaign.lake
    other = campaign.network("m", [("x", "y")])
    campaign.new_tasks(other, ["x_y_other"] * 3)
    lake.network_log.set([other], caller=Caller("ada"), state="inactive")
    plan = plan_dispatch(lake, config())
    assert (plan.n_claimable, plan.n_not_claimable) == (8, 3)


def test_an_empty_lake(lake: Lake) -> None:
    plan = plan_dispatch(lake, config())
    assert would_claim(plan) == {"local": 0, "cluster": 0, "cloud": 0}
    assert plan.pools[0].reasons == ("no Task is waiting",)
