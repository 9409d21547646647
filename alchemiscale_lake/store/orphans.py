"""Removal of abandoned objects of attempts.

Messages of attempts that ended long ago; folders of attempts without a result; assignments whose attempts have all
ended; partial writes of dead writers. A receipt is never deleted, nor anything next to it: it represents hours of GPU
time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

import polars as pl

from ..faults import fault_point
from .lake import Lake
from .messages import MESSAGES
from .objects import ObjectInfo
from .storage_errors import collect

__all__ = ["Orphans", "sweep_orphans"]

_RECEIPT: Final = "receipt.arrow"
_KINDS: Final = ("messages", "attempts without result", "assignments", "half-written")
_ATTEMPT: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Orphans:
    """Objects of one kind that were deleted, or would be in a dry run.

    Attributes
    ----------
    kind : str
        `messages`, `attempts without result`, `assignments` or `half-written`.
    n_objects : int
        Number of objects.
    n_bytes : int
        Their total size.
    """

    kind: str
    n_objects: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class _Known:
    """Attempts whose objects may still be needed."""

    held: frozenset[str]
    claimed_lately: frozenset[str]
    recorded: frozenset[str]

    def may_be_wanted(self, attempt: str) -> bool:
        return attempt in self.held or attempt in self.claimed_lately


def sweep_orphans(
    lake: Lake, *, older_than: datetime, temporary_older_than: datetime, dry_run: bool = False
) -> Sequence[Orphans]:
    """Delete objects of attempts that cannot be needed any more.

    Parameters
    ----------
    lake : Lake
    older_than : datetime
        Later objects are kept, as are all objects of attempts claimed later.
    temporary_older_than : datetime
        The same limit for partial writes, which only their writer ever reads.
    dry_run : bool
        Only report.

    Raises
    ------
    StorageError
        If the storage keeps failing.
    """
    known = _known(lake, older_than)
    found = {kind: list[ObjectInfo]() for kind in _KINDS}
    found["assignments"] += _assignments(lake, known, older_than)
    imported = lake.objects.list_with_times("imports")
    found["half-written"] += [o for o in imported if o.is_temporary and o.modified_at < temporary_older_than]
    emptied = []
    # listings keep the objects of one folder together
    for folder, group in groupby(lake.objects.list_with_times("attempts"), key=_attempt_folder):
        objects = list(group)
        whole = [o for o in objects if not o.is_temporary]
        found["half-written"] += [o for o in objects if o.is_temporary and o.modified_at < temporary_older_than]
        attempt = folder.rpartition("/")[2]
        if known.may_be_wanted(attempt) or any(o.modified_at >= older_than for o in objects):
            continue
        if attempt in known.recorded or any(o.path == f"{folder}/{_RECEIPT}" for o in whole):
            found["messages"] += [o for o in whole if o.path.removeprefix(f"{folder}/") in MESSAGES]
        else:
            found["attempts without result"] += whole
            emptied.append(folder)
    if not dry_run:
        for kind, doomed in found.items():
            lake.objects.delete(o.path for o in doomed)
            fault_point(f"upkeep:orphans:{kind}")
        for folder in emptied:
            lake.objects.prune(folder)
    return [Orphans(kind, len(doomed), sum(o.n_bytes for o in doomed)) for kind, doomed in found.items()]


def _attempt_folder(found: ObjectInfo) -> str:
    return "/".join(found.path.split("/")[:3])


def _known(lake: Lake, since: datetime) -> _Known:
    log = lake.table("task_log").scan().filter((pl.col("event") == "claimed") & (pl.col("at") > since))
    claimed = collect(log.select("of_attempt").drop_nulls(), "the log of Tasks")
    recorded = collect(lake.table("results").scan().select("attempt", "origin_attempt"), "table 'results'")
    ended = collect(lake.table("attempt_ends").scan().select("attempt"), "table 'attempt_ends'")
    running = lake.task_log.states().running().values()
    return _Known(
        held=frozenset(state.attempt for state in running if state.attempt is not None),
        claimed_lately=frozenset(claimed["of_attempt"]),
        # another Scope may refer to objects of an attempt whose own row was lost
        recorded=frozenset(recorded["attempt"])
        | frozenset(recorded["origin_attempt"].drop_nulls())
        | frozenset(ended["attempt"]),
    )


def _assignments(lake: Lake, known: _Known, older_than: datetime) -> Iterator[ObjectInfo]:
    """Yield stored assignments, with their notes, whose attempts are all neither held nor recent."""
    listed = sorted(lake.objects.list_with_times("assignments"), key=lambda found: found.path)
    for _, group in groupby(listed, key=lambda found: found.path.partition(".")[0]):
        objects = list(group)
        if max(found.modified_at for found in objects) >= older_than:
            continue
        named = {
            attempt
            for found in objects
            for attempt in _ATTEMPT.findall(lake.objects.get(found.path).decode(errors="replace"))
        }
        if not any(known.may_be_wanted(attempt) for attempt in named):
            yield from objects
