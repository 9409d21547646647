from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.settings import Pools
from alchemiscale_lake.tasks.fitness import NEEDS_SCHEMA, fitness
from alchemiscale_lake.tasks.policy import Admission, PoolView, Situation, admit, pools_before

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SCOPE = "org-campaign-project"
NODE = {"kind": "slurm", "cores": 8, "memory": "32GiB", "gpus": 1, "walltime": "24h"}
CLOUD = NODE | {"kind": "work-pool", "work_pool": "k8s", "priority": 20, "cost_per_gpu_hour": 2.0}


def pools(shares: Mapping[str, float] | None = None, **by_name: dict[str, Any]) -> Pools:
    return Pools.model_validate({"pools": by_name, "shares": shares or {}})


def waiting(n: int, *, hours: float | None = 1.0, start: int = 0, priority: int = 10, **values: Any) -> list[dict]:
    """Return plain rows of Tasks, one Transformation each."""
    return [
        {
            "task": f"Task-{i:04d}-{SCOPE}",
            "transformation": f"Transformation-{i:04d}-{SCOPE}",
            "scope": SCOPE,
            "priority": priority,
            "network": f"AlchemicalNetwork-1-{SCOPE}",
            "weight": 0.5,
            "protocol": "SomeProtocol",
            "cores": 1,
            "memory_bytes": None,
            "gpus": 1.0,
            "duration_s": None if hours is None else hours * 3600,
        }
        | values
        for i in range(start, start + n)
    ]


_SCHEMA = {"task": pl.String, "priority": pl.Int64, "network": pl.String, "weight": pl.Float64} | NEEDS_SCHEMA


def ask(
    settings: Pools,
    name: str,
    tasks: Sequence[dict],
    *,
    running: Mapping[str, Sequence[dict]] | None = None,
    views: Mapping[str, PoolView] | None = None,
    since: Mapping[str, datetime] | None = None,
) -> Admission:
    """Apply the policy, with a report from every pool."""
    views = dict.fromkeys(settings.pools, PoolView()) | dict(views or {})
    runs = [row | {"pool": pool} for pool, rows in (running or {}).items() for row in rows]
    frame = pl.DataFrame(tasks, schema=_SCHEMA)
    frame = frame.join(
        fitness(settings, frame.select(list(NEEDS_SCHEMA)).unique("transformation")), on="transformation"
    )
    run = pl.DataFrame(runs, schema=_SCHEMA | {"pool": pl.String})
    run = run.join(fitness(settings, run.select(list(NEEDS_SCHEMA)).unique("transformation")), on="transformation")
    ages = None if since is None else pl.DataFrame({"task": list(since), "since": list(since.values())})
    return admit(settings, name, frame, run, Situation(NOW, views, ages))


def names(admission: Admission) -> set[str]:
    return {task[5:9] for task in admission.candidates["task"]}


# --- a single pool ----------------------------------------------------------------------------------


def test_a_pool_alone_gets_all_that_it_can_take() -> None:
    admission = ask(pools(a=NODE), "a", [*waiting(3), *waiting(1, start=3, gpus=2.0)])

    assert names(admission) == {"0000", "0001", "0002"}
    assert (admission.open, admission.limit, admission.reasons) == (True, None, ())


def test_a_pool_that_can_take_nothing_states_the_reason() -> None:
    admission = ask(pools(a=NODE), "a", waiting(2, hours=30))

    assert not len(admission.candidates)
    assert admission.reasons == (
        "takes none of 2 Tasks that can be claimed; for most, it is expected to take longer than a worker's walltime "
        "minus `retire_before`",
    )
    assert ask(pools(a=NODE), "a", []).reasons == ("no Task is waiting",)


def test_the_hard_limit_is_what_is_left_of_it() -> None:
    settings = pools(a=NODE | {"limits": {"hard": 5}})
    admission = ask(settings, "a", waiting(9), running={"a": waiting(3, start=50)})

    assert admission.limit == 2
    assert admission.reasons == ("limits.hard is 5, 3 Tasks in flight: at most 2 more",)
    assert ask(settings, "a", waiting(9), running={"a": waiting(7, start=50)}).limit == 0


# --- several owned pools -----------------------------------------------------------------------------


def test_order_is_by_number_and_owned_before_rented() -> None:
    settings = pools(a=NODE, b=NODE | {"burst": {"backlog_gpu_hours": 1}}, c=NODE | {"priority": 5}, d=NODE)
    assert pools_before(settings, "b") == ["c", "a", "d"]
    assert pools_before(settings, "a") == ["c"]
    assert pools_before(settings, "c") == []


def test_tasks_are_left_to_a_pool_that_goes_before_and_has_room() -> None:
    settings = pools(first=NODE | {"priority": 1, "limits": {"maximum": 4}}, second=NODE)
    admission = ask(settings, "second", waiting(10), running={"first": waiting(1, start=50)})

    assert len(names(admission)) == 7
    assert admission.left_to == {"first": 3}
    assert "3 Tasks left to first, which has capacity for that" in admission.reasons


def test_what_is_left_is_what_would_be_drawn_last() -> None:
    settings = pools(first=NODE | {"priority": 1, "limits": {"maximum": 2}}, second=NODE)
    admission = ask(settings, "second", [*waiting(2, priority=1), *waiting(2, start=2, priority=9)])
    assert names(admission) == {"0000", "0001"}


def test_a_pool_that_goes_before_takes_first_what_it_alone_can_take() -> None:
    big = NODE | {"gpus": 2, "priority": 1, "limits": {"maximum": 2}}
    admission = ask(pools(big=big, small=NODE), "small", [*waiting(2, gpus=2.0), *waiting(3, start=2)])
    # its two workers will hold the large Tasks
    assert names(admission) == {"0002", "0003", "0004"}
    assert admission.left_to == {}


@pytest.mark.parametrize(
    "view",
    [PoolView(heard=False), PoolView(stalled_jobs=4), PoolView(workers=2, stalled_jobs=2)],
    ids=["not heard of", "its jobs wait in the queue", "half of them do"],
)
def test_never_starved_by_a_pool_that_takes_nothing(view: PoolView) -> None:
    settings = pools(first=NODE | {"priority": 1, "limits": {"maximum": 4}}, second=NODE)
    running = {"first": waiting(2, start=50)} if view.workers else {}
    admission = ask(settings, "second", waiting(4), running=running, views={"first": view})
    assert len(names(admission)) == 4


def test_jobs_that_hold_claims_while_they_wait_are_counted_once() -> None:
    settings = pools(first=NODE | {"priority": 1, "limits": {"maximum": 10}}, second=NODE)
    view = PoolView(workers=3, stalled_jobs=3)
    admission = ask(settings, "second", waiting(10), running={"first": waiting(6, start=50)}, views={"first": view})
    assert admission.left_to == {"first": 4}


def test_a_full_pool_and_one_at_its_soft_limit_are_left_nothing() -> None:
    first = NODE | {"priority": 1, "limits": {"maximum": 10, "soft": 2}}
    admission = ask(pools(first=first, second=NODE), "second", waiting(4), running={"first": waiting(2, start=50)})
    assert len(names(admission)) == 4


def test_a_local_pool_is_one_worker_that_knows_its_slots() -> None:
    local = {"kind": "local", "priority": 1, "cores": 4, "gpus": 4, "limits": {"maximum": 3}}
    settings = pools(local=local, second=NODE)
    assert ask(settings, "second", waiting(8)).left_to == {"local": 3}
    assert ask(settings, "second", waiting(8), views={"local": PoolView(slots_free=1)}).left_to == {"local": 1}
    assert ask(settings, "second", waiting(8), running={"local": waiting(3, start=50)}).left_to == {}


def test_beyond_the_soft_limit_only_what_no_other_pool_takes() -> None:
    settings = pools(a=NODE | {"limits": {"soft": 2}}, b=NODE | {"exclude_protocols": ["Rare"]})
    tasks = [*waiting(3), *waiting(2, start=3, protocol="Rare")]
    below = ask(settings, "a", tasks, running={"a": waiting(1, start=50)})
    beyond = ask(settings, "a", tasks, running={"a": waiting(2, start=50)})
    alone = ask(settings, "a", tasks, running={"a": waiting(2, start=50)}, views={"b": PoolView(heard=False)})

    assert (len(names(below)), below.limit) == (5, 1)
    assert (names(beyond), beyond.limit) == ({"0003", "0004"}, None)
    assert "only Tasks that no other pool takes" in beyond.reasons[-1]
    assert len(names(alone)) == 5


# --- rented ------------------------------------------------------------------------------------------


def cloud(**burst: Any) -> Pools:
    owned = NODE | {"limits": {"maximum": 2}}
    return pools(owned=owned, cloud=CLOUD | {"burst": burst})


def test_below_its_thresholds_a_rented_pool_is_closed() -> None:
    since = {row["task"]: NOW - timedelta(hours=2) for row in waiting(5)}
    admission = ask(cloud(backlog_gpu_hours=5, oldest_waiting="3h"), "cloud", waiting(5), since=since)

    assert (admission.open, admission.limit, len(admission.candidates)) == (False, 0, 0)
    assert admission.reasons == (
        "closed: 5 GPU-hours waiting, backlog_gpu_hours is 5",
        "closed: the oldest Task has been waiting 2h, oldest_waiting is 3h",
    )


@pytest.mark.parametrize(
    ("burst", "reason"),
    [
        ({"backlog_gpu_hours": 4.5, "oldest_waiting": "9h"}, "open: 5 GPU-hours waiting, backlog_gpu_hours is 4.5"),
        (
            {"backlog_gpu_hours": 90, "oldest_waiting": "1h"},
            "open: the oldest Task has been waiting 2h, oldest_waiting is 1h",
        ),
    ],
)
def test_any_threshold_opens_it_to_what_owned_pools_cannot_take(burst: dict[str, Any], reason: str) -> None:
    since = {row["task"]: NOW - timedelta(hours=2) for row in waiting(5)}
    admission = ask(cloud(**burst), "cloud", waiting(5), since=since)

    assert admission.reasons == (reason, "2 Tasks left to owned, which has capacity for that")
    assert len(names(admission)) == 3


def test_the_backlog_counts_eligible_tasks_and_states_the_others() -> None:
    tasks = [*waiting(3), *waiting(5, start=3, gpus=2.0), *waiting(2, start=8, hours=None)]
    admission = ask(cloud(backlog_gpu_hours=4), "cloud", tasks)
    assert admission.reasons == (
        "closed: 3 GPU-hours waiting (2 Tasks of unknown duration excluded), backlog_gpu_hours is 4",
    )


def test_a_spent_budget_closes_it_and_the_rest_limits_it() -> None:
    settings = cloud(budget_per_day=10)
    spent = ask(settings, "cloud", waiting(9), views={"cloud": PoolView(committed_today=10.0)})
    left = ask(settings, "cloud", waiting(9), views={"cloud": PoolView(committed_today=5.0)})

    assert not spent.open
    assert spent.reasons == ("closed: 10.00 of budget_per_day 10 are spent or reserved today (UTC)",)
    # one costs 2.0
    assert (left.open, left.limit) == (True, 2)
    assert left.reasons[-1] == "5.00 left of today's budget: at most 2 Tasks"


def test_a_task_that_the_rest_of_the_budget_does_not_pay_for_stays() -> None:
    # two of the six are left to the owned pool
    admission = ask(cloud(budget_per_day=10), "cloud", [*waiting(3, hours=8), *waiting(3, start=3)])
    assert names(admission) == {"0003", "0004", "0005"}
    assert "1 Task would each cost more than the 10.00 left of today's budget" in admission.reasons


def test_a_task_of_unknown_duration_is_budgeted_at_the_longest_it_can_take() -> None:
    admission = ask(cloud(budget_per_day=100), "cloud", waiting(9, hours=None))
    # 24 h at 2.0 a piece
    assert admission.limit == 2


def test_a_cheaper_rented_pool_goes_before_a_dear_one_while_it_is_open() -> None:
    def dear(cheap_backlog: float) -> Admission:
        cheap = CLOUD | {"priority": 15, "limits": {"maximum": 2}, "burst": {"backlog_gpu_hours": cheap_backlog}}
        both = pools(cheap=cheap, dear=CLOUD | {"burst": {"backlog_gpu_hours": 1}})
        return ask(both, "dear", waiting(5))

    assert dear(1).left_to == {"cheap": 2}
    assert dear(99).left_to == {}


# --- shares, and whatever may come ----------------------------------------------------------------


def test_shares_are_passed_to_the_draw() -> None:
    settings = pools({"org-campaign-*": 0.25}, a=NODE)
    admission = ask(settings, "a", waiting(2), running={"a": waiting(3, start=50)})
    assert admission.candidates.select("turn_group", "turn_share", "turn_running").unique().row(0) == (
        "org-campaign-*",
        0.25,
        3,
    )


pool = st.builds(
    lambda priority, maximum, burst, hard, soft: (
        (CLOUD | {"burst": burst} if burst else NODE)
        | {"priority": priority, "limits": {"maximum": maximum, "hard": hard, "soft": soft}}
    ),
    st.integers(1, 3),
    st.integers(1, 6),
    st.none() | st.just({"backlog_gpu_hours": 3}) | st.just({"budget_per_day": 8}),
    st.none() | st.integers(4, 8),
    st.none() | st.integers(0, 4),
)


@given(
    st.lists(pool, min_size=1, max_size=3),
    st.integers(0, 12),
    st.lists(st.integers(0, 5), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_limits_hold_and_the_pool_that_goes_first_is_withheld_nothing(
    each: list[dict[str, Any]], n: int, run: list[int], heard: list[bool]
) -> None:
    config = pools(**{f"p{i}": keys for i, keys in enumerate(each)})
    running = {f"p{i}": waiting(run[i], start=100 * (i + 1)) for i in range(len(each))}
    views = {f"p{i}": PoolView(heard=heard[i]) for i in range(len(each))}
    asked = {}
    for name in config.pools:
        asked[name] = ask(config, name, waiting(n), running=running, views=views | {name: PoolView()})

    for name, admission in asked.items():
        limits = config.pools[name].limits
        assert set(admission.left_to) <= set(pools_before(config, name))
        assert len(names(admission)) <= n
        if limits.hard is not None and len(admission.candidates):
            assert admission.limit is not None
            assert admission.limit + len(running[name]) <= max(limits.hard, len(running[name]))
        first = not pools_before(config, name)
        if first and n and config.pools[name].burst is None and limits.hard is None and limits.soft is None:
            assert len(names(admission)) == n
