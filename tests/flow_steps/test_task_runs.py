from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker

from alchemiscale_lake.dispatch.dispatch_report import RecordedTask
from alchemiscale_lake.flow_steps.task_runs import ShowingExecutor, TaskRuns
from alchemiscale_lake.statestore.result_recording import Recorded

FLOW_RUN = uuid4()


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the events that Prefect's worker is given."""
    events: list[Any] = []
    worker = SimpleNamespace(client_type=AssertingEventsClient, send=events.append)
    monkeypatch.setattr(EventsWorker, "instance", lambda *_: worker)
    return events


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(clock: Clock) -> TaskRuns:
    return TaskRuns(FLOW_RUN, clock=clock)


def recorded(attempt: str, **fields: Any) -> RecordedTask:
    values = dict.fromkeys(Recorded.__dataclass_fields__)
    values |= {"attempt": attempt, "ok": True, "estimate_kcal_mol": 1.5, "uncertainty_kcal_mol": 0.25}
    return RecordedTask("name", Recorded(**(values | {"wall_time_s": 2.0} | fields)))


def names(events: list[Any]) -> list[str]:
    return [event.event.rpartition(".")[2] for event in events]


def test_a_task_run_is_shown_running_and_then_how_it_ended(runs: TaskRuns, clock: Clock, sent: list[Any]) -> None:
    runs.begin("attempt-1", "lig0_lig1-r0")
    clock.now_s = 20.0
    runs.show()
    runs.show()
    runs.end([recorded("attempt-1")])

    assert names(sent) == ["Running", "Completed"]
    running, completed = (event.payload for event in sent)
    assert completed["initial_state"]["type"] == "RUNNING"
    assert completed["validated_state"]["message"] == "1.5 ± 0.25 kcal/mol, 2.0 s"
    assert completed["task_run"]["name"] == "lig0_lig1-r0"
    assert completed["task_run"]["dynamic_key"] == running["task_run"]["dynamic_key"] == "attempt-1"
    assert completed["task_run"]["start_time"] == running["task_run"]["start_time"]
    assert completed["task_run"]["end_time"] > running["task_run"]["start_time"]
    assert sent[0].resource.id == sent[1].resource.id
    assert sent[1].follows == sent[0].id


def test_a_task_that_ends_at_once_is_one_event(runs: TaskRuns, clock: Clock, sent: list[Any]) -> None:
    runs.begin("short", "a-r0")
    clock.now_s = 14.0
    runs.show()
    runs.end([recorded("short", ok=False, exception="ValueError: no")])

    assert names(sent) == ["Failed"]
    assert sent[0].payload["validated_state"]["message"] == "ValueError: no"


def test_only_those_that_have_run_for_a_while_are_shown(runs: TaskRuns, clock: Clock, sent: list[Any]) -> None:
    runs.begin("old", "a-r0")
    clock.now_s = 20.0
    runs.begin("new", "b-r0")
    runs.show()

    assert [event.payload["task_run"]["dynamic_key"] for event in sent] == ["old"]


def test_all_are_ended_at_the_end_and_only_once(runs: TaskRuns, sent: list[Any]) -> None:
    runs.begin("one", "a-r0")
    runs.begin("two", "b-r0")
    runs.end([recorded("one"), recorded("unknown")])
    runs.close()
    runs.end_released("two")

    assert names(sent) == ["Completed", "Cancelled"]


def test_a_turn_shows_them(runs: TaskRuns, clock: Clock, sent: list[Any]) -> None:
    inner: Any = SimpleNamespace(
        durable=False, whole_jobs=False, find=None, pending=None, retire=None, places=lambda n: [n]
    )
    executor = ShowingExecutor(inner, runs)
    runs.begin("one", "a-r0")
    clock.now_s = 20.0

    assert executor.places(2) == [2]
    assert names(sent) == ["Running"]
