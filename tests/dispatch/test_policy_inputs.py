"""What the policy of a pool is given: candidates on active networks, pools that are heard, what is spent today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.costs.pool_spending import PoolUsage
from alchemiscale_lake.dispatch import policy_inputs
from alchemiscale_lake.dispatch.policy_inputs import PolicyInputs, PolicyPicture
from alchemiscale_lake.dispatch.pool_reports import HEARD_WITHIN, PoolReport
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.store import NetworkState
from alchemiscale_lake.tasks.fitness import NEEDS_SCHEMA, fitness, hours_in
from alchemiscale_lake.tasks.policy import PoolView
from tests.attempts import NETWORK, running, states
from tests.plain import SCOPE

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
CLOUD = {"kind": "work-pool", "work_pool": "k8s", "gpus": 1, "cost_per_gpu_hour": 2.0}
BUDGET = {"burst": {"budget_per_day": 100.0}}
HOUR = 3600.0


def pools(**more: Any) -> Pools:
    return Pools.model_validate({"pools": {"p": CLOUD | more}})


def needs(*numbers: int) -> pl.DataFrame:
    rows = [(f"Transformation-{n}-{SCOPE}", SCOPE, "SomeProtocol", 1, None, 1.0, HOUR) for n in numbers]
    return pl.DataFrame(rows, schema=NEEDS_SCHEMA, orient="row")


def picture(settings: Pools, *numbers: int, used: dict[str, float] | None = None, **more: Any) -> PolicyPicture:
    """Return a picture that knows some Transformations, in which nothing runs."""
    hours = {"attempt": list(used or {}), "pool": ["p"] * len(used or {}), "hours": list((used or {}).values())}
    schema = {"attempt": pl.String, "pool": pl.String, "hours": pl.Float64}
    empty = PolicyPicture(
        pools=settings,
        at=NOW,
        fit=fitness(settings, needs(*numbers)),
        forecasts=needs(*numbers),
        reports={},
        usage={},
        used=pl.DataFrame(hours, schema=schema),
        running=pl.DataFrame(),
        waiting_since=None,
    )
    return replace(empty, **{"running": empty.running_in(states()), **more})


# --- candidates -------------------------------------------------------------------------------------


def test_candidates_are_claimable_on_active_networks_and_known() -> None:
    seen = picture(pools(), 1)
    waiting = states(*(replace(running(n), status="waiting", attempt=None, pool=None) for n in (1, 2)))

    assert seen.candidates(waiting, {})["task"].to_list() == [running(1).task]
    assert seen.candidates(waiting, {NETWORK: NetworkState("inactive")}).is_empty()
    assert seen.candidates(waiting, {NETWORK: NetworkState("active", 0.0)}).is_empty()
    assert seen.candidates(states(running(1)), {}).is_empty(), "it runs"


def test_running_tasks_count_even_if_their_needs_are_unknown() -> None:
    seen = picture(pools(), 1).running_in(states(running(1), running(2)))

    assert seen["attempt"].to_list() == ["a1", "a2"]
    assert seen[hours_in("p")].is_null().to_list() == [False, True]


# --- pools ------------------------------------------------------------------------------------------


REPORT = PoolReport(NOW, "dispatch:p@1@host", workers=3, slots_free=2, jobs_pending=5, oldest_pending_s=1e6)


@pytest.mark.parametrize("off", [timedelta(), -HEARD_WITHIN, HEARD_WITHIN])
def test_a_recent_report_is_believed(off: timedelta) -> None:
    seen = picture(pools(), reports={"p": replace(REPORT, at=NOW + off)})

    view = seen.situation(seen.running, NOW).views["p"]
    assert view == PoolView(heard=True, workers=3, slots_free=2, stalled_jobs=5)


def test_an_old_report_says_nothing_but_the_dispatcher_itself_is_heard() -> None:
    seen = picture(pools(), reports={"p": replace(REPORT, at=NOW - HEARD_WITHIN - timedelta(seconds=1))})

    assert seen.situation(seen.running, NOW).views["p"] == PoolView(heard=False)
    assert seen.situation(seen.running, NOW, heard=["p"]).views["p"] == PoolView(heard=True)
    nothing = picture(pools())
    assert nothing.situation(nothing.running, NOW).views["p"] == PoolView(heard=False)


# --- spending ---------------------------------------------------------------------------------------


def committed(seen: PolicyPicture, *numbers: int) -> float:
    return seen.situation(seen.running_in(states(*(running(n) for n in numbers))), NOW).views["p"].committed_today


def test_a_running_task_costs_what_was_predicted_or_what_it_has_used_already() -> None:
    settings = pools(**BUDGET)
    ended = {"p": PoolUsage(ended_gpu_hours=10.0, cost_per_gpu_hour=2.0)}

    # one hour at 2.0 each, except for the one that has run for four
    assert committed(picture(settings, 1, 2, usage=ended), 1, 2) == 20.0 + 2.0 + 2.0
    assert committed(picture(settings, 1, 2, usage=ended, used={"a2": 4.0}), 1, 2) == 20.0 + 2.0 + 8.0
    assert committed(picture(settings, 1, 2, usage=ended, used={"a2": 0.5}), 1, 2) == 20.0 + 2.0 + 2.0
    assert committed(picture(settings, usage=ended)) == 20.0


def test_what_ended_since_the_last_read_is_not_free_and_counts_once() -> None:
    settings = pools(**BUDGET)
    seen = picture(settings, 1, 2, usage={"p": PoolUsage()})
    seen = replace(seen, running=seen.running_in(states(running(1), running(2))))

    assert committed(seen, 2) == 4.0


def test_other_pools_and_pools_without_a_budget_cost_nothing() -> None:
    assert committed(picture(pools(), 1), 1) == 0.0
    seen = picture(pools(**BUDGET), 1, usage={"p": PoolUsage()})
    elsewhere = seen.running_in(states(replace(running(1), pool="other")))
    assert seen.situation(elsewhere, NOW).views["p"].committed_today == 0.0


# --- reading ----------------------------------------------------------------------------------------


class Reader:
    """A `PolicyInputs` whose reads are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Pools) -> None:
        self.reads: list[str] = []
        self.states = states()
        lake: Any = SimpleNamespace(task_log=SimpleNamespace(states=lambda: self.states))
        times = SimpleNamespace(refresh=lambda forget_before: self.reads.append("times"), waiting_since=pl.DataFrame())
        monkeypatch.setattr(policy_inputs, "TaskTimes", lambda lake: times)
        monkeypatch.setattr(policy_inputs, "pool_reports", lambda lake: self.reads.append("reports") or {})
        monkeypatch.setattr(policy_inputs, "usage_today", self._usage)
        forecast: Any = SimpleNamespace(frame=lambda new=None: needs(*((1,) if new is None else (1, 2))))
        self.inputs = PolicyInputs(lake, settings, forecast)

    def _usage(self, *_: object) -> tuple[dict[str, PoolUsage], pl.DataFrame]:
        self.reads.append("usage")
        return {}, pl.DataFrame(schema={"attempt": pl.String, "pool": pl.String, "hours": pl.Float64})

    def refresh(self, *seconds: float, **what: bool) -> list[str]:
        self.reads.clear()
        for s in seconds:
            self.inputs.refresh(NOW + timedelta(seconds=s), **what)
        return list(self.reads)


def test_storage_is_read_every_quarter_of_a_minute_and_if_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Reader(monkeypatch, pools())

    assert reader.refresh(0.0, 14.9) == ["reports"]
    assert reader.refresh(15.0, 29.9) == ["reports"]
    assert reader.refresh(14.0) == ["reports"]


@pytest.mark.parametrize(
    ("burst", "usage", "reads", "knows_ages"),
    [
        (None, False, ["reports"], False),
        (None, True, ["times", "usage", "reports"], False),
        ({"budget_per_day": 5.0}, False, ["times", "usage", "reports"], False),
        ({"oldest_waiting": "1 h"}, False, ["times", "reports"], True),
    ],
)
def test_only_what_a_threshold_needs_is_read(
    monkeypatch: pytest.MonkeyPatch, burst: dict[str, Any] | None, usage: bool, reads: list[str], knows_ages: bool
) -> None:
    reader = Reader(monkeypatch, pools(**({} if burst is None else {"burst": burst})))

    assert reader.refresh(0.0, usage=usage) == reads
    assert (reader.inputs.picture(states()).waiting_since is not None) == knows_ages


def test_new_transformations_are_looked_up_between_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, pools())
    with pytest.raises(RuntimeError, match="call refresh"):
        reader.inputs.picture(states())
    reader.refresh(0.0)
    waiting = states(replace(running(2), status="waiting", attempt=None, pool=None))

    assert reader.inputs.picture(states(running(2))).fit.height == 1, "only what waits is a candidate"
    assert reader.inputs.picture(waiting).fit.height == 2
    assert reader.inputs.picture(states()).fit.height == 2, "and is known from then on"
