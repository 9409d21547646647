"""State and weight of whole networks."""

from __future__ import annotations

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import NotFoundError, SchemaError
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.statestore.network_state import set_network_state, set_network_weight
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    create_tasks,
    ensure_tasks,
    set_tasks_weight,
)
from alchemiscale_lake.statestore.unwanted_tasks import release_unwanted
from alchemiscale_lake.store import Lake, NetworkState
from tests.plain import SCOPE, plain_chain
from tests.statestore.held_tasks import AB, REASON, claim_all, events_of, is_free, running_on


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, plain_chain([("a", "b")]), SCOPE).network


@pytest.fixture
def wider(lake: Lake) -> str:
    """Return a second network with the same Transformation."""
    return submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network


@pytest.mark.parametrize("state", ["inactive", "invalid", "deleted"])
def test_a_network_that_ceases_to_be_active_stops_its_tasks(lake: Lake, network: str, state: str) -> None:
    spec = running_on(lake, network)
    (waiting,) = create_tasks(lake, [AB], caller=Caller("ana"))
    action_tasks(lake, [waiting], network, caller=Caller("ana"))
    assert set_network_state(lake, [network], state, caller=Caller("ana"), reason="a mistake") == [spec]
    assert is_asked_to_stop(lake, spec)
    assert events_of(lake, spec.task)[-1] == ("released", "waiting", REASON)
    assert claim_all(lake) == [], "nothing of it may be claimed"
    row = lake.table("network_log").scan().collect().row(0, named=True)
    assert (row["event"], row["state"], row["reason"], row["actor"]) == ("state", state, "a mistake", "ana")


def test_an_active_network_is_claimed_from_again(lake: Lake, network: str) -> None:
    spec = running_on(lake, network)
    set_network_state(lake, [network], "inactive", caller=Caller("ana"))
    assert set_network_state(lake, [network], "active", caller=Caller("ana")) == []
    assert [again.task for again in claim_all(lake)] == [spec.task]


def test_a_task_that_another_active_network_wants_goes_on(lake: Lake, network: str, wider: str) -> None:
    spec = running_on(lake, network, wider)
    assert set_network_state(lake, [network], "deleted", caller=Caller("ana")) == []
    assert not is_free(lake, spec)


def test_weight_zero_gets_no_new_compute_and_stops_none(lake: Lake, network: str) -> None:
    spec = running_on(lake, network)
    set_tasks_weight(lake, [spec.task], network, 0.0, caller=Caller("ana"))
    set_network_weight(lake, [network], 0.0, caller=Caller("ana"))
    assert release_unwanted(lake, caller=Caller("d")) == []
    assert not is_free(lake, spec)


def test_only_networks_of_the_lake_get_a_state(lake: Lake, network: str) -> None:
    nowhere = f"AlchemicalNetwork-0-{SCOPE}"
    with pytest.raises(NotFoundError, match="no network"):
        set_network_state(lake, [network, nowhere], "deleted", caller=Caller("ana"))
    with pytest.raises(NotFoundError, match="no network"):
        set_network_weight(lake, [nowhere], 0.1, caller=Caller("ana"))
    with pytest.raises(SchemaError, match="not 'paused'"):
        set_network_state(lake, [network], "paused", caller=Caller("ana"))
    with pytest.raises(SchemaError, match="between 0 and 1"):
        set_network_weight(lake, [network], 1.5, caller=Caller("ana"))
    assert lake.network_log.states() == {}


def test_state_and_weight_are_kept_apart(lake: Lake, network: str) -> None:
    set_network_weight(lake, [network], 0.125, caller=Caller("ana"))
    set_network_state(lake, [network], "inactive", caller=Caller("ana"))
    assert lake.network_log.states() == {network: NetworkState("inactive", 0.125)}


def test_many_networks_are_one_commit(lake: Lake, network: str, wider: str) -> None:
    first = running_on(lake, network)
    ensure_tasks(lake, wider, 1, caller=Caller("ana"))
    others = claim_all(lake)
    before = lake.task_log.states().seq
    stopped = set_network_state(lake, [network, wider], "inactive", caller=Caller("ana"))
    assert sorted(s.attempt for s in stopped) == sorted(s.attempt for s in [first, *others])
    assert (lake.network_log.seq(), lake.task_log.states().seq) == (1, before + 1)
