"""Tasks of Strategy rounds: asked again, nothing is created twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.round_tasks import ensure_round_tasks, round_task_keys
from alchemiscale_lake.statestore.task_operations import cancel_tasks, set_tasks_status
from tests.campaign import SCOPE, Campaign

ANA = Caller("ana")
AB, BC = (f"Transformation-{pair}_other-{SCOPE}" for pair in ("a_b", "b_c"))


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def test_keys_follow_from_network_round_transformation_and_number() -> None:
    network = f"AlchemicalNetwork-1-{SCOPE}"
    keys = round_task_keys(network, 1, {AB: 2, BC: 1})

    assert sorted(keys.values()) == [AB, AB, BC]
    assert all(key.endswith(f"-{SCOPE}") for key in keys)
    assert keys == round_task_keys(network, 1, {BC: 1, AB: 2})
    assert keys.items() < round_task_keys(network, 1, {AB: 3, BC: 1}).items(), "a larger round has the same and more"
    for other in (round_task_keys(network, 2, {AB: 2, BC: 1}), round_task_keys(f"x-2-{SCOPE}", 1, {AB: 2, BC: 1})):
        assert not keys.keys() & other.keys()
    assert round_task_keys(network, 1, {AB: 0}) == {}


def test_tasks_are_created_and_actioned_once_whatever_users_did_with_them(campaign: Campaign) -> None:
    network, lake = campaign.network("one", [("a", "b"), ("b", "c")]), campaign.lake
    asked = {AB: 2, BC: 1}
    assert ensure_round_tasks(lake, network, 1, asked, caller=ANA, priority=3) == 3
    states = lake.task_log.states()
    tasks = list(round_task_keys(network, 1, asked))
    assert states.networks_of(tasks) == {task: {network: 0.5} for task in tasks}
    assert {(state.priority, state.status) for state in states.of(tasks).values()} == {(3, "waiting")}
    assert states.seq == 1, "one commit"
    rows = lake.table("tasks").scan().collect()
    assert (sorted(rows["task"]), set(rows["creator"])) == (sorted(tasks), {"ana"})

    set_tasks_status(lake, tasks[:1], "deleted", caller=ANA)
    cancel_tasks(lake, tasks[1:2], network, caller=ANA)
    before = lake.task_log.states()
    assert ensure_round_tasks(lake, network, 1, asked, caller=ANA) == 0
    assert lake.task_log.states().seq == before.seq
    assert ensure_round_tasks(lake, network, 1, {AB: 2, BC: 2}, caller=ANA) == 1
    assert lake.task_log.states().of(tasks) == before.of(tasks)
