"""Counts and the `task_states` view compared with `TaskStates`, for random histories folded at random points."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.query import TaskSnapshot, ask, connect, status_counts, status_counts_by
from alchemiscale_lake.schemas import STATUSES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, Refusal, TaskState, TaskStates, status
from alchemiscale_lake.tasks.states import STATE_COLUMNS
from tests.campaign import Campaign, small_campaign
from tests.lakes import new_lake
from tests.long import share

SCOPES = ("org-campaign-project", "org-campaign-other")
NETWORK = "AlchemicalNetwork-n-org-campaign-project"
LEASE = datetime(2025, 1, 1, tzinfo=UTC)

#: One step: which Task (of four), and the operation.
VERBS = ("create", "claim", "renew", "complete", "late", "fail", "release", "waiting", "invalid", "priority", "action")
steps = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(VERBS)), max_size=12)


def apply_verb(states: dict[str, TaskState], number: int, verb: str, per_transformation: int = 2) -> Event | None:
    """Return the event of one operation, by the real rules; None if they refuse."""
    scope = SCOPES[number % 2]
    task = f"Task-{number}-{scope}"
    state = states.get(task)
    if state is None:
        new = TaskState(scope, task, f"Transformation-{number // per_transformation}-{scope}", None)
        return Event("created", new) if verb == "create" else None
    holder = state.attempt or "nobody"
    done: Event | Refusal = {
        "create": lambda: Refusal(task, "it is there"),
        "claim": lambda: status.claim(state, f"attempt-{number}-{state.status}", "pool", LEASE),
        "renew": lambda: status.renew(state, holder, LEASE),
        "complete": lambda: status.complete(state, holder),
        "late": lambda: status.complete(state, "an-old-attempt"),
        "fail": lambda: status.fail(state, holder, "it fell"),
        "release": lambda: status.release(state, holder, None),
        "waiting": lambda: status.set_status(state, "waiting"),
        "invalid": lambda: status.set_status(state, "invalid"),
        "priority": lambda: status.set_priority(state, state.priority + 1),
        "action": lambda: status.action(state, NETWORK, 0.3, None),
    }[verb]()
    return done if isinstance(done, Event) else None


def play(lake: Lake, history: list[tuple[int, str]]) -> None:
    states = {state.task: state for state in _all_states(lake.task_log.states())}
    for number, verb in history:
        event = apply_verb(states, number, verb)
        if event is not None:
            states[event.after.task] = event.after
            lake.task_log.commit(lambda _, event=event: [event], caller=Caller("ada"))


def _all_states(states: TaskStates) -> list[TaskState]:
    return list(states.of(states.tasks["task"].to_list()).values())


def test_every_short_history_counts_right_wherever_it_was_folded(tmp_path: Path) -> None:
    """One Task for each: its state before the fold, and after; the counts are its own."""
    before = [("create", *verbs) for n in range(3) for verbs in itertools.product(VERBS[1:], repeat=n)]
    after = [(verb, *more) for verb in VERBS[1:] for more in ((), ("complete",), ("action",))]
    histories = list(itertools.product(before, after))
    lake = new_lake(tmp_path / "lake")
    states: dict[str, TaskState] = {}

    for part in (0, 1):
        if part:
            lake.task_log.fold()
        for step in range(max(len(history[part]) for history in histories)):
            todo = [(k, history[part][step]) for k, history in enumerate(histories) if step < len(history[part])]
            events = [event for k, verb in todo if (event := apply_verb(states, k, verb, 1)) is not None]
            states |= {event.after.task: event.after for event in events}
            lake.task_log.commit(lambda _, events=events: events, caller=Caller("ada"))

    expected = {state.transformation: state.status for state in states.values()}
    for tasks in (TaskSnapshot.of(lake), as_from_a_bucket(lake)):
        counts = status_counts_by(tasks, "transformation")
        found = {row["transformation"]: {s: row[s] for s in STATUSES if row[s]} for row in counts.to_dicts()}
        assert found == {transformation: {status: 1} for transformation, status in expected.items()}


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blank") / "lake"
    new_lake(folder)
    return folder


@settings(max_examples=share(0.25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=steps, after=steps)
def test_view_and_counts_agree_with_task_states_whatever_was_folded(
    blank: Path, before: list[tuple[int, str]], after: list[tuple[int, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = _copy(blank, Path(folder) / "lake")
        play(lake, before)
        lake.task_log.fold()
        play(lake, after)
        expected = Lake.open(lake.url).task_log.states()

        shown = ask(connect(lake), "task_states").select(STATE_COLUMNS)
        actions = ask(connect(lake), "actions").select("task", "network", "weight")
        live = expected.live_actions().select("task", "network", "weight")

        assert shown.to_dicts() == expected.tasks.sort("scope", "task").to_dicts()
        assert actions.rows() == live.sort("network", "task").rows()
        for tasks in (TaskSnapshot.of(lake), as_from_a_bucket(lake)):
            for by in ("scope", "transformation"):
                counts = status_counts_by(tasks, by).filter(pl.sum_horizontal(STATUSES) > 0)
                assert counts.rows() == _counted(expected, by)
            assert list(status_counts(tasks).values()) == [(expected.tasks["status"] == s).sum() for s in STATUSES]


def as_from_a_bucket(lake: Lake) -> TaskSnapshot:
    """DuckDB cannot read the files of a bucket itself."""
    return replace(TaskSnapshot.of(lake), files=[])


def _counted(states: TaskStates, by: str) -> list[tuple[Any, ...]]:
    tallies = [(pl.col("status") == s).sum().cast(pl.Int64).alias(s) for s in STATUSES]
    return states.tasks.group_by(by).agg(tallies).sort(by).rows()


def _copy(blank: Path, target: Path) -> Lake:
    import shutil

    shutil.copytree(blank, target)
    return Lake.open(target)


def test_counts_of_a_network_and_of_scopes(tmp_path: Path) -> None:
    campaign = small_campaign(tmp_path / "lake")
    network = f"AlchemicalNetwork-tyk2-{campaign.scope}"
    expected = {"waiting": 0, "running": 1, "complete": 12, "error": 1, "invalid": 0, "deleted": 0}

    campaign.lake.task_log.fold()
    for tasks in (campaign.lake, TaskSnapshot.of(campaign.lake), as_from_a_bucket(campaign.lake)):
        assert status_counts(tasks, network=network) == expected
        assert status_counts(tasks, scope="org-*-*") == expected
        assert status_counts(tasks, scope="org-campaign-project") == expected
        assert set(status_counts(tasks, scope="org-campaign-other").values()) == {0}
        assert set(status_counts(tasks, scope="other-*-*").values()) == {0}
        assert list(status_counts(tasks)) == list(STATUSES)


def test_counts_agree_with_the_sql_view(tmp_path: Path) -> None:
    campaign: Campaign = small_campaign(tmp_path / "lake")

    answer = ask(connect(campaign.lake), "network_status").sort("name")

    assert answer["name"].to_list() == ["idle", "tyk2"]
    row = answer.row(1, named=True)
    assert {s: row[f"n_{s}"] for s in STATUSES} == status_counts(campaign.lake, network=row["network"])
