from __future__ import annotations

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidKeyError, InvalidTransitionError, NotFoundError
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    cancelled_tasks,
    create_tasks,
    ensure_tasks,
    network_transformations,
    set_tasks_priority,
    set_tasks_status,
    set_tasks_weight,
)
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain

AB, BC = f"Transformation-a_b-{SCOPE}", f"Transformation-b_c-{SCOPE}"
NOWHERE = f"Task-0-{SCOPE}"


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network


def test_create_keeps_the_order_given_and_does_not_action(lake: Lake, network: str) -> None:
    tasks = create_tasks(lake, [BC, AB, BC], caller=Caller("ana"))
    states = lake.task_log.states()
    assert [states.of([t])[t].transformation for t in tasks] == [BC, AB, BC]
    assert states.claimable().height == 0
    rows = lake.table("tasks").scan().collect()
    assert rows["creator"].unique().to_list() == ["ana"]


def test_create_refuses_all_or_nothing(lake: Lake, network: str) -> None:
    with pytest.raises(NotFoundError, match="Transformation-x"):
        create_tasks(lake, [AB, f"Transformation-x-{SCOPE}"], caller=Caller("ana"))
    (parent,) = create_tasks(lake, [AB], caller=Caller("ana"))
    with pytest.raises(InvalidTransitionError, match="another Transformation"):
        create_tasks(lake, [AB, BC], extends=parent, caller=Caller("ana"))
    with pytest.raises(InvalidKeyError, match="2 Transformations but 1"):
        create_tasks(lake, [AB, BC], extends=[parent], caller=Caller("ana"))
    assert lake.table("tasks").scan().collect().height == 1
    assert len(lake.task_log.states().tasks) == 1


def test_an_extending_task_waits_for_the_one_it_extends(lake: Lake, network: str) -> None:
    (parent,) = create_tasks(lake, [AB], caller=Caller("ana"))
    (child,) = create_tasks(lake, [AB], extends=parent, caller=Caller("ana"))
    action_tasks(lake, [child], network, caller=Caller("ana"))
    assert lake.task_log.states().claimable().height == 0


def test_each_task_gets_its_own_answer_in_order(lake: Lake, network: str) -> None:
    good, dead = create_tasks(lake, [AB, BC], caller=Caller("ana"))
    set_tasks_status(lake, [dead], "invalid", caller=Caller("ana"))
    outcomes = action_tasks(lake, [dead, NOWHERE, good], network, caller=Caller("ana"))
    assert [o.task for o in outcomes] == [dead, NOWHERE, good]
    assert [o.ok for o in outcomes] == [False, False, True]
    assert "invalid" in (outcomes[0].reason or "")
    assert "no such Task" in (outcomes[1].reason or "")
    again = action_tasks(lake, [good], network, caller=Caller("ana"))[0]
    assert again.ok
    assert "already" in (again.reason or "")


def test_tasks_are_actioned_only_where_their_transformation_belongs(lake: Lake, network: str) -> None:
    other = submit_network(lake, plain_chain([("c", "d")]), SCOPE).network
    (task,) = create_tasks(lake, [AB], caller=Caller("ana"))
    outcome = action_tasks(lake, [task], other, caller=Caller("ana"))[0]
    assert not outcome.ok
    assert "not part of" in (outcome.reason or "")
    with pytest.raises(NotFoundError, match="no network"):
        action_tasks(lake, [task], f"AlchemicalNetwork-0-{SCOPE}", caller=Caller("ana"))


def test_weights_one_for_all_or_one_each(lake: Lake, network: str) -> None:
    tasks = create_tasks(lake, [AB, BC], caller=Caller("ana"))
    action_tasks(lake, tasks, network, weight=[0.1, 0.9], caller=Caller("ana"))
    set_tasks_weight(lake, tasks[:1], network, 0.3, caller=Caller("ana"))
    on = lake.task_log.states().networks_of(tasks)
    assert [on[t][network] for t in tasks] == [0.3, 0.9]
    with pytest.raises(InvalidKeyError, match="2 Tasks but 1 weight"):
        action_tasks(lake, tasks, network, weight=[0.5], caller=Caller("ana"))


def test_cancel_leaves_the_status_alone(lake: Lake, network: str) -> None:
    tasks = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    outcomes = cancel_tasks(lake, tasks, network, caller=Caller("ana"))
    assert all(o.ok for o in outcomes)
    states = lake.task_log.states()
    assert set(states.tasks["status"]) == {"waiting"}
    assert states.claimable().height == 0


def test_cancelled_tasks_are_counted_while_they_wait(lake: Lake, network: str) -> None:
    first, second = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    assert cancelled_tasks(lake, network) == 0
    cancel_tasks(lake, [first, second], network, caller=Caller("ana"))
    assert cancelled_tasks(lake, network) == 2
    set_tasks_status(lake, [first], "deleted", caller=Caller("ana"))
    assert cancelled_tasks(lake, network) == 1
    action_tasks(lake, [second], network, caller=Caller("ana"))
    assert cancelled_tasks(lake, network) == 0


def test_invalid_takes_the_heirs_along(lake: Lake, network: str) -> None:
    (first,) = create_tasks(lake, [AB], caller=Caller("ana"))
    (second,) = create_tasks(lake, [AB], extends=first, caller=Caller("ana"))
    (third,) = create_tasks(lake, [AB], extends=second, caller=Caller("ana"))
    (bystander,) = create_tasks(lake, [AB], caller=Caller("ana"))
    assert [o.task for o in set_tasks_status(lake, [first], "deleted", caller=Caller("ana"))] == [first]
    states = lake.task_log.states().of([first, second, third, bystander])
    assert [states[t].status for t in (first, second, third, bystander)] == ["deleted"] * 3 + ["waiting"]


def test_ensure_tasks_is_idempotent_and_tops_up(lake: Lake, network: str) -> None:
    assert len(ensure_tasks(lake, network, 2, caller=Caller("ana"))) == 4
    assert ensure_tasks(lake, network, 2, caller=Caller("ana")) == []
    assert lake.task_log.states().claimable().height == 4
    (one, *_) = lake.task_log.states().tasks.filter(transformation=AB)["task"]
    set_tasks_status(lake, [one], "deleted", caller=Caller("ana"))
    assert len(ensure_tasks(lake, network, 2, caller=Caller("ana"))) == 1
    assert len(ensure_tasks(lake, network, 3, caller=Caller("ana"))) == 2
    assert sorted(network_transformations(lake, network)) == [AB, BC]


def test_ensure_tasks_leaves_cancelled_what_was_cancelled(lake: Lake, network: str) -> None:
    one, other = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    cancel_tasks(lake, [one], network, caller=Caller("ana"))
    assert ensure_tasks(lake, network, 1, caller=Caller("ana")) == []
    assert lake.task_log.states().claimable()["task"].to_list() == [other]


def test_ten_thousand_tasks_are_one_commit(lake: Lake, network: str) -> None:
    before = lake.task_log.states().seq
    assert len(ensure_tasks(lake, network, 5_000, caller=Caller("ana"))) == 10_000
    assert lake.task_log.states().seq == before + 1
    assert (
        len(set_tasks_priority(lake, lake.task_log.states().tasks["task"].to_list(), 3, caller=Caller("ana"))) == 10_000
    )
    assert lake.task_log.states().seq == before + 2
