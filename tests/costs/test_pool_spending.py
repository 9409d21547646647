from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alchemiscale_lake.costs.forecast import Forecast
from alchemiscale_lake.costs.pool_spending import PoolUsage, day_began, usage_today
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore.task_times import TaskTimes
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import Event, status
from tests.campaign import Campaign

POOLS = Pools.model_validate(
    {
        "pools": {
            "cloud": {
                "kind": "work-pool",
                "work_pool": "k8s",
                "gpus": 1,
                "cores": 4,
                "cost_per_gpu_hour": 2.0,
            },
            "cpu": {"kind": "local", "cores": 4, "cost_per_gpu_hour": 0.5},
        },
        "protocols": {"HarmonicProtocol": {"cores": 2}},
    }
)
NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)


def used(lake: Lake, now: datetime = NOON) -> dict[str, PoolUsage]:
    times = TaskTimes(lake)
    times.refresh(forget_before=day_began(now))
    return usage_today(lake, POOLS, lake.task_log.states(), times, Forecast(lake, POOLS), now)[0]


@pytest.fixture
def campaign(lake: Lake) -> Campaign:
    return Campaign(lake)


@pytest.fixture
def task(campaign: Campaign) -> str:
    return campaign.new_tasks(campaign.network("n", [("a", "b")]), ["a_b_other"])[0]


def result(campaign: Campaign, task: str, began: datetime, hours: float, pool: str, **columns: Any) -> str:
    wall_time_s = hours * 3600
    ended_at = began + timedelta(hours=hours)
    times = {"started_at": began, "ended_at": ended_at, "wall_time_s": wall_time_s, "gpu_time_s": None}
    return campaign.result(task, 1.0, 0.1, pool=pool, end_task=False, **(times | columns))


def test_nothing_used(lake: Lake) -> None:
    assert used(lake) == {"cloud": PoolUsage(0.0, 0.0, 2.0), "cpu": PoolUsage(0.0, 0.0, 0.5)}


def test_recorded_gpu_time_counts_and_only_of_today(campaign: Campaign, task: str) -> None:
    result(campaign, task, NOON - timedelta(hours=2), 1.0, "cloud", gpu_time_s=3600.0)
    # two of its four hours were yesterday; it held a quarter of a GPU
    result(campaign, task, NOON - timedelta(hours=14), 4.0, "cloud", gpu_time_s=3600.0)
    result(campaign, task, NOON - timedelta(days=2), 4.0, "cloud", gpu_time_s=3600.0)
    result(campaign, task, NOON - timedelta(hours=2), 1.0, "elsewhere", gpu_time_s=3600.0)

    usage = used(campaign.lake)["cloud"]
    assert usage.gpu_hours == usage.ended_gpu_hours == pytest.approx(1.5)
    assert usage.cost == pytest.approx(3.0)


def test_without_gpu_the_part_of_the_worker_counts(campaign: Campaign, task: str) -> None:
    result(campaign, task, NOON - timedelta(hours=2), 1.0, "cpu")
    result(campaign, task, NOON - timedelta(hours=2), 1.0, "cloud")
    usage = used(campaign.lake)
    assert (usage["cpu"].gpu_hours, usage["cloud"].gpu_hours) == (pytest.approx(0.5), pytest.approx(0.5))


def happen(campaign: Campaign, event: object) -> None:
    assert isinstance(event, Event)
    campaign.commit([event])
    campaign.tasks[event.after.task] = event.after


def test_running_attempts_count_until_now_and_released_ones_from_their_claim(campaign: Campaign, task: str) -> None:
    happen(campaign, status.claim(campaign.tasks[task], "a1", "cloud", now_utc()))
    in_an_hour = now_utc() + timedelta(hours=1)
    if day_began(in_an_hour) != day_began(now_utc()):
        in_an_hour = now_utc() + timedelta(seconds=1)
    running = used(campaign.lake, in_an_hour)["cloud"]
    assert running.ended_gpu_hours == 0.0
    hours = (in_an_hour - now_utc()).total_seconds() / 3600
    assert running.running_gpu_hours == pytest.approx(hours / 2, rel=0.05, abs=1e-3)

    happen(campaign, status.release(campaign.tasks[task], "a1", "stopped"))
    back = used(campaign.lake, in_an_hour)["cloud"]
    assert back.running_gpu_hours == 0.0
    assert 0.0 < back.ended_gpu_hours < 0.01


def test_a_released_attempt_with_a_late_result_counts_once(campaign: Campaign, task: str) -> None:
    happen(campaign, status.claim(campaign.tasks[task], f"{1:032x}", "cloud", now_utc()))
    happen(campaign, status.release(campaign.tasks[task], f"{1:032x}", "stopped"))
    began = day_began(now_utc())
    attempt = result(campaign, task, began, 1.0, "cloud", gpu_time_s=3600.0)
    assert attempt == f"{1:032x}"
    assert used(campaign.lake, now_utc())["cloud"].ended_gpu_hours == pytest.approx(1.0)


def test_days_are_those_of_utc() -> None:
    assert day_began(datetime.fromisoformat("2025-06-02T01:30:00+02:00")) == datetime(2025, 6, 1, tzinfo=UTC)
