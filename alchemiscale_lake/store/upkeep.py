"""Maintenance: keeps a lake with many small commits as fast and as small as a new one.

It folds the Task log, maintains every table (`table_upkeep.py`) and removes abandoned objects of attempts
(`orphans.py`). No row is ever changed. It is safe with concurrent readers and writers, may be killed at any point, and
costs little if there is little to do.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..faults import fault_point
from .lake import Lake, now_utc
from .orphans import Orphans, sweep_orphans
from .table_upkeep import TableUpkeep, UpkeepSettings, keep_up
from .upkeep_lease import hold_upkeep

__all__ = ["MaintenanceReport", "maintain"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """Result of a maintenance run; in a dry run, what it would do.

    Attributes
    ----------
    tables : sequence of TableUpkeep
        One report per table.
    orphans : sequence of Orphans
        Deleted objects, by kind.
    folded_to_seq : int
        Number of the Task log commit up to which the snapshots of states now reach.
    wall_time_s : float
        Duration.
    dry_run : bool
        Nothing was changed.
    """

    tables: Sequence[TableUpkeep]
    orphans: Sequence[Orphans]
    folded_to_seq: int
    wall_time_s: float
    dry_run: bool

    @property
    def freed_bytes(self) -> int:
        """Return the total number of deleted bytes."""
        return sum(t.freed_bytes for t in self.tables) + sum(o.n_bytes for o in self.orphans)


def maintain(
    lake: Lake,
    settings: UpkeepSettings | None = None,
    *,
    tell: Callable[[str], None] | None = None,
    now: datetime | None = None,
) -> MaintenanceReport:
    """Maintain a lake. One run at a time; concurrent readers and writers are not disturbed.

    Parameters
    ----------
    lake : Lake
    settings : UpkeepSettings, optional
    tell : callable, optional
        Called with a line before each step.
    now : datetime, optional
        The time from which ages are measured; default: the clock that dates the lake's objects. This machine's clock
        may be ahead, and new objects must not appear old.

    Raises
    ------
    UpkeepRunningError
        If maintenance is already running.
    StorageError
        If the storage keeps failing. Completed steps stay completed.
    """
    settings = UpkeepSettings() if settings is None else settings
    tell = _log.info if tell is None else tell
    if now is None:
        now = now_utc() if settings.dry_run else lake.objects.stamp("upkeep")
    began = time.monotonic()
    with _alone(lake, settings) as still_alone:
        _fold(lake, settings, tell)
        fault_point("upkeep:folded")
        tables = []
        names = lake.tables
        for i, name in enumerate(names, 1):
            still_alone()
            tell(f"table {i} of {len(names)}: {name}")
            tables.append(keep_up(lake.objects, lake.table(name), settings, now))
        still_alone()
        tell("attempts: looking for orphaned objects")
        orphans = sweep_orphans(
            lake,
            older_than=now - timedelta(seconds=settings.keep_orphans_s),
            temporary_older_than=now - timedelta(seconds=settings.keep_files_s),
            dry_run=settings.dry_run,
        )
        # again, for what was written meanwhile
        seq = _fold(lake, settings, tell)
    return MaintenanceReport(tables, orphans, seq, time.monotonic() - began, settings.dry_run)


def _fold(lake: Lake, settings: UpkeepSettings, tell: Callable[[str], None]) -> int:
    tell("task log: folding")
    return lake.task_log.states().seq if settings.dry_run else lake.task_log.fold()


@contextlib.contextmanager
def _alone(lake: Lake, settings: UpkeepSettings) -> Iterator[Callable[[], None]]:
    """Hold the lease; yield a function that renews it. A dry run writes nothing and needs no lease."""
    if settings.dry_run:
        yield lambda: None
        return
    with hold_upkeep(lake.objects) as lease:
        yield lease.renew
