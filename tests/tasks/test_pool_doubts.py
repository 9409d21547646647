"""Settings that are allowed but probably not intended."""

from __future__ import annotations

from typing import Any

import pytest

from alchemiscale_lake.settings import Pool, Pools
from alchemiscale_lake.tasks.pool_doubts import doubts, most_per_day

QUEUE = {"kind": "slurm", "cores": 8, "memory": "32GiB", "gpus": 1, "walltime": "24h", "work_root": "/shared"}
HERE = {"kind": "local"}
CLOUD = {"kind": "work-pool", "work_pool": "k8s", "gpus": 1, "priority": 50}


def told(pool: dict[str, Any], **keys: Any) -> list[str]:
    pools = Pools.model_validate({"pools": {"here": {"kind": "local", "cores": 1}, "it": pool}, **keys})
    return [f"{'.'.join(one.key)}: {one.text}" for one in doubts(pools)]


@pytest.mark.parametrize("pool", [HERE, QUEUE, CLOUD, QUEUE | {"kind": "lsf", "directives": "-gpu num=1"}])
def test_plain_pools_raise_none(pool: dict[str, Any]) -> None:
    assert told(pool) == []


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (CLOUD | {"cost_per_gpu_hour": 2}, "limits: 10 workers cost 480 a day and there is no budget"),
        (CLOUD | {"gpus": 0, "cost_per_gpu_hour": 2}, "cost_per_gpu_hour: has no effect"),
        (CLOUD | {"burst": {"budget_per_day": 5}}, "burst: budget_per_day is never reached"),
        (
            CLOUD | {"burst": {"oldest_waiting": "1d"}, "limits": {"minimum": 2}},
            "limits: 2 workers keep running",
        ),
        (CLOUD | {"burst": {"oldest_waiting": "1d"}, "priority": 10}, "priority: 10 precedes every pool"),
        (HERE | {"limits": {"hard": 0}}, "limits: hard is 0"),
        (QUEUE | {"kind": "oar"}, "gpus: no directive asks the queue for a GPU; add one, as in '-l /nodes=1/gpu=1"),
        (QUEUE | {"kind": "sge", "queue": "gpu"}, "gpus: no directive asks"),
        (QUEUE | {"gpus": 0, "directives": "--gres=gpu:1"}, "gpus: is 0 although the directive '--gres=gpu:1' seems"),
        (QUEUE | {"gpus": 0, "queue": "gpu-long"}, "gpus: is 0, so jobs ask for no GPU, although the name of"),
        (QUEUE | {"gpus": 4, "cores": 2}, "cores: fewer than GPUs"),
        (QUEUE | {"work_root": None}, "work_root: is not set"),
        (QUEUE | {"work_root": "/tmp/x"}, "work_root: /tmp/x is local to each node"),
        (QUEUE | {"lease": "50s"}, "lease: is shorter than 3 heartbeats"),
        (QUEUE | {"timeout": "1h", "stuck_after": "1h"}, "stuck_after: is never reached"),
        (QUEUE | {"timeout": "24h"}, "timeout: is never reached"),
        (QUEUE | {"walltime": 400}, "walltime: 6m40s is short; a number without unit is seconds"),
        (HERE | {"protocols": "SepTopsProtocol"}, "protocols.SepTopsProtocol: SepTopsProtocol is unknown; did"),
    ],
)
def test_one_doubt(pool: dict[str, Any], said: str) -> None:
    (found,) = told(pool)

    assert found.startswith(f"pools.it.{said}")


@pytest.mark.parametrize("kind", ["slurm", "pbs", "lsf", "htcondor", "moab"])
def test_most_jobs_ask_for_their_gpus_themselves(kind: str) -> None:
    assert told(QUEUE | {"kind": kind} | ({"disk": "1GB"} if kind == "htcondor" else {})) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"protocols": {"Mine": {"gpus": 2}}}, "protocols.Mine: 1 cores and 2 GPUs exceed every worker"),
        ({"protocols": {"Mine": {"memory": "33GiB", "cores": 2}}}, "protocols.Mine: 2 cores, 33GiB and 0 GPUs exceed"),
        ({"units": {"Mine": {"cores": 9}}}, "units.Mine: 9 cores and 0 GPUs exceed every worker"),
        ({"protocols": {"Mine": {"gpus": 0.5}}}, "protocols.Mine: Tasks share a GPU and their memory is not counted"),
        (
            {"protocols": {"SepTopProtocol": {"duration": "24h"}}},
            "pools.it.walltime: a Task of SepTopProtocol is declared to take 24h and the job allows 23h55m",
        ),
        (
            {"units": {"HybridTopologySetUpUnit": {}}},
            "units.HybridTopologySetUpUnit: HybridTopologySetUpUnit is unknown; did you mean HybridTopologySetu",
        ),
    ],
)
def test_doubtful_needs(keys: dict[str, Any], said: str) -> None:
    (found,) = told(QUEUE, **keys)

    assert found.startswith(said)


def test_protocols_have_to_fit_where_they_may_run() -> None:
    keys = {"protocols": {"Mine": {"gpus": 1}}}

    assert told(QUEUE, **keys) == []
    assert len(told(QUEUE | {"exclude_protocols": "Mine"}, **keys)) == 1


def test_nothing_but_burst() -> None:
    keys = {"pools": {"cloud": CLOUD | {"burst": {"oldest_waiting": "1d"}}}}

    (found,) = doubts(Pools.model_validate(keys))

    assert found.key == ("pools", "cloud", "burst")
    assert "every pool has burst" in found.text


@pytest.mark.parametrize(("budget", "most"), [(None, 4800.0), (100.0, 100.0), (9000.0, 4800.0)])
def test_what_a_day_costs_at_most(budget: float | None, most: float) -> None:
    burst = None if budget is None else {"budget_per_day": budget}
    keys = CLOUD | {"gpus": 2, "cost_per_gpu_hour": 5, "limits": {"maximum": 20}, "burst": burst}

    assert most_per_day(Pool.model_validate(keys)) == most
