"""Restart policies of a lake: compared with an independent reference, and their record in the log."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import NotFoundError, SettingsError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas.receipt import Receipt
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.restarts import (
    add_task_restart_patterns,
    clear_task_restart_patterns,
    get_task_restart_patterns,
    remove_task_restart_patterns,
    resolve_restarts,
    set_task_restart_patterns_allowed_restarts,
)
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import action_tasks, cancel_tasks, create_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.long import LONG, histories
from tests.plain import SCOPE, plain_chain, plain_receipt
from tests.statestore.restart_reference import Graph

AB = f"Transformation-a_b-{SCOPE}"


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, plain_chain([("a", "b")]), SCOPE).network


def failing(spec: AttemptSpec, traceback: str | None) -> Receipt:
    """Return a receipt of a failed attempt with a traceback; without one, only the result's exception is searched."""
    receipt = plain_receipt(spec, ok=False)
    return Receipt(
        result=receipt.result,
        units=[{**unit, "traceback": traceback} for unit in receipt.units],
        files=[],
        host=receipt.host,
    )


def run_all(lake: Lake, traceback: str | None, *, ok: bool = False) -> list[str]:
    """Claim all claimable Tasks, and end them this way; return the Tasks."""
    claims = claim_tasks(lake, "p", 100, lease_s=1e4, caller=Caller("d"))
    specs = [AttemptSpec(c.attempt, c.task, c.transformation, c.scope) for c in claims]
    receipts = [plain_receipt(spec) if ok else failing(spec, traceback) for spec in specs]
    record_receipts(lake, receipts, caller=Caller("d"))
    return [claim.task for claim in claims]


def status_of(lake: Lake, task: str) -> str:
    return lake.task_log.states().of([task])[task].status


def test_restarted_until_used_up_then_cancelled_with_the_reason(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["CUDA_ERROR"], 2, caller=Caller("ana"))
    reasons = []
    for _ in range(3):
        run_all(lake, "RuntimeError: CUDA_ERROR 700")
        (decision,) = resolve_restarts(lake, [task], caller=Caller("d"))
        reasons.append(decision.reason)
    assert reasons == [
        "pattern 'CUDA_ERROR' matched: restart 1 of 2",
        "pattern 'CUDA_ERROR' matched: restart 2 of 2",
        "pattern 'CUDA_ERROR' matched: its 2 restarts are used up",
    ]
    assert status_of(lake, task) == "error"
    assert lake.task_log.states().networks_of([task])[task] == {}
    log = lake.table("task_log").scan().sort("seq", "idx").collect()
    decided = log.filter(pl.col("event").is_in(["restarted", "cancelled"]))
    assert decided["event"].to_list() == ["restarted", "restarted", "cancelled"]
    assert decided["reason"].to_list() == reasons
    assert decided["status"].to_list() == ["waiting", "waiting", "error"]
    assert decided["weight"].to_list() == [0.5, 0.5, None]
    assert set(decided["pattern"]) == {"CUDA_ERROR"}
    assert set(decided["network"]) == {network}
    assert decided["of_attempt"].to_list()[:2] == log.filter(event="failed")["of_attempt"].to_list()[:2]


def test_a_network_without_patterns_decides_nothing(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    run_all(lake, "boom")
    before = lake.task_log.states().seq
    assert resolve_restarts(lake, [task], caller=Caller("d")) == []
    assert resolve_restarts(lake, None, caller=Caller("d")) == []
    assert lake.task_log.states().seq == before
    assert lake.task_log.states().networks_of([task])[task] == {network: 0.5}


def test_adding_is_retroactive(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    run_all(lake, "boom")
    (decision,) = add_task_restart_patterns(lake, network, "bo+m", 1, caller=Caller("ana"))
    assert (decision.task, decision.kind, decision.pattern) == (task, "restarted", "bo+m")
    assert status_of(lake, task) == "waiting"


def test_a_restart_keeps_the_weight_and_the_task_is_claimed_again(lake: Lake, network: str) -> None:
    (task,) = create_tasks(lake, [AB], caller=Caller("ana"))
    action_tasks(lake, [task], network, weight=0.125, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    run_all(lake, "boom")
    resolve_restarts(lake, None, caller=Caller("d"))
    assert lake.task_log.states().networks_of([task])[task] == {network: 0.125}
    assert run_all(lake, None, ok=True) == [task]
    assert status_of(lake, task) == "complete"


def test_one_network_restarts_what_another_cancels(lake: Lake, network: str) -> None:
    other = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    (task,) = create_tasks(lake, [AB], caller=Caller("ana"))
    for one in (network, other):
        action_tasks(lake, [task], one, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, other, ["NaN"], 1, caller=Caller("ana"))
    run_all(lake, "boom")
    decisions = {d.network: d.kind for d in resolve_restarts(lake, [task], caller=Caller("d"))}
    assert decisions == {network: "restarted", other: "cancelled"}
    assert status_of(lake, task) == "waiting"
    assert lake.task_log.states().networks_of([task])[task] == {network: 0.5}


def test_counts_are_reset_when_the_task_is_cancelled_or_the_pattern_added_again(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))

    def fail() -> str:
        assert run_all(lake, "boom") == [task]
        (decision,) = resolve_restarts(lake, None, caller=Caller("d"))
        return decision.reason

    assert fail().endswith("restart 1 of 1")
    cancel_tasks(lake, [task], network, caller=Caller("ana"))
    action_tasks(lake, [task], network, caller=Caller("ana"))
    assert fail().endswith("restart 1 of 1")
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    assert fail().endswith("restart 1 of 1")
    set_task_restart_patterns_allowed_restarts(lake, network, ["boom"], 2, caller=Caller("ana"))
    assert fail().endswith("restart 2 of 2")
    remove_task_restart_patterns(lake, network, ["boom"], caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    assert fail().endswith("restart 1 of 1")
    action_tasks(lake, [task], network, weight=0.9, caller=Caller("ana"))
    assert "used up" in fail(), "actioned as it was, it goes on counting"


def test_only_the_latest_failure_is_looked_at(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 5, caller=Caller("ana"))
    run_all(lake, "boom")
    resolve_restarts(lake, None, caller=Caller("d"))
    run_all(lake, "something else")
    (decision,) = resolve_restarts(lake, None, caller=Caller("d"))
    assert (decision.kind, decision.reason) == ("cancelled", "no restart pattern matched")
    assert status_of(lake, task) == "error"


def test_without_a_traceback_the_exception_is_searched(lake: Lake, network: str) -> None:
    ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["asked to fail$"], 1, caller=Caller("ana"))
    run_all(lake, None)
    assert [d.kind for d in resolve_restarts(lake, None, caller=Caller("d"))] == ["restarted"]


def test_without_units_the_exception_of_the_result_is_searched(lake: Lake, network: str) -> None:
    ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["WorkerLost"], 1, caller=Caller("ana"))
    (claim,) = claim_tasks(lake, "p", 1, lease_s=1e4, caller=Caller("d"))
    full = plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope), ok=False)
    lost = Receipt(result={**full.result, "exception": "WorkerLost: gone"}, units=[], files=[], host=full.host)
    record_receipts(lake, [lost], caller=Caller("d"))
    assert [d.kind for d in resolve_restarts(lake, None, caller=Caller("d"))] == ["restarted"]


def test_patterns_are_listed_changed_removed_cleared(lake: Lake, network: str) -> None:
    add_task_restart_patterns(lake, network, ["b", "a"], 2, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["c"], 1, caller=Caller("ana"))
    assert get_task_restart_patterns(lake, network) == {"a": 2, "b": 2, "c": 1}
    assert set_task_restart_patterns_allowed_restarts(lake, network, ["a", "unknown"], 7, caller=Caller("ana")) == ["a"]
    assert get_task_restart_patterns(lake, network) == {"a": 7, "b": 2, "c": 1}
    assert remove_task_restart_patterns(lake, network, ["b", "unknown"], caller=Caller("ana")) == ["b"]
    assert get_task_restart_patterns(lake, network) == {"a": 7, "c": 1}
    assert clear_task_restart_patterns(lake, network, caller=Caller("ana")) == ["a", "c"]
    assert get_task_restart_patterns(lake, network) == {}
    assert clear_task_restart_patterns(lake, network, caller=Caller("ana")) == []
    set_network_state(lake, [network], "inactive", caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["d"], 1, caller=Caller("ana"))
    assert lake.network_log.states()[network].state == "inactive", "a pattern keeps the state"


def test_what_cannot_be_a_pattern_writes_nothing(lake: Lake, network: str) -> None:
    with pytest.raises(SettingsError, match="not a regular expression"):
        add_task_restart_patterns(lake, network, ["good", "("], 1, caller=Caller("ana"))
    with pytest.raises(SettingsError, match="at least 1"):
        add_task_restart_patterns(lake, network, ["good"], 0, caller=Caller("ana"))
    with pytest.raises(SettingsError, match="at least 1"):
        set_task_restart_patterns_allowed_restarts(lake, network, ["good"], 0, caller=Caller("ana"))
    with pytest.raises(NotFoundError, match="no network"):
        add_task_restart_patterns(lake, f"AlchemicalNetwork-0-{SCOPE}", ["good"], 1, caller=Caller("ana"))
    assert lake.network_log.seq() == 0


def test_a_deleted_network_has_no_say(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    run_all(lake, "boom")
    set_network_state(lake, [network], "deleted", caller=Caller("ana"))
    assert resolve_restarts(lake, None, caller=Caller("d")) == []
    assert status_of(lake, task) == "error"


def test_two_dispatchers_count_a_failure_once(lake: Lake, network: str) -> None:
    (task,) = ensure_tasks(lake, network, 1, caller=Caller("ana"))
    add_task_restart_patterns(lake, network, ["boom"], 1, caller=Caller("ana"))
    other = Lake.open(lake.url)
    other.task_log.states()
    run_all(lake, "boom")
    first = resolve_restarts(lake, [task], caller=Caller("d1"))
    second = resolve_restarts(other, [task], caller=Caller("d2"))
    assert (len(first), second) == (1, [])
    assert status_of(other, task) == "waiting"


# --- against the reference ------------------------------------------------------------------------

PATTERNS = ["boom", "b", "NaN", "o{2}"]
TRACEBACKS = ["boom", "NaN", "bob", "nothing known"]
several = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True)


class Policies(RuleBasedStateMachine):
    """Two networks share a Transformation and its Tasks."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copytree(self.template, self.folder / "lake")
        self.lake = Lake.open(self.folder / "lake")
        self.hubs = sorted(self.lake.table("networks").scan().collect()["network"])
        self.graph = Graph()
        self.tasks: list[str] = []

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(n=st.integers(1, 2), data=st.data())
    def begin(self, n: int, data: st.DataObject) -> None:
        self.tasks = create_tasks(self.lake, [AB] * n, caller=Caller("ana"))
        self.graph.status = dict.fromkeys(self.tasks, "waiting")
        for hub in self.hubs[: data.draw(st.integers(1, 2))]:
            self._action(self.tasks, hub)
            self.add(self.hubs.index(hub), data.draw(several), data.draw(st.integers(1, 2)))

    def _action(self, tasks: list[str], hub: str) -> None:
        action_tasks(self.lake, tasks, hub, caller=Caller("ana"))
        for task in tasks:
            self.graph.action(task, hub)

    @rule(hub=st.integers(0, 1), n=st.integers(0, 1))
    def action(self, hub: int, n: int) -> None:
        self._action([self.tasks[n % len(self.tasks)]], self.hubs[hub])

    @rule(hub=st.integers(0, 1), n=st.integers(0, 1))
    def cancel(self, hub: int, n: int) -> None:
        task = self.tasks[n % len(self.tasks)]
        cancel_tasks(self.lake, [task], self.hubs[hub], caller=Caller("ana"))
        self.graph.cancel(task, self.hubs[hub])

    @rule(hub=st.integers(0, 1), patterns=several, most=st.integers(1, 2))
    def add(self, hub: int, patterns: list[str], most: int) -> None:
        add_task_restart_patterns(self.lake, self.hubs[hub], patterns, most, caller=Caller("ana"))
        self.graph.add(self.hubs[hub], patterns, most)

    @rule(hub=st.integers(0, 1), patterns=several, most=st.integers(1, 3))
    def change(self, hub: int, patterns: list[str], most: int) -> None:
        set_task_restart_patterns_allowed_restarts(self.lake, self.hubs[hub], patterns, most, caller=Caller("ana"))
        self.graph.change(self.hubs[hub], patterns, most)

    @rule(hub=st.integers(0, 1), patterns=several)
    def remove(self, hub: int, patterns: list[str]) -> None:
        remove_task_restart_patterns(self.lake, self.hubs[hub], patterns, caller=Caller("ana"))
        self.graph.remove(self.hubs[hub], patterns)

    @rule(traceback=st.sampled_from(TRACEBACKS))
    def fail(self, traceback: str) -> None:
        self._fail(traceback)

    @rule(hub=st.integers(0, 1), n=st.integers(0, 1), traceback=st.sampled_from(TRACEBACKS[:2]))
    def begin_anew_and_fail(self, hub: int, n: int, traceback: str) -> None:
        """Counts up to the cancellation of a Task must be dropped, and nothing else."""
        self._fail(traceback)
        self.cancel(hub, n)
        self.action(hub, n)
        self._fail(traceback)

    @rule(hub=st.integers(0, 1), patterns=several, traceback=st.sampled_from(TRACEBACKS[:2]), again=st.booleans())
    def add_anew_and_fail(self, hub: int, patterns: list[str], traceback: str, again: bool) -> None:
        if not again:
            self.remove(hub, patterns)
        self.add(hub, patterns, 1)
        self._fail(traceback)

    def _fail(self, traceback: str) -> None:
        """Run all claimable Tasks, which fail."""
        failed = run_all(self.lake, traceback)
        assert sorted(failed) == sorted(
            t for t in self.tasks if self.graph.status[t] == "waiting" and any(on == t for on, _ in self.graph.actions)
        )
        for task in failed:
            self.graph.fail(task, traceback)
        resolve_restarts(self.lake, failed, caller=Caller("d"))
        self.graph.resolve(failed)

    @rule()
    def complete(self) -> None:
        for task in run_all(self.lake, None, ok=True):
            self.graph.complete(task)

    @rule(fold=st.booleans())
    def resolve_all(self, fold: bool) -> None:
        if fold:
            self.lake.task_log.fold()
        self.lake = Lake.open(self.lake.url)
        resolve_restarts(self.lake, None, caller=Caller("d"))
        self.graph.resolve(self.tasks)

    @invariant()
    def both_agree(self) -> None:
        states = self.lake.task_log.states()
        known = states.of(self.tasks)
        assert {t: known[t].status for t in self.tasks} == {t: self.graph.status[t] for t in self.tasks}
        on = {(task, hub) for task, hubs in states.networks_of(self.tasks).items() for hub in hubs}
        assert on == self.graph.actions
        for hub in self.hubs:
            assert get_task_restart_patterns(self.lake, hub) == self.graph.enforces.get(hub, {})


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        lake = Lake.create(Path(folder) / "template")
        submit_network(lake, plain_chain([("a", "b")]), SCOPE)
        submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE)
        yield Path(folder) / "template"


@pytest.mark.parametrize("n_histories", [8, pytest.param(1000, marks=LONG)])
def test_random_policies_agree_with_the_reference(n_histories: int, template: Path) -> None:
    Policies.template = template
    run_state_machine_as_test(
        Policies,
        settings=histories(n_histories, steps=20),
    )
