"""Which flow runs are given up: rules on their Prefect state, and heartbeats observed by the local clock."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from alchemiscale_lake.engines import overdue_runs
from alchemiscale_lake.engines.flow_runs import SeenRun
from alchemiscale_lake.engines.overdue_runs import Listener, Patience, overdue
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PATIENCE = Patience()
RUN = SeenRun(
    id=UUID(int=1),
    lake="lake",
    assignment="1",
    attempts=("a1",),
    state="SCHEDULED",
    state_name="Scheduled",
    message="",
    since=NOW,
    n_starts=0,
)
SPEC = AttemptSpec("a1", "Task", "Transformation", "org-campaign-project")


@pytest.mark.parametrize(
    ("state", "name", "limit_s", "kind"),
    [
        ("SCHEDULED", "Scheduled", PATIENCE.scheduled_s, "unclaimed"),
        ("PENDING", "Pending", PATIENCE.submitting_s, "unsubmitted"),
        ("PENDING", "InfrastructurePending", PATIENCE.unschedulable_s, "unschedulable"),
        ("CANCELLING", "Cancelling", PATIENCE.cancelling_s, "cancelled"),
    ],
)
def test_each_state_has_its_own_patience(state: str, name: str, limit_s: float, kind: str) -> None:
    run = replace(RUN, state=state, state_name=name)

    assert overdue(run, NOW + timedelta(seconds=limit_s), PATIENCE) is None
    found = overdue(run, NOW + timedelta(seconds=limit_s + 1), PATIENCE)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("state", ["SCHEDULED", "PENDING"])
def test_a_run_that_waits_again_after_a_start_was_evicted(state: str) -> None:
    found = overdue(replace(RUN, state=state, n_starts=1), NOW, PATIENCE)

    assert found is not None
    assert found.kind == "evicted"


@pytest.mark.parametrize(("state", "n_starts"), [("RUNNING", 1), ("CANCELLING", 1), ("COMPLETED", 1), ("CRASHED", 0)])
def test_a_run_that_started_or_ended_is_not_judged_by_its_state(state: str, n_starts: int) -> None:
    assert overdue(replace(RUN, state=state, n_starts=n_starts), NOW + timedelta(days=9), PATIENCE) is None


class World:
    """Clocks, and the last heartbeat of the attempt."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s, self.beat, self.n_reads = 0.0, None, 0
        monkeypatch.setattr(time, "monotonic", lambda: self.s)
        monkeypatch.setattr(overdue_runs, "now_utc", lambda: NOW + timedelta(seconds=self.s))
        monkeypatch.setattr(overdue_runs, "read_beat", self._read)
        lake: Any = object()
        self.listener = Listener(lake, PATIENCE)

    beat: Beat | None

    def _read(self, *_: object) -> Beat | None:
        self.n_reads += 1
        return self.beat

    def beats(self, at: datetime) -> None:
        self.beat = Beat(at, at, at, "node1")

    def silent_at(self, s: float) -> bool:
        self.s = s
        return self.listener.is_silent(RUN, [SPEC])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_run_without_heartbeat_is_lost_after_a_second_look(world: World) -> None:
    assert not world.silent_at(600.0)
    assert world.n_reads == 0, "it is too young to be asked for"
    assert not world.silent_at(601.0)
    assert not world.silent_at(660.0), "it may just have been ending"
    assert world.silent_at(661.0)
    assert world.n_reads == 2


def test_a_heartbeat_counts_for_as_long_as_it_is_new_here(world: World) -> None:
    # by the clock of its writer, it is years old
    world.beats(NOW - timedelta(days=999))
    assert not world.silent_at(601.0)
    world.beats(NOW - timedelta(days=998))
    assert not world.silent_at(1100.0)
    assert not world.silent_at(1700.0)
    assert not world.silent_at(1821.0)
    assert world.silent_at(1881.0)


def test_a_heartbeat_that_comes_back_clears_the_suspicion(world: World) -> None:
    assert not world.silent_at(601.0)
    world.beats(NOW)
    assert not world.silent_at(661.0)
    world.beats(NOW + timedelta(seconds=1))
    assert not world.silent_at(781.0)
    assert not world.silent_at(1382.0), "suspected again, for the first time"


def test_a_run_of_no_attempts_is_never_silent_and_an_ended_one_is_forgotten(world: World) -> None:
    assert not world.silent_at(601.0)
    world.listener.forget_all_but([])
    assert not world.silent_at(661.0), "another run of its id is looked at anew"
    world.s = 1e6
    assert not world.listener.is_silent(RUN, [])
