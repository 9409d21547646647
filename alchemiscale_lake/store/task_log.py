"""The log of Tasks: totally ordered, appended by compare-and-swap, folded into snapshots.

What may be appended is decided by the caller in sight of the states as they are (`tasks/status.py`
has the rules); this module makes sure that the decision is still true when it lands.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ..faults import fault_point
from ..tasks.states import ACTION_COLUMNS, STATE_COLUMNS, Event, TaskStates
from .commit import compare_and_append, last_number
from .table import LakeTable

__all__ = ["Commit", "TaskLog"]

#: A log whose tail is longer than this is folded by whoever commits next.
_FOLD_AFTER_ROWS: Final = 50_000
_FOLD_AFTER_COMMITS: Final = 200


@dataclass(frozen=True, slots=True)
class Commit:
    """What was appended: the number of the commit (None if nothing was) and its events."""

    seq: int | None
    events: Sequence[Event]


class TaskLog:
    """Append events, read states. May be shared between threads."""

    def __init__(self, log: LakeTable, task_snapshots: LakeTable, action_snapshots: LakeTable) -> None:
        self._log = log
        self._task_snapshots = task_snapshots
        self._action_snapshots = action_snapshots
        self._lock = threading.RLock()
        self._states: TaskStates | None = None
        self._folded_seq = 0
        self._tail_rows = 0
        self._last_commits: set[str] = set()

    def states(self) -> TaskStates:
        """Return the state of every Task and action as of the newest commit."""
        with self._lock:
            return self._refresh(self._log.snapshot())

    def commit(self, decide: Callable[[TaskStates], Sequence[Event]], *, actor: str) -> Commit:
        """Append the events that `decide` derives from the states as they are.

        Parameters
        ----------
        decide : callable
            May be called several times, once for every race lost; must be free of side effects.
        actor : str
            Who does it.

        Raises
        ------
        CommitConflictError, StorageError
        """
        commit_id = uuid.uuid4().hex
        events: Sequence[Event] = ()

        def rows(delta: DeltaTable, seq: int) -> pa.Table | None:
            nonlocal events
            states = self._refresh(delta)
            if commit_id in self._last_commits:
                return None  # an earlier try landed although its answer was lost
            events = decide(states)
            return self._rows(events, seq, commit_id, actor) if events else None

        with self._lock:
            seq = compare_and_append(self._log.schema.name, self._log.snapshot, rows)
            if seq is None and commit_id in self._last_commits and self._states is not None:
                seq = self._states.seq
            if self._fold_is_due():
                self.fold()
        return Commit(seq, events if seq is not None else ())

    def fold(self) -> int:
        """Write the states as snapshots, so that reading them no longer costs the whole history.

        Returns
        -------
        int
            The commit up to which the snapshots now reach.
        """
        states = self.states()
        as_of = pl.lit(states.seq, dtype=pl.Int64).alias("as_of_seq")
        if states.seq:
            self._task_snapshots.replace(states.tasks.with_columns(as_of), number=states.seq)
            fault_point("fold:between")
            self._action_snapshots.replace(states.actions.with_columns(as_of), number=states.seq)
        with self._lock:
            self._folded_seq, self._tail_rows = states.seq, 0
        return states.seq

    def _fold_is_due(self) -> bool:
        behind = 0 if self._states is None else self._states.seq - self._folded_seq
        return self._tail_rows >= _FOLD_AFTER_ROWS or behind >= _FOLD_AFTER_COMMITS

    def _rows(self, events: Sequence[Event], seq: int, commit_id: str, actor: str) -> pa.Table:
        common = {"seq": seq, "commit_id": commit_id, "actor": actor, "at": datetime.now(UTC)}
        return self._log.schema.table([{**event.row(), **common, "idx": i} for i, event in enumerate(events)])

    def _refresh(self, delta: DeltaTable) -> TaskStates:
        seq = last_number(delta, self._log.schema.name)
        states = self._load() if self._states is None else self._states
        if seq > states.seq:
            tail = self._tail(delta, states.seq)
            self._last_commits = set(tail["commit_id"].unique())
            self._tail_rows += len(tail)
            states = states.advance(tail, seq)
        self._states = states
        return states

    def _load(self) -> TaskStates:
        tasks, tasks_as_of = _snapshot(self._task_snapshots, STATE_COLUMNS)
        actions, actions_as_of = _snapshot(self._action_snapshots, ACTION_COLUMNS)
        self._folded_seq = min(tasks_as_of, actions_as_of)
        if tasks_as_of != actions_as_of:
            # a fold was cut between its two writes: bring the one behind up by the log between them
            delta = self._log.snapshot()
            upto = max(tasks_as_of, actions_as_of)
            between = self._tail(delta, self._folded_seq).filter(pl.col("seq") <= upto)
            return TaskStates(self._folded_seq, tasks, actions).advance(between, upto)
        return TaskStates(self._folded_seq, tasks, actions)

    def _tail(self, delta: DeltaTable, after: int) -> pl.DataFrame:
        columns = list(dict.fromkeys([*STATE_COLUMNS, *ACTION_COLUMNS, "commit_id"]))
        return self._log.scan(delta).filter(pl.col("seq") > after).select(columns).collect()


def _snapshot(table: LakeTable, columns: list[str]) -> tuple[pl.DataFrame, int]:
    frame = table.scan().collect()
    as_of = frame["as_of_seq"].max() if len(frame) else 0
    assert isinstance(as_of, int)
    return frame.select(columns), as_of
