"""Running Tasks that are no longer wanted: released, stopped, not claimed again."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import NotFoundError, SchemaError, StorageError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.network_state import set_network_state, set_network_weight
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    create_tasks,
    ensure_tasks,
    set_tasks_status,
    set_tasks_weight,
)
from alchemiscale_lake.statestore.unwanted_tasks import release_events, release_unwanted
from alchemiscale_lake.store import Lake, NetworkState
from alchemiscale_lake.tasks.states import ACTION_COLUMNS, STATE_COLUMNS, TaskStates
from tests.plain import SCOPE, plain_chain

AB = f"Transformation-a_b-{SCOPE}"
REASON = "no longer actioned on any active network"


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, plain_chain([("a", "b")]), SCOPE).network


@pytest.fixture
def wider(lake: Lake) -> str:
    """Return a second network with the same Transformation."""
    return submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network


def claim_all(lake: Lake) -> list[AttemptSpec]:
    claims = claim_tasks(lake, "p", 100, lease_s=1e4, caller=Caller("d"))
    return [AttemptSpec(c.attempt, c.task, c.transformation, c.scope) for c in claims]


def running_on(lake: Lake, *networks: str) -> AttemptSpec:
    """Return one running Task, actioned on these networks."""
    (task,) = create_tasks(lake, [AB], caller=Caller("ana"))
    for network in networks:
        action_tasks(lake, [task], network, caller=Caller("ana"))
    (spec,) = claim_all(lake)
    return spec


def events_of(lake: Lake, task: str) -> list[tuple[str, str, str | None]]:
    log = lake.table("task_log").scan().filter(task=task).sort("seq", "idx").collect()
    return list(log.select("event", "status", "reason").iter_rows())


def is_free(lake: Lake, spec: AttemptSpec) -> bool:
    return lake.task_log.states().of([spec.task])[spec.task].status == "waiting"


def test_cancelling_the_last_action_releases_in_the_same_commit_and_stops(lake: Lake, network: str) -> None:
    spec = running_on(lake, network)
    before = lake.task_log.states().seq
    (outcome,) = cancel_tasks(lake, [spec.task], network, caller=Caller("ana"))
    assert outcome.ok
    assert lake.task_log.states().seq == before + 1
    assert events_of(lake, spec.task)[-2:] == [("cancelled", "running", None), ("released", "waiting", REASON)]
    assert is_asked_to_stop(lake, spec)
    assert claim_all(lake) == []


def test_cancelling_one_of_two_actions_stops_nothing(lake: Lake, network: str, wider: str) -> None:
    spec = running_on(lake, network, wider)
    cancel_tasks(lake, [spec.task], network, caller=Caller("ana"))
    assert not is_free(lake, spec)
    assert not is_asked_to_stop(lake, spec)
    cancel_tasks(lake, [spec.task], wider, caller=Caller("ana"))
    assert is_free(lake, spec)
    assert is_asked_to_stop(lake, spec)


def test_an_action_on_an_inactive_network_does_not_keep_a_task_running(lake: Lake, network: str, wider: str) -> None:
    spec = running_on(lake, network, wider)
    set_network_state(lake, [wider], "inactive", caller=Caller("ana"))
    assert not is_free(lake, spec)
    cancel_tasks(lake, [spec.task], network, caller=Caller("ana"))
    assert is_free(lake, spec)


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


@pytest.mark.parametrize("to", ["waiting", "invalid", "deleted"])
def test_a_status_set_by_hand_stops_the_worker(lake: Lake, network: str, to: str) -> None:
    spec = running_on(lake, network)
    (waiting,) = create_tasks(lake, [AB], caller=Caller("ana"))
    set_tasks_status(lake, [spec.task, waiting], to, caller=Caller("ana"))
    assert is_asked_to_stop(lake, spec)
    assert len(lake.objects.list("attempts")) == 1, "only what ran is stopped"


def test_heirs_of_an_invalid_task_are_stopped_too(lake: Lake, network: str) -> None:
    first = running_on(lake, network)
    lake.task_log.commit(lambda s: [_completed(s, first.task)], caller=Caller("d"))
    (heir,) = create_tasks(lake, [AB], extends=first.task, caller=Caller("ana"))
    action_tasks(lake, [heir], network, caller=Caller("ana"))
    (spec,) = claim_all(lake)
    set_tasks_status(lake, [first.task], "invalid", caller=Caller("ana"))
    assert is_asked_to_stop(lake, spec)


def _completed(states: TaskStates, task: str):  # type: ignore[no-untyped-def]
    from alchemiscale_lake.tasks import status

    state = states.of([task])[task]
    return status.complete(state, state.attempt or "")


def test_what_a_dead_caller_left_is_done_by_a_dispatcher_once(lake: Lake, network: str) -> None:
    spec = running_on(lake, network)

    def die(name: str) -> None:
        if name == "network-state:before-release":
            raise KeyboardInterrupt

    with fault_hook(die), pytest.raises(KeyboardInterrupt):
        set_network_state(lake, [network], "inactive", caller=Caller("ana"))
    assert not is_free(lake, spec)
    assert release_unwanted(lake, caller=Caller("d")) == [spec]
    assert is_asked_to_stop(lake, spec)
    before = lake.task_log.states().seq
    assert release_unwanted(lake, caller=Caller("d")) == []
    assert lake.task_log.states().seq == before


def test_a_storage_that_refuses_the_word_keeps_the_release(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spec = running_on(lake, network)

    def refuse(path: str, data: bytes) -> None:
        raise StorageError("no")

    monkeypatch.setattr(lake.objects, "put", refuse)
    cancel_tasks(lake, [spec.task], network, caller=Caller("ana"))
    assert is_free(lake, spec)
    assert "could not ask 1 of 1 attempt to stop" in caplog.text


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


def test_a_hundred_thousand_running_tasks_are_looked_at_in_no_time() -> None:
    n = 100_000
    keys = pl.DataFrame({"task": [f"Task-{i:032x}-{SCOPE}" for i in range(n)], "scope": [SCOPE] * n})
    tasks = keys.with_columns(
        transformation=pl.lit(AB), extends=pl.lit(None, pl.String), seq=pl.lit(1), idx=pl.int_range(pl.len()),
        status=pl.lit("running"), priority=pl.lit(10), attempt=pl.lit("a"), pool=pl.lit("p"),
        lease_expires_at=pl.lit(datetime(2025, 1, 1, tzinfo=UTC)),
    )  # fmt: skip
    actions = keys.with_columns(
        network=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("closed")).otherwise(pl.lit("open")),
        weight=pl.lit(0.5), seq=pl.lit(1), idx=pl.int_range(pl.len()),
    )  # fmt: skip
    states = TaskStates(1, tasks.select(STATE_COLUMNS), actions.select(ACTION_COLUMNS))
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        events = release_events(states, {"closed": NetworkState("inactive")})
        took_s.append(time.perf_counter() - began)
    assert [event.after.task for event in events] == [keys["task"][7]]
    assert min(took_s) < 0.25, took_s
