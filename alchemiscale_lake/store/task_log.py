"""The Task log: totally ordered, appended by compare-and-swap, folded into snapshots.

The caller decides what to append given the current states (`tasks/status.py` has the rules); this module ensures that
the states are still current at the commit.
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

from ..caller import Caller
from ..faults import fault_point
from ..tasks.states import ACTION_COLUMNS, STATE_COLUMNS, Event, TaskStates
from ..texts import storable
from .storage_errors import collect
from .table import LakeTable

__all__ = ["Commit", "TaskLog"]

#: A log with a longer tail is folded by the next writer.
_FOLD_AFTER_ROWS: Final = 50_000
_FOLD_AFTER_COMMITS: Final = 200


@dataclass(frozen=True, slots=True)
class Commit:
    """The appended events and the number of their commit (None if nothing was appended).

    Attributes
    ----------
    seq : int or None
        Number of the commit; None if nothing was appended.
    events : sequence of Event
        Appended events, in order.
    """

    seq: int | None
    events: Sequence[Event]


class TaskLog:
    """Append events, read states. Thread-safe."""

    def __init__(self, log: LakeTable, task_snapshots: LakeTable, action_snapshots: LakeTable) -> None:
        self._log = log
        self._task_snapshots = task_snapshots
        self._action_snapshots = action_snapshots
        self._lock = threading.RLock()
        self._states: TaskStates | None = None
        self._folded_seq = 0
        self._tail_rows = 0
        self._last_commits: dict[str, int] = {}
        self._seen_version = -1

    def states(self) -> TaskStates:
        """Return the state of every Task and action as of the newest commit."""
        with self._lock, self._log.newest() as delta:
            return self._refresh(delta)

    def commit(self, decide: Callable[[TaskStates], Sequence[Event]], *, caller: Caller) -> Commit:
        """Append the events that `decide` derives from the current states.

        Parameters
        ----------
        decide : callable
            Called again after every lost race; must be free of side effects.
        caller : Caller
            Who makes the change.

        Raises
        ------
        CommitConflictError, StorageError
        """
        events: Sequence[Event] = ()

        def rows(states: TaskStates, seq: int, commit_id: str) -> pa.Table | None:
            nonlocal events
            events = decide(states)
            return self._rows(events, seq, commit_id, caller) if events else None

        seq = self._append(rows)
        return Commit(seq, events if seq is not None else ())

    def append_history(self, decide: Callable[[TaskStates], pl.DataFrame]) -> int | None:
        """Append events of another lake's log in one commit; each keeps its time and author.

        Parameters
        ----------
        decide : callable
            Returns rows of the log in order, given the current states; `seq`, `idx` and `commit_id` are set here.
            Called again after every lost race; must be free of side effects.

        Returns
        -------
        int or None
            Number of the commit; None if there was nothing to append.

        Raises
        ------
        CommitConflictError, StorageError
        """

        def rows(states: TaskStates, seq: int, commit_id: str) -> pa.Table | None:
            history = decide(states)
            if not len(history):
                return None
            return self._log.schema.table(
                history.with_columns(
                    seq=pl.lit(seq, pl.Int64),
                    idx=pl.int_range(len(history), dtype=pl.Int64),
                    commit_id=pl.lit(commit_id),
                )
            )

        return self._append(rows)

    def _append(self, make: Callable[[TaskStates, int, str], pa.Table | None]) -> int | None:
        """Append the rows made from the current states; return the number of their commit, if there are any."""
        commit_id = uuid.uuid4().hex
        new, version = None, -1

        def rows(delta: DeltaTable, seq: int) -> pa.Table | None:
            nonlocal new, version
            states = self._refresh(delta)  # up to date already: `last` has refreshed it
            if commit_id in self._last_commits:
                return None  # an earlier try was committed although its answer was lost
            new = make(states, seq, commit_id)
            version = delta.version() + 1
            return new

        with self._lock:
            # the rows carry their number, so there is no need to look for it in the table's log
            seq = self._log.append(rows, last=lambda delta: self._refresh(delta).seq)
            fold_is_due = self._fold_is_due()  # by what came before: a long commit is left to the next writer
            if seq is not None and new is not None:
                self._advance(pl.DataFrame(new), version)  # what was just written need not be read
            seq = self._last_commits.get(commit_id) if seq is None else seq
            if fold_is_due:
                self.fold()
        return seq

    def fold(self) -> int:
        """Write the states as snapshots, so that reading them no longer requires the whole history.

        Returns
        -------
        int
            Number of the commit up to which the snapshots now reach.
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

    def _rows(self, events: Sequence[Event], seq: int, commit_id: str, caller: Caller) -> pa.Table:
        common = {"seq": seq, "commit_id": commit_id, "actor": caller.name, "at": datetime.now(UTC)}
        rows = [{**event.row(), **common, "idx": i} for i, event in enumerate(events)]
        for row in rows:
            # an exception from user code, or a message from an engine
            row["reason"] = row["reason"] and storable(row["reason"])
        return self._log.schema.table(rows)

    def _refresh(self, delta: DeltaTable) -> TaskStates:
        if self._states is None:
            self._states, self._seen_version = self._load(), -1
        if delta.version() != self._seen_version:
            return self._advance(self._tail(delta, self._states.seq), delta.version())
        return self._states

    def _advance(self, tail: pl.DataFrame, version: int) -> TaskStates:
        """Apply the rows after the current states, up to a version of the table."""
        assert self._states is not None
        if len(tail):
            self._last_commits = dict(tail.select("commit_id", "seq").unique().iter_rows())
            self._tail_rows += len(tail)
            self._states = self._states.advance(tail, int(tail["seq"].max()))  # type: ignore[arg-type]
        self._seen_version = version
        return self._states

    def _load(self) -> TaskStates:
        tasks, tasks_as_of = _snapshot(self._task_snapshots, STATE_COLUMNS)
        actions, actions_as_of = _snapshot(self._action_snapshots, ACTION_COLUMNS)
        self._folded_seq = min(tasks_as_of, actions_as_of)
        if tasks_as_of != actions_as_of:
            # a fold was interrupted between its two writes: advance the older one by the log between them
            delta = self._log.snapshot()
            upto = max(tasks_as_of, actions_as_of)
            between = self._tail(delta, self._folded_seq).filter(pl.col("seq") <= upto)
            return TaskStates(self._folded_seq, tasks, actions).advance(between, upto)
        return TaskStates(self._folded_seq, tasks, actions)

    def _tail(self, delta: DeltaTable, after: int) -> pl.DataFrame:
        columns = list(dict.fromkeys([*STATE_COLUMNS, *ACTION_COLUMNS, "commit_id"]))
        return collect(self._log.scan(delta).filter(pl.col("seq") > after).select(columns), "the log of Tasks")


def _snapshot(table: LakeTable, columns: list[str]) -> tuple[pl.DataFrame, int]:
    frame = collect(table.scan(), f"table '{table.schema.name}'")
    as_of = frame["as_of_seq"].max() if len(frame) else 0
    assert isinstance(as_of, int)
    return frame.select(columns), as_of
