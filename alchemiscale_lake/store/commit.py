"""Compare-and-swap on a Delta table: the one way rows are appended.

A writer opens the table, reads the number of the last accepted commit (Delta's application
transaction), decides on rows in sight of exactly that state, and writes *through the same
snapshot* with the next number. A writer who comes second fails to commit, opens the table again
and decides anew. References: Delta transaction protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from ..errors import CommitConflictError, StorageError
from ..faults import fault_point

__all__ = ["compare_and_append", "last_number"]

_TRIES: Final = 200
_FIRST_WAIT_S: Final = 0.005
_LONGEST_WAIT_S: Final = 1.0


def last_number(delta: DeltaTable, log: str) -> int:
    """Number of the last commit to `log` in this snapshot; 0 before the first."""
    number = delta.transaction_version(log)
    return 0 if number is None else int(number)


def compare_and_append(
    name: str,
    open_table: Callable[[], DeltaTable],
    decide: Callable[[DeltaTable, int], pa.Table | None],
) -> int | None:
    """Append the rows `decide` returns, in sight of a state that is still the last one when they land.

    Parameters
    ----------
    name : str
        Name of the table, which is also its application id.
    open_table : callable
        Returns the table's newest snapshot.
    decide : callable
        Called with a snapshot and the number the commit would get; returns rows to append, or None
        if there is nothing to do (any more). Called again after every lost race, so it must
        recognise its own rows should an earlier commit have landed unheard.

    Returns
    -------
    int or None
        The number of the commit, None if nothing was written.

    Raises
    ------
    CommitConflictError
        If the race was lost two hundred times.
    StorageError
        If the storage fails in another way.
    """
    wait = _FIRST_WAIT_S
    for _ in range(_TRIES):
        delta = open_table()
        number = last_number(delta, name) + 1
        rows = decide(delta, number)
        if rows is None or not len(rows):
            return None
        fault_point(f"commit:{name}:before")
        try:
            _write(delta, rows, name, number)
        except CommitFailedError:
            time.sleep(wait * (0.5 + random.random()))
            wait = min(2 * wait, _LONGEST_WAIT_S)
            continue
        except (DeltaError, OSError) as e:
            raise StorageError(f"could not write to table '{name}': {e}; try again", table=name) from e
        fault_point(f"commit:{name}:after")
        return number
    raise CommitConflictError(
        f"other writers won {_TRIES} times in a row on table '{name}'; use fewer, larger batches, then try again",
        table=name,
    )


def _write(delta: DeltaTable, rows: pa.Table, name: str, number: int) -> None:
    properties = CommitProperties(
        app_transactions=[Transaction(name, number)],
        # a silent retry inside deltalake would skip the check against the newer state
        max_commit_retries=0,
    )
    write_deltalake(delta, rows, mode="append", commit_properties=properties)
