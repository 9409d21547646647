from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import SchemaError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.ids import Scope, new_task_key
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, TaskState, TaskStates, status

SCOPE = Scope("o", "c", "p")
NETWORK = f"AlchemicalNetwork-1-{SCOPE}"


@pytest.fixture
def lake(place: str) -> Lake:
    """In a folder, and in a bucket."""
    return Lake.open(place)


def new_task() -> TaskState:
    return TaskState(str(SCOPE), new_task_key(SCOPE), f"Transformation-1-{SCOPE}", None)


def create(lake: Lake, n: int) -> list[str]:
    tasks = [new_task() for _ in range(n)]
    lake.task_log.commit(lambda _: [Event("created", t) for t in tasks], caller=Caller("t"))
    return [t.task for t in tasks]


def action(lake: Lake, tasks: Sequence[str]) -> None:
    def decide(states: TaskStates) -> list[Event]:
        events = (status.action(s, NETWORK, None, None) for s in states.of(tasks).values())
        return [e for e in events if isinstance(e, Event)]

    lake.task_log.commit(decide, caller=Caller("t"))


def test_commits_are_numbered_without_gaps_and_an_empty_one_has_no_number(lake: Lake) -> None:
    create(lake, 2)
    nothing = lake.task_log.commit(lambda _: [], caller=Caller("t"))
    second = lake.task_log.commit(lambda _: [Event("created", new_task())], caller=Caller("t"))
    assert nothing.seq is None
    assert second.seq == 2
    log = lake.table("task_log").scan().sort("seq", "idx").collect()
    assert log.select("seq", "idx").rows() == [(1, 0), (1, 1), (2, 0)]
    assert log["commit_id"].n_unique() == 2


def test_own_events_are_known_without_reading_them(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = create(lake, 2)
    other = Lake.open(lake.url)
    action(other, tasks)
    action(lake, tasks)
    tails: list[int] = []
    tail = lake.task_log._tail

    def counted(delta: DeltaTable, after: int) -> pl.DataFrame:
        tails.append(after)
        return tail(delta, after)

    monkeypatch.setattr(lake.task_log, "_tail", counted)
    lake.task_log.commit(lambda states: [_prioritised(states, tasks[0], 7)], caller=Caller("t"))
    lake.task_log.commit(lambda states: [_prioritised(states, tasks[1], 8)], caller=Caller("t"))
    known, read = lake.task_log.states(), Lake.open(lake.url).task_log.states()
    assert tails == []
    assert known.seq == read.seq
    assert known.tasks.sort("task").equals(read.tasks.sort("task"))
    assert known.tasks.schema == read.tasks.schema
    assert known.actions.sort("task").equals(read.actions.sort("task"))
    other.task_log.commit(lambda states: [_prioritised(states, tasks[0], 9)], caller=Caller("other"))
    assert lake.task_log.states().of(tasks)[tasks[0]].priority == 9
    assert tails == [known.seq], "events of others are read"


def test_a_decision_is_made_again_in_sight_of_what_came_between(lake: Lake) -> None:
    (task,) = create(lake, 1)
    other = Lake.open(lake.url)
    seen: list[str] = []

    def raise_priority(states: TaskStates) -> list[Event]:
        seen.append(str(states.of([task])[task].priority))
        if len(seen) == 1:  # another writer commits between this decision and its commit
            other.task_log.commit(lambda s: [_prioritised(s, task, 3)], caller=Caller("other"))
        return [_prioritised(states, task, states.of([task])[task].priority + 1)]

    lake.task_log.commit(raise_priority, caller=Caller("t"))
    assert seen == ["10", "3"]
    assert other.task_log.states().of([task])[task].priority == 4


def _prioritised(states: TaskStates, task: str, priority: int) -> Event:
    event = status.set_priority(states.of([task])[task], priority)
    assert isinstance(event, Event)
    return event


def _claim_all(url: str, who: str, queue: multiprocessing.Queue[list[str]]) -> None:
    from alchemiscale_lake.statestore.claims import claim_tasks

    lake, claimed = Lake.open(url), []
    while claims := claim_tasks(lake, who, 3, lease_s=60, caller=Caller(who)):
        claimed += [c.task for c in claims]
    queue.put(claimed)


def test_processes_never_claim_the_same_task(lake: Lake) -> None:
    tasks = create(lake, 30)
    action(lake, tasks)
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[str]] = context.Queue()
    processes = [context.Process(target=_claim_all, args=(lake.url, f"d{i}", queue)) for i in range(3)]
    for process in processes:
        process.start()
    claimed = [queue.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(t for c in claimed for t in c) == sorted(tasks)


def test_a_commit_that_landed_unheard_is_not_made_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage accepted the write but its answer was lost: a 412 to a retried put."""
    from deltalake.exceptions import CommitFailedError

    import alchemiscale_lake.store.commit as commit_module

    real, calls = commit_module._write, []

    def lossy(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 1:
            raise CommitFailedError("precondition failed")

    monkeypatch.setattr(commit_module, "_write", lossy)
    tasks = [new_task() for _ in range(2)]
    landed = lake.task_log.commit(lambda _: [Event("created", t) for t in tasks], caller=Caller("t"))
    assert len(calls) == 1
    assert landed.seq == 1
    assert len(landed.events) == 2
    assert lake.table("task_log").scan().collect().height == 2


def test_states_of_a_fold_plus_tail_equal_those_of_the_whole_log(lake: Lake) -> None:
    tasks = create(lake, 6)
    action(lake, tasks[:4])
    lake.task_log.fold()
    lake.task_log.commit(lambda s: [_prioritised(s, tasks[0], 2)], caller=Caller("t"))
    create(lake, 2)
    folded = Lake.open(lake.url).task_log.states()
    whole = TaskStates.empty().advance(lake.table("task_log").scan().collect(), folded.seq)
    for name in ("tasks", "actions"):
        assert getattr(folded, name).sort("task").equals(getattr(whole, name).sort("task"))


def test_a_fold_interrupted_between_its_two_tables_is_harmless(lake: Lake) -> None:
    class CutError(BaseException):
        pass

    def cut(name: str) -> None:
        if name == "fold:between":
            raise CutError

    tasks = create(lake, 3)
    action(lake, tasks)
    lake.task_log.fold()
    lake.task_log.commit(lambda s: [_cancelled(s, tasks[0])], caller=Caller("t"))
    with fault_hook(cut), pytest.raises(CutError):
        lake.task_log.fold()
    states = Lake.open(lake.url).task_log.states()
    assert {t: set(n) for t, n in states.networks_of(tasks).items()} == {
        tasks[0]: set(),
        tasks[1]: {NETWORK},
        tasks[2]: {NETWORK},
    }
    assert Lake.open(lake.url).task_log.fold() == states.seq


def _cancelled(states: TaskStates, task: str) -> Event:
    event = status.cancel(states.of([task])[task], NETWORK, 0.5)
    assert isinstance(event, Event)
    return event


def test_the_log_folds_itself_when_its_tail_grows(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemiscale_lake.store.task_log._FOLD_AFTER_ROWS", 10)
    create(lake, 12)
    assert lake.table("task_snapshots").scan().collect().height == 0
    create(lake, 1)  # the next writer folds the tail
    folded = lake.table("task_snapshots").scan().collect()
    assert folded["as_of_seq"].unique().to_list() == [2]
    assert len(folded) == 13


def test_threads_may_share_one_log(lake: Lake) -> None:
    threads = [threading.Thread(target=create, args=(lake, 2)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.task_log.states().seq == 6
    assert len(lake.task_log.states().tasks) == 12


def test_network_log_keeps_what_was_not_changed(lake: Lake) -> None:
    assert lake.network_log.states() == {}
    lake.network_log.set([NETWORK], weight=0.9, caller=Caller("t"))
    lake.network_log.set([NETWORK], state="inactive", caller=Caller("t"), reason="waits for structures")
    stands = lake.network_log.states()[NETWORK]
    assert (stands.state, stands.weight) == ("inactive", 0.9)
    with pytest.raises(SchemaError, match="active, inactive, invalid, deleted"):
        lake.network_log.set([NETWORK], state="asleep", caller=Caller("t"))
    with pytest.raises(SchemaError, match="weight"):
        lake.network_log.set([NETWORK], weight=1.5, caller=Caller("t"))
    assert lake.table("network_log").scan().select(pl.col("seq")).collect()["seq"].sort().to_list() == [1, 2]


def test_lakes_in_a_path_with_odd_characters(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "ünï #1 100%")
    create(lake, 1)
    assert Lake.open(lake.url).task_log.states().seq == 1
    assert Lake.open(tmp_path / "ünï #1 100%").task_log.fold() == 1
