"""Creation of Tasks: all or none, and as many as a network needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidKeyError, InvalidTransitionError, NotFoundError, SettingsError
from alchemiscale_lake.statestore.new_tasks import create_tasks, ensure_tasks
from alchemiscale_lake.statestore.task_operations import cancel_tasks, set_tasks_status
from tests.campaign import SCOPE, Campaign

ANA = Caller("ana")
AB, BC = (f"Transformation-{pair}_other-{SCOPE}" for pair in ("a_b", "b_c"))


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


@pytest.fixture
def network(campaign: Campaign) -> str:
    return campaign.network("one", [("a", "b"), ("b", "c")])


def test_tasks_in_the_order_of_their_transformations(campaign: Campaign, network: str) -> None:
    (first,) = create_tasks(campaign.lake, [AB], caller=ANA)
    made = create_tasks(campaign.lake, [BC, AB, AB], extends=[None, first, None], caller=ANA, priority=2)

    states = campaign.lake.task_log.states()
    assert [(s.transformation, s.extends, s.priority) for s in map(states.of(made).__getitem__, made)] == [
        (BC, None, 2),
        (AB, first, 2),
        (AB, None, 2),
    ]
    assert states.networks_of(made) == {task: {} for task in made}, "creating does not action"


def test_nothing_is_created_if_one_cannot_be(campaign: Campaign, network: str) -> None:
    lake = campaign.lake
    (deleted,) = create_tasks(lake, [AB], caller=ANA)
    set_tasks_status(lake, [deleted], "deleted", caller=ANA)
    seq = lake.task_log.states().seq

    with pytest.raises(InvalidKeyError, match="2 Transformations but 1 Task to extend"):
        create_tasks(lake, [AB, BC], extends=[None], caller=ANA)
    with pytest.raises(NotFoundError, match="1 Transformation is not in the lake"):
        create_tasks(lake, [AB, f"Transformation-no-{SCOPE}"], caller=ANA)
    with pytest.raises(InvalidTransitionError, match="1 of 2 Tasks cannot be created"):
        create_tasks(lake, [AB, AB], extends=[None, deleted], caller=ANA)

    assert lake.task_log.states().seq == seq
    assert lake.table("tasks").scan().collect()["task"].to_list() == [deleted]


def test_a_network_gets_as_many_as_it_lacks(campaign: Campaign, network: str) -> None:
    lake = campaign.lake
    spare, cancelled, deleted = create_tasks(lake, [AB, BC, BC], caller=ANA)
    ensure_tasks(lake, network, 0, caller=ANA, weight=0.25)
    cancel_tasks(lake, [cancelled], network, caller=ANA)
    set_tasks_status(lake, [deleted], "deleted", caller=ANA)

    made = ensure_tasks(lake, network, 2, caller=ANA, priority=1)

    states = lake.task_log.states()
    assert sorted(state.transformation for state in states.of(made).values()) == [AB, BC]
    assert states.networks_of([spare, cancelled, *made]) == {
        spare: {network: 0.25},
        cancelled: {},
        **{task: {network: 0.5} for task in made},
    }
    assert ensure_tasks(lake, network, 2, caller=ANA) == []
    assert lake.task_log.states().seq == states.seq


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_an_impossible_weight_creates_nothing(campaign: Campaign, network: str, weight: float) -> None:
    """Tasks that no network asks for would wait for ever."""
    with pytest.raises(SettingsError, match="a weight must be between 0 and 1"):
        ensure_tasks(campaign.lake, network, 1, caller=ANA, weight=weight)
    assert campaign.lake.table("tasks").scan().collect().is_empty()
