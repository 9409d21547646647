"""Running Tasks that are no longer wanted: released, stopped, not claimed again."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    create_tasks,
    set_tasks_status,
)
from alchemiscale_lake.statestore.unwanted_tasks import release_events, release_unwanted
from alchemiscale_lake.store import Lake, NetworkState
from alchemiscale_lake.tasks.states import ACTION_COLUMNS, STATE_COLUMNS, TaskStates
from tests.plain import SCOPE, plain_chain
from tests.statestore.held_tasks import AB, REASON, claim_all, events_of, is_free, running_on


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, plain_chain([("a", "b")]), SCOPE).network


@pytest.fixture
def wider(lake: Lake) -> str:
    """Return a second network with the same Transformation."""
    return submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network


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
