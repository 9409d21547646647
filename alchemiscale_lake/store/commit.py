"""Compare-and-swap on a Delta table: the only way rows are appended.

A writer opens the table, reads the number of the last accepted commit, decides on rows given exactly that state, and
commits them *through the same snapshot* with the next number. The files of the rows are durable before the commit, and
the commit is durable before it is acknowledged. A writer that comes second fails to commit, reopens the table and
decides again; so does one whose commit failed with unknown outcome, and one that was suspended in between. References:
Delta transaction protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from ..errors import CommitConflictError, StorageError
from ..faults import fault_point
from ..schemas import Column
from .data_files import DataFiles
from .decoded_table import listed_files
from .delta_log import DeltaLog
from .log_entry import OWN, PREVIOUS, SCHEMA, actions_digest, schema_digest
from .storage_errors import fail

__all__ = [
    "SNAPSHOT_GOOD_FOR_S",
    "clocks_s",
    "commit_actions",
    "commit_columns",
    "compare_and_append",
    "elapsed_s",
    "last_number",
    "removals",
]

_TRIES: Final = 200
_DOUBTS: Final = 2
_SHORTEST_WAIT_S: Final = 0.01
_LONGEST_WAIT_S: Final = 1.0

#: An older snapshot is not used: maintenance may have removed the log entries that would make a commit through it
#: fail. Far below the shortest time for which maintenance keeps them.
SNAPSHOT_GOOD_FOR_S: Final = 300.0

#: A failing checkpoint would look like a failed commit; maintenance does the clean-up.
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def last_number(delta: DeltaTable, log: str) -> int:
    """Return the number of the last commit to `log` in this snapshot; 0 before the first.

    Parameters
    ----------
    delta : DeltaTable
        Snapshot of the table.
    log : str
        Name of the log, which is the application id of its transactions.
    """
    number = delta.transaction_version(log)
    return 0 if number is None else int(number)


def compare_and_append(
    name: str,
    open_table: Callable[[], DeltaTable],
    decide: Callable[[DeltaTable, int], pa.Table | None],
    *,
    files: DataFiles,
    log: DeltaLog,
    last: Callable[[DeltaTable], int] | None = None,
    tidy: Callable[[DeltaTable], None] | None = None,
) -> int | None:
    """Append the rows that `decide` returns, given a state that is still current when they are committed.

    Parameters
    ----------
    name : str
        Name of the table and its application id.
    open_table : callable
        Returns the table's newest snapshot.
    decide : callable
        Called with a snapshot and the number the commit would get; returns rows to append, or None if there is nothing
        (more) to do. Called again after every lost race and every commit with unknown outcome, so it must recognise
        its own rows from an earlier try.
    files, log : DataFiles, DeltaLog
        Data files and log of the table.
    last : callable, optional
        Returns the number of the last commit in a snapshot, if there is a cheaper way than Delta's own transaction
        number, which requires reading the log again.
    tidy : callable, optional
        Called after a commit, with the snapshot that it was made through.

    Returns
    -------
    int or None
        Number of the commit; None if nothing was written.

    Raises
    ------
    CommitConflictError
        If two hundred races were lost.
    StorageError
        If the storage keeps failing otherwise. The rows may have been committed.
    """
    doubts = 0
    for _ in range(_TRIES):
        opened = clocks_s()
        delta = open_table()
        number = (last_number(delta, name) if last is None else last(delta)) + 1
        # first: the state that the decision rests on, even a decision to do nothing, must not be lost later
        previous = log.make_durable(delta.version())
        rows = decide(delta, number)
        if rows is None or not len(rows):
            return None
        fault_point(f"commit:{name}:before")
        try:
            _write(delta, rows, name, number, files, previous)
            log.make_durable(delta.version() + 1)
        except CommitFailedError:
            pass
        except (DeltaError, OSError, StorageError) as e:
            doubts += 1
            if doubts > _DOUBTS:
                fail(f"could not write to table '{name}'", e, table=name)
        else:
            if elapsed_s(opened) < SNAPSHOT_GOOD_FOR_S:
                fault_point(f"commit:{name}:after")
                if tidy is not None:
                    tidy(delta)
                return number
        # about the duration of one try: longer waits would starve this writer, since winners do not wait
        time.sleep(min(_SHORTEST_WAIT_S + elapsed_s(opened), _LONGEST_WAIT_S) * random.random())
    raise CommitConflictError(
        f"other writers won {_TRIES} commits in a row on table '{name}'; use fewer, larger batches, then try again",
        table=name,
    )


def commit_actions(
    delta: DeltaTable,
    actions: Sequence[AddAction | RemoveAction],
    *,
    files: DataFiles,
    previous: str | None,
    transaction: tuple[str, int] | None = None,
) -> None:
    """Commit through a snapshot: add and remove these data files as the next version, or fail.

    Parameters
    ----------
    delta : DeltaTable
    actions : sequence of AddAction and RemoveAction
    files : DataFiles
        Data files of the table.
    previous : str or None
        SHA-256 of the log entry that the commit builds upon; None in a bucket.
    transaction : tuple of str and int, optional
        Name and number of the commit; None for a commit that changes no rows.

    Raises
    ------
    CommitFailedError
        If another writer committed first.
    DeltaError, OSError
    """
    delta.create_write_transaction(
        list(actions),
        "append",
        delta.schema(),
        files.partition_by,
        commit_properties=_properties({OWN: actions_digest(actions, transaction)}, previous, transaction),
        post_commithook_properties=_NO_HOOKS,
    )


def commit_columns(delta: DeltaTable, columns: Sequence[Column], *, previous: str | None) -> None:
    """Commit through a snapshot: add these columns as the next version, or fail.

    Parameters
    ----------
    delta : DeltaTable
        Snapshot of the table.
    columns : sequence of Column
        Columns that the table does not have yet; nullable.
    previous : str or None
        SHA-256 of the log entry that the commit builds upon; None in a bucket.

    Raises
    ------
    CommitFailedError
        If another writer committed first.
    DeltaError, OSError
    """
    new = Schema.from_arrow(pa.schema([pa.field(c.name, c.type) for c in columns])).fields
    digest = schema_digest(Schema([*delta.schema().fields, *new]).to_json())
    delta.alter.add_columns(
        new,
        commit_properties=_properties({OWN: actions_digest([], None), SCHEMA: digest}, previous),
        post_commithook_properties=_NO_HOOKS,
    )


def _properties(
    digests: dict[str, str], previous: str | None, transaction: tuple[str, int] | None = None
) -> CommitProperties:
    return CommitProperties(
        app_transactions=None if transaction is None else [Transaction(*transaction)],
        # a silent retry inside deltalake would skip the check against the newer state
        max_commit_retries=0,
        custom_metadata=digests if previous is None else {**digests, PREVIOUS: previous},
    )


def removals(
    delta: DeltaTable, files: DataFiles, paths: Collection[str] | None, *, data_change: bool
) -> list[RemoveAction]:
    """Return the actions that remove data files of a snapshot (all, if None) from its table.

    Parameters
    ----------
    delta : DeltaTable
        Snapshot of the table.
    files : DataFiles
        Data files of the table.
    paths : collection of str or None
        Data files to remove; None removes all.
    data_change : bool
        False if the same rows are added in other files.
    """
    listed = listed_files(delta)
    now = int(time.time() * 1000)
    return [
        RemoveAction(
            path=row["path"],
            deletion_timestamp=now,
            data_change=data_change,
            partition_values={column: row[f"partition.{column}"] for column in files.partition_by},
            size=row["size_bytes"],
        )
        for row in listed.iter_rows(named=True)
        if paths is None or row["path"] in paths
    ]


def _write(delta: DeltaTable, rows: pa.Table, name: str, number: int, files: DataFiles, previous: str | None) -> None:
    added = files.write(rows)
    fault_point(f"commit:{name}:files")
    commit_actions(delta, added, files=files, previous=previous, transaction=(name, number))


def clocks_s() -> tuple[float, ...]:
    """Read the clocks that keep running while a process is stopped or its machine sleeps."""
    return time.time(), time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def elapsed_s(since: tuple[float, ...]) -> float:
    """Return the time since `clocks_s()`, by the clock that advanced most."""
    return max(now - then for now, then in zip(clocks_s(), since, strict=True))
