from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.costs.forecast import Forecast
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.openings import OpeningsObserver
from alchemiscale_lake.dispatch.picture import InFlight
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore.claims import Selection, claim_tasks
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.runnable import Runnable
from alchemiscale_lake.store import Lake, now_utc
from tests.campaign import Campaign
from tests.engine import Engine, Flight

ADA = Caller("ada")
OWNED = {"kind": "local", "cores": 4, "limits": {"maximum": 2}}
SETTINGS = DispatchSettings(pool="owned", capacity=Resources(2), maximum_workers=10)


def pools(**limits: int) -> Pools:
    return Pools.model_validate({"pools": {"owned": OWNED | {"limits": {"maximum": 2, **limits}}}})


def observer(
    lake: Lake, engine: Engine, given: Pools | None = None, settings: DispatchSettings = SETTINGS
) -> OpeningsObserver:
    made = OpeningsObserver(lake, engine, settings, given, Forecast(lake, given), np.random.default_rng(0))
    made.refresh()
    return made


@pytest.fixture
def campaign(lake: Lake) -> Campaign:
    made = Campaign(lake)
    network = made.network("n", [("a", "b"), ("b", "c")])
    made.new_tasks(network, ["a_b_other", "b_c_other"] * 3)
    return made


def in_flight(lake: Lake, count: int, place: str = "host") -> dict[str, InFlight]:
    handle: Any = Flight.__new__(Flight)
    claims = claim_tasks(lake, "owned", count, lease_s=60, caller=ADA)
    return {claim.attempt: InFlight(claim, handle, place, 0.0) for claim in claims}


def test_a_pool_that_is_not_in_the_file_is_refused(lake: Lake) -> None:
    settings = replace(SETTINGS, pool="ownde")

    with pytest.raises(SettingsError, match="the pools file has no pool 'ownde'; did you mean 'owned'"):
        observer(lake, Engine(lake), pools(), settings)


def test_the_selection_and_the_policy_both_apply(campaign: Campaign) -> None:
    lake = campaign.lake
    other = campaign.network("m", [("x", "y")], scope="org-campaign-other")
    campaign.new_tasks(other, ["x_y_other"], scope="org-campaign-other")
    only = replace(SETTINGS, selection=Selection(networks=(other,)))
    states = lake.task_log.states()

    assert observer(lake, Engine(lake)).admission(states).candidates.height == 7
    assert observer(lake, Engine(lake), pools(hard=3)).admission(states).limit == 3
    assert observer(lake, Engine(lake), settings=only).admission(states).candidates["network"].to_list() == [other]


def test_what_may_be_claimed_changes_with_the_states_and_networks_at_the_next_refresh(campaign: Campaign) -> None:
    lake = campaign.lake
    seen = observer(lake, Engine(lake))
    states = lake.task_log.states()
    assert seen.claimable(states)

    set_network_state(lake, [f"AlchemicalNetwork-n-{campaign.scope}"], "inactive", caller=ADA)
    assert seen.claimable(states)
    seen.refresh()
    assert not seen.claimable(states)


def test_tasks_that_wait_for_a_limit_count_as_claimable_but_only_those_of_the_selection(campaign: Campaign) -> None:
    """A dispatcher that drains the lake does not end while Tasks wait for its limit."""
    lake = campaign.lake
    rented = {"kind": "work-pool", "work_pool": "k8s", "priority": 20, "burst": {"oldest_waiting": "9h"}}
    given = Pools.model_validate({"pools": {"owned": OWNED, "cloud": rented}})
    cloud = replace(SETTINGS, pool="cloud")
    states = lake.task_log.states()

    shut = observer(lake, Engine(lake), given, cloud)
    assert shut.admission(states).candidates.is_empty()
    assert shut.claimable(states)

    elsewhere = replace(cloud, selection=Selection(scopes=(Scope.from_str("another-*-*"),)))
    assert not observer(lake, Engine(lake), given, elsewhere).claimable(states)


def test_tasks_whose_protocol_is_missing_here_are_not_admitted(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = campaign.lake
    missing = campaign.transformation("a_b_other")
    monkeypatch.setattr(Runnable, "refresh", lambda _: None)
    monkeypatch.setattr(Runnable, "only", lambda _, tasks: tasks.filter(tasks["transformation"] != missing))
    states = lake.task_log.states()

    here = observer(lake, Engine(lake), settings=replace(SETTINGS, runs_here=True))
    assert set(here.admission(states).candidates["transformation"]) == {campaign.transformation("b_c_other")}
    assert observer(lake, Engine(lake)).admission(states).candidates["transformation"].n_unique() == 2


@pytest.mark.parametrize(
    ("maximum", "limits", "wanted"), [(10, {}, 3), (2, {}, 2), (10, {"hard": 3}, 2)], ids=["all", "maximum", "limit"]
)
def test_the_engine_is_asked_for_as_many_workers_as_there_is_work(
    campaign: Campaign, maximum: int, limits: dict[str, int], wanted: int
) -> None:
    """Six Tasks of one core, on workers of two cores."""
    engine = Engine(campaign.lake)
    settings = replace(SETTINGS, maximum_workers=maximum)

    observer(campaign.lake, engine, pools(**limits), settings).look(campaign.lake.task_log.states(), {})

    assert engine.wanted == [wanted]


def test_workers_in_use_are_kept(campaign: Campaign) -> None:
    lake, engine = campaign.lake, Engine(campaign.lake)
    taken = in_flight(lake, 6)

    observer(lake, engine).look(lake.task_log.states(), taken)

    assert engine.wanted == [1]


def test_closed_quarantined_and_suspected_hosts(campaign: Campaign) -> None:
    lake = campaign.lake
    engine = Engine(lake, hosts=("good", "hot", "broken", "new", "tried"))
    taken = in_flight(lake, 1, "tried")

    openings = observer(lake, engine).look(
        lake.task_log.states(),
        taken,
        cooling=frozenset({"hot"}),
        quarantined=["broken"],
        on_probation=["new", "tried"],
        ahead=7,
    )

    # one on probation gets one Task, and no second one
    assert {place.name: place.slots for place in openings.places} == {"good": 64, "new": 1}
    assert (openings.at_places, openings.cooling, openings.ahead) == ({"tried": 1}, {"hot"}, 7)


def test_openings_have_what_the_allocation_needs(campaign: Campaign) -> None:
    lake = campaign.lake
    first, *_ = campaign.tasks
    campaign.result(first, ok=False, hostname="bad-node", recorded_at=now_utc(), ended_at=now_utc())

    openings = observer(lake, Engine(lake, whole_jobs=True)).look(lake.task_log.states(), {})

    assert set(openings.needs["transformation"]) == {campaign.transformation(k) for k in ("a_b_other", "b_c_other")}
    assert openings.failed_hosts == {first: {"bad-node"}}
    assert openings.whole_jobs
    assert openings.settings is SETTINGS


def test_draws_differ_between_looks_and_repeat_with_the_generator(campaign: Campaign) -> None:
    def seeds() -> Sequence[int]:
        seen = observer(campaign.lake, Engine(campaign.lake))
        return [seen.look(campaign.lake.task_log.states(), {}).seed for _ in range(3)]

    first = seeds()
    assert len(set(first)) == 3
    assert seeds() == first


def test_free_slots_are_those_of_the_usual_task(campaign: Campaign) -> None:
    lake, engine = campaign.lake, Engine(campaign.lake, slots=3, hosts=("a", "b"))
    seen = observer(lake, engine)
    assert seen.slots_free() == 0

    seen.look(lake.task_log.states(), {})
    assert seen.slots_free() == 6

    wide = observer(lake, engine, settings=replace(SETTINGS, resources=Resources(2)))
    wide.look(lake.task_log.states(), {})
    assert wide.slots_free() == 2
