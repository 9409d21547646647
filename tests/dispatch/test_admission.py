from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.admission import PolicyState, admit_tasks
from alchemiscale_lake.dispatch.policy_inputs import PolicyInputs
from alchemiscale_lake.dispatch.pool_reports import PoolReport, report_pool
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.store import Lake, NetworkState, now_utc
from alchemiscale_lake.tasks.policy import Admission
from tests.campaign import Campaign
from tests.claims import end_claims

NEEDS = {"HarmonicProtocol": {"gpus": 1, "duration": "1h"}}
OWNED = {"kind": "local", "cores": 4, "gpus": 4, "priority": 1, "limits": {"maximum": 2}}
CLOUD = {"kind": "work-pool", "work_pool": "k8s", "gpus": 1, "priority": 20, "cost_per_gpu_hour": 2.0}


class Clock:
    """A simulated time of day, with jumps."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now_utc() + self.ahead


def config(**cloud: Any) -> Pools:
    return Pools.model_validate({"pools": {"owned": OWNED, "cloud": CLOUD | cloud}, "protocols": NEEDS})


@pytest.fixture
def campaign(lake: Lake) -> Campaign:
    made = Campaign(lake)
    network = made.network("n", [("a", "b"), ("b", "c")])
    made.new_tasks(network, ["a_b_other", "b_c_other"] * 3)
    return made


class Asking:
    """A pool that asks the policy, as `OpeningsObserver` does."""

    def __init__(self, lake: Lake, pools: Pools | None, pool: str, clock: Callable[[], datetime] = now_utc) -> None:
        self.lake, self.clock, self.policy = lake, clock, PolicyState(pool)
        self.inputs = None if pools is None else PolicyInputs(lake, pools)

    def refresh(self) -> None:
        if self.inputs is not None:
            self.inputs.refresh(self.clock())

    def admit(self, networks: dict[str, NetworkState] | None = None) -> Admission:
        states = self.lake.task_log.states()
        if self.inputs is not None:
            self.policy = replace(self.policy, picture=self.inputs.picture(states))
        admission, self.policy = admit_tasks(self.policy, states, networks or {}, self.clock())
        return admission

    def ask(self, networks: dict[str, NetworkState] | None = None) -> Admission:
        self.refresh()
        return self.admit(networks)


def hear(lake: Lake, name: str, at: datetime | None = None) -> None:
    report_pool(lake, name, PoolReport(at or now_utc(), f"dispatch:{name}@1@host"))


def n_tasks(admission: Admission) -> int:
    return int(admission.candidates["task"].n_unique())


def test_without_pools_everything_on_active_networks_may_be_claimed(campaign: Campaign) -> None:
    lake = campaign.lake
    other = campaign.network("m", [("x", "y")])
    campaign.new_tasks(other, ["x_y_other"])
    policy = Asking(lake, None, "local")

    assert n_tasks(policy.ask()) == 7
    for shut in (NetworkState("inactive"), NetworkState("active", 0.0)):
        assert n_tasks(policy.ask({other: shut})) == 6
        assert n_tasks(Asking(lake, config(), "owned").ask({other: shut})) == 6


def test_room_is_left_to_a_pool_only_while_it_is_heard_of(campaign: Campaign) -> None:
    lake = campaign.lake
    assert n_tasks(Asking(lake, config(), "cloud").ask()) == 6

    report_pool(lake, "owned", PoolReport(now_utc(), "p", workers=1, slots_free=4))
    left = Asking(lake, config(), "cloud").ask()
    assert (n_tasks(left), left.left_to) == (4, {"owned": 2})

    claim_tasks(lake, "owned", 2, lease_s=60, caller=Caller("p"))
    full = Asking(lake, config(), "cloud").ask()
    assert (n_tasks(full), full.left_to) == (4, {})

    hear(lake, "owned", now_utc() - timedelta(minutes=11))
    assert n_tasks(Asking(lake, config(), "cloud").ask()) == 4


def test_a_pool_that_takes_nothing_of_what_it_is_left_is_not_waited_for(campaign: Campaign) -> None:
    lake, clock = campaign.lake, Clock()
    policy = Asking(lake, config(), "cloud", clock)

    def after(minutes: float) -> dict[str, int]:
        clock.ahead = timedelta(minutes=minutes)
        report_pool(lake, "owned", PoolReport(clock(), "p", workers=1, slots_free=2))
        return dict(policy.ask().left_to)

    assert after(0) == {"owned": 2}
    assert after(9) == {"owned": 2}
    assert after(11) == {}
    assert after(12) == {}
    # it wakes up
    attempts = {claim.attempt: claim.task for claim in claim_tasks(lake, "owned", 1, lease_s=60, caller=Caller("p"))}
    assert after(13) == {"owned": 1}
    end_claims(lake, attempts, caller=Caller("p"), reason="stopped")
    assert after(22) == {"owned": 2}


def test_the_age_of_what_waits_opens_a_rented_pool(campaign: Campaign) -> None:
    lake, clock = campaign.lake, Clock()
    policy = Asking(lake, config(burst={"oldest_waiting": "2h"}), "cloud", clock)

    assert not policy.ask().open
    clock.ahead = timedelta(hours=3)
    opened = policy.ask()
    assert opened.open
    assert opened.reasons[0] == "open: the oldest Task has been waiting 3h, oldest_waiting is 2h"


def test_the_budget_counts_what_ended_what_runs_and_what_ended_since_the_last_look(campaign: Campaign) -> None:
    lake, clock = campaign.lake, Clock()
    pools = config(burst={"budget_per_day": 8})
    policy = Asking(lake, pools, "cloud", clock)
    # each is predicted to cost 2.0
    assert policy.ask().limit == 4

    claims = claim_tasks(lake, "cloud", 3, lease_s=60, caller=Caller("p"))
    assert policy.ask().limit == 1
    clock.ahead = timedelta(seconds=16)
    assert policy.ask().limit == 1

    # one ends, at 0.5 GPU-hours; until the next read its predicted cost counts
    end_claims(lake, {claims[0].attempt: claims[0].task}, caller=Caller("p"), reason="the pod was evicted")
    began = now_utc().replace(hour=0, minute=0, second=0)
    times = {"started_at": began, "ended_at": began + timedelta(hours=1), "wall_time_s": 3600.0}
    campaign.n_attempts = 40
    campaign.result(claims[0].task, 1.0, 0.1, pool="cloud", end_task=False, gpu_time_s=1800.0, **times)
    assert policy.ask().limit == 1
    clock.ahead = timedelta(seconds=47)
    after = policy.ask()
    # 1.0 is spent; the expected duration is now 1.25 hours instead of one, from its own result
    assert after.limit == 1
    assert after.open


def test_transformations_that_came_since_are_looked_up(campaign: Campaign) -> None:
    lake = campaign.lake
    policy = Asking(lake, config(), "owned")
    assert n_tasks(policy.ask()) == 6

    network = campaign.network("m", [("x", "y")])
    campaign.new_tasks(network, ["x_y_other"])
    assert n_tasks(policy.admit()) == 7


def test_admitting_reads_nothing_between_looks(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Asking(campaign.lake, config(burst={"oldest_waiting": "1s", "budget_per_day": 5}), "cloud")
    policy.refresh()
    states = campaign.lake.task_log.states()

    def refuse(*_: object) -> None:
        raise AssertionError("the lake was read")

    monkeypatch.setattr(Lake, "table", refuse)
    policy.refresh()
    assert policy.inputs is not None
    state = replace(policy.policy, picture=policy.inputs.picture(states))
    admit_tasks(state, states, {}, now_utc())


def test_the_same_state_decides_the_same(campaign: Campaign) -> None:
    lake, clock = campaign.lake, Clock()
    report_pool(lake, "owned", PoolReport(now_utc(), "p", workers=1, slots_free=4))
    policy = Asking(lake, config(), "cloud", clock)
    policy.ask()
    states, before = lake.task_log.states(), policy.policy
    later = now_utc() + timedelta(minutes=9)

    first, after = admit_tasks(before, states, {}, later)
    again, after_again = admit_tasks(before, states, {}, later)

    assert first.candidates.equals(again.candidates)
    assert (first.left_to, first.limit, first.reasons) == (again.left_to, again.limit, again.reasons)
    assert before.offers.since.keys() == after.offers.since.keys() == {"owned"}
    assert after.offers == after_again.offers
