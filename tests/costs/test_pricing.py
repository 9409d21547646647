"""Costs of networks: only remaining work, by pool, with intervals that include shared errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alchemiscale_lake.costs.cost_models import train_cost_model
from alchemiscale_lake.costs.pricing import Price, price
from alchemiscale_lake.costs.remaining_work import remaining_of_file, remaining_of_network
from alchemiscale_lake.errors import NotFoundError, SettingsError
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.report.cost import price_lines
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import Event, TaskState
from tests.campaign import SCOPE, Campaign, hours
from tests.cost_lake import law_gpu_hours, openfe_lake, result, stored, tasks
from tests.networks.chains import small_chain, text
from tests.real_data import real_file

POOLS = Pools.model_validate(
    {
        "pools": {
            "cluster": {
                **{"kind": "slurm", "cores": 8, "memory": "32GiB", "gpus": 1, "walltime": "48h"},
                **{"work_root": "/w", "limits": {"maximum": 2}, "cost_per_gpu_hour": 0.5},
            },
            "cloud": {
                "kind": "work-pool",
                "work_pool": "k",
                "gpus": 1,
                "limits": {"maximum": 6},
                "cost_per_gpu_hour": 2,
            },
        }
    }
)


@pytest.fixture
def legs(lake: Lake) -> list[dict[str, Any]]:
    """Return a lake with a trained model; the last edge of each target has no result."""
    rows = openfe_lake(lake)
    train_cost_model(lake)
    return rows


def priced(lake: Lake, network: str, pools: Pools | None = None, **options: Any) -> Price:
    now = options.pop("now", now_utc())
    left = remaining_of_network(
        lake, network, tasks_per_transformation=options.pop("tasks_per_transformation", None), now=now
    )
    return price(lake, left, pools, now=now, **options)


def test_a_network_is_priced_net_of_what_is_there(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)

    none = priced(lake, network)
    one = priced(lake, network, tasks_per_transformation=1)
    three = priced(lake, network, tasks_per_transformation=3)

    # three edges of the first target have a result, its last has none
    assert [t.n_results for t in one.transformations] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert [t.n_new for t in one.transformations] == [0] * 6 + [1, 1]
    assert (none.gpu_hours.median, none.gpu_hours.high) == (0.0, 0.0)
    truth = sum(law_gpu_hours(row, "NVIDIA L40S") for row in legs[6:8])
    assert one.gpu_hours.median == pytest.approx(truth, rel=0.1)
    assert one.gpu_hours.low < truth < one.gpu_hours.high
    assert [t.n_new for t in three.transformations] == [2] * 6 + [3, 3]
    truth = sum(n * law_gpu_hours(row, "NVIDIA L40S") for row, n in zip(legs, [2] * 6 + [3] * 2, strict=False))
    assert three.gpu_hours.low < truth < three.gpu_hours.high
    assert {t.basis for t in three.transformations[:6]} == {"own results"}
    assert {t.basis for t in three.transformations[6:]} == {"trained model"}
    own, modelled = three.transformations[0].total, three.transformations[-1].total
    assert own.high / own.low < 1.3 > modelled.high / modelled.low


def test_tasks_that_wait_and_run_are_what_is_left_of_a_network(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    campaign = Campaign(lake)
    _, running, idle = tasks(campaign, network, [legs[6], legs[6], legs[7]])
    campaign.commit([Event("cancelled", campaign.tasks[idle], network=network)])
    campaign.set_status(running, "running")

    found = priced(lake, network, now=now_utc() + timedelta(hours=1))

    last = {t.name: t for t in found.transformations}
    counts = last[legs[6]["name"]]
    assert (counts.n_running, counts.n_waiting, counts.n_idle) == (1, 1, 0)
    assert last[legs[7]["name"]].n_idle == 1
    assert last[legs[7]["name"]].total.high == 0.0
    truth = law_gpu_hours(legs[6], "NVIDIA L40S")
    # one just started, and one that has run for an hour
    assert counts.total.median == pytest.approx(2 * truth - 1.0, rel=0.15)
    assert found.gpu_hours.median == pytest.approx(counts.total.median)
    more = priced(lake, network, tasks_per_transformation=4)
    assert {t.n_results + t.n_running + t.n_waiting + t.n_idle + t.n_new for t in more.transformations} == {4}


def test_a_task_that_runs_longer_than_thought_is_not_done_yet(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    campaign = Campaign(lake)
    (task,) = tasks(campaign, network, [legs[6]])
    campaign.set_status(task, "running")
    found = priced(lake, network, now=now_utc() + timedelta(hours=100))
    assert 0.0 < found.gpu_hours.median < 100.0


def test_struck_results_do_not_count(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    state = TaskState(SCOPE, f"Task-00001-{SCOPE}", legs[0]["transformation"], None, "invalid")
    assert priced(lake, network).transformations[0].n_results == 1
    Campaign(lake).commit([Event("status", state)])
    assert priced(lake, network).transformations[0].n_results == 0


def test_pools_have_wall_times_and_money(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    found = {p.pool: p for p in priced(lake, network, POOLS, tasks_per_transformation=1).pools}

    assert list(found) == ["cluster", "cloud", "all together"]
    complex_h, solvent_h = (law_gpu_hours(row, "NVIDIA L40S") for row in legs[6:8])
    # there is no data for the cloud: same as elsewhere
    assert (found["cluster"].gpu_model, found["cloud"].gpu_model) == ("NVIDIA L40S", "NVIDIA L40S")
    for name, per_hour in (("cluster", 0.5), ("cloud", 2.0)):
        one = found[name]
        assert one.wall_h is not None
        assert one.wall_h.median == pytest.approx(max(complex_h, solvent_h), rel=0.1)
        assert one.cost.median == pytest.approx(per_hour * one.gpu_hours.median)
        assert one.n_tasks == 2
        done = one.done_at(hours(0))
        assert done is not None
        assert done[1] < done[0] < done[2]
    both = found["all together"]
    assert both.slots == 8
    assert both.cost.low >= 0.5 * both.gpu_hours.low

    many = {p.pool: p for p in priced(lake, network, POOLS, tasks_per_transformation=9).pools}
    walls = [p.wall_h.median for p in many.values() if p.wall_h is not None]
    assert walls[2] < walls[1] < walls[0]


def test_only_one_pool_if_asked_for(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    assert [p.pool for p in priced(lake, network, POOLS, tasks_per_transformation=1, pool="cloud").pools] == ["cloud"]
    with pytest.raises(SettingsError, match="the pools file has no pool 'clod'; did you mean 'cloud'"):
        priced(lake, network, POOLS, pool="clod")
    with pytest.raises(SettingsError, match="give a pools file"):
        priced(lake, network, None, pool="cloud")


def test_a_pool_states_which_tasks_it_does_not_take(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    cluster = POOLS.pools["cluster"].model_copy(update={"walltime_s": 5 * 3600.0})
    pools = POOLS.model_copy(update={"pools": POOLS.pools | {"cluster": cluster}})

    found = {p.pool: p for p in priced(lake, network, pools, tasks_per_transformation=2).pools}

    assert found["cluster"].wall_h is None
    (reason,) = found["cluster"].refused
    assert reason.startswith("it is expected to take longer than a worker's walltime")
    assert found["all together"].wall_h is not None
    assert found["all together"].refused == {}
    nobody = Pools.model_validate({"pools": {"small": {"kind": "local"}}})
    assert priced(lake, network, nobody, tasks_per_transformation=2).pools[0].n_tasks == 0


def test_running_tasks_are_counted_where_they_run(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    campaign = Campaign(lake)
    (task,) = tasks(campaign, network, [legs[6]])
    campaign.set_status(task, "running")  # in a pool that is not in the file

    found = {p.pool: p for p in priced(lake, network, POOLS).pools}

    assert (found["cluster"].n_tasks, found["cluster"].gpu_hours.median) == (0, 0.0)
    assert found["all together"].wall_h is not None
    assert found["all together"].wall_h.median == pytest.approx(law_gpu_hours(legs[6], "NVIDIA L40S"), rel=0.15)


def test_another_gpu_model_widens_the_interval_and_is_reported(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    here = priced(lake, network, tasks_per_transformation=2)
    there = priced(lake, network, tasks_per_transformation=2, gpu="Tesla T4")

    assert there.gpu_hours.median > 1.5 * here.gpu_hours.median
    assert there.gpu_hours.high / there.gpu_hours.low > here.gpu_hours.high / here.gpu_hours.low
    assert "no results of GPU model T4 in the training data" in there.transformations[-1].extrapolates
    assert here.transformations[-1].extrapolates == ""


def test_an_unknown_gpu_model_is_reported_with_the_remedy(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)

    said = {
        gpu: "\n".join(price_lines(priced(lake, network, tasks_per_transformation=3, gpu=gpu)))
        for gpu in ("NVIDIA L40S", "0.5 x NVIDIA L40S")
    }

    with pytest.raises(SettingsError, match=r"the speed of GPU model 'NVIDIA X1000' is unknown.*as a multiple of"):
        priced(lake, network, tasks_per_transformation=3, gpu="NVIDIA X1000")
    assert "unknown" not in said["NVIDIA L40S"] + said["0.5 x NVIDIA L40S"]


def test_half_a_gpu_takes_twice_as_long(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)

    whole, half = (
        priced(lake, network, tasks_per_transformation=3, gpu=gpu).gpu_hours.median for gpu in ("L40S", "0.5 x L40S")
    )

    assert 1.4 < half / whole < 2.1


def test_the_gpu_model_of_an_empty_lake_is_unknown(lake: Lake) -> None:
    network = read_network(real_file("jacs_network.json.zst"))
    left = remaining_of_file(lake, network, SCOPE, tasks_per_transformation=1, now=now_utc())

    said = "\n".join(price_lines(price(lake, left, None, now=now_utc())))

    assert "the GPU model is unknown: priced as an L40S" in said
    assert "name it, or give its speed as a multiple" in said


def test_what_is_shared_does_not_average_away(lake: Lake) -> None:
    network = read_network(real_file("jacs_network.json.zst"))
    left = remaining_of_file(lake, network, SCOPE, tasks_per_transformation=1, now=now_utc())

    found = price(lake, left, None, now=now_utc())

    assert {t.basis for t in found.transformations} == {"physical prior"}
    assert all(t.extrapolates == "" for t in found.transformations)
    # with independent errors, 566 of them would average out to a few per cent
    assert found.gpu_hours.high / found.gpu_hours.low > 4.0
    # about 4 hours for a complex and 2 for a solvent leg on a good GPU
    assert 283 * 2.0 < found.gpu_hours.median < 283 * 20.0


def test_the_same_is_said_twice(lake: Lake, legs: list[dict[str, Any]]) -> None:
    network = stored(lake, legs, 8)
    now = now_utc()
    one, other = (priced(lake, network, POOLS, tasks_per_transformation=3, now=now) for _ in range(2))
    assert one.gpu_hours == other.gpu_hours
    assert one.pools == other.pools


def test_a_file_is_priced_net_of_its_scope_and_nothing_is_written(lake: Lake) -> None:
    network = read_network(text(small_chain()).encode())
    before = {name: lake.table(name).snapshot().version() for name in ("transformations", "networks", "tasks")}
    left = remaining_of_file(lake, network, SCOPE, tasks_per_transformation=2, now=now_utc())
    assert left.rows["n_new"].to_list() == [2]

    key = left.rows["transformation"].item()
    lake.table("transformations").append_new(left.rows.select(lake.table("transformations").schema.names))
    done = {"scope": SCOPE, "transformation": key, **dict.fromkeys(("simulated_ns", "n_windows", "n_atoms_b"), 1)}
    lake.table("results").append_new([result(done, 1)])
    campaign = Campaign(lake)
    state = TaskState(SCOPE, f"Task-0009-{SCOPE}", key, None)
    campaign.commit([Event("created", state), Event("actioned", state, network="other", weight=0.5)])

    left = remaining_of_file(lake, network, SCOPE, tasks_per_transformation=3, now=now_utc())
    assert left.rows.select("n_results", "n_waiting", "n_new").row(0) == (1, 1, 1)
    other = remaining_of_file(lake, network, "org-campaign-other", tasks_per_transformation=3, now=now_utc())
    assert other.rows.select("n_results", "n_waiting", "n_new").row(0) == (0, 0, 3)
    assert price(lake, left, None, now=now_utc()).transformations[0].basis == "own results"
    assert before["networks"] == lake.table("networks").snapshot().version()


def test_a_network_that_is_not_there(lake: Lake) -> None:
    with pytest.raises(NotFoundError):
        priced(lake, f"AlchemicalNetwork-x-{SCOPE}")


def test_results_are_used_before_any_training(lake: Lake) -> None:
    rows = openfe_lake(lake)
    found = priced(lake, stored(lake, rows, 8), tasks_per_transformation=1)
    assert found.transformations[-1].basis == "trained model"
    assert found.known.name is None
    truth = sum(law_gpu_hours(row, "NVIDIA L40S") for row in rows[6:8])
    assert found.gpu_hours.median == pytest.approx(truth, rel=0.1)
    assert len(lake.table("cost_models").scan().collect()) == 0
