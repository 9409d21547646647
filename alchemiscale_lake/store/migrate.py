"""Migration: bring a lake of an older format to the current one, step by step. The steps are in `migrations/`.

Each step is run, recorded in the table `migrations`, and then in the marker. A migration may be killed at any point;
the next one continues with the step that the marker does not have yet.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ..errors import TasksRunningError
from ..faults import fault_point
from .lake import Lake
from .location import Location
from .marker import Marker, put_marker, supported_marker
from .migrations import Step, steps_after
from .storage_errors import collect
from .table import LakeTable
from .upkeep_lease import hold_upkeep

__all__ = ["MigrationReport", "StepReport", "migrate"]


@dataclass(frozen=True, slots=True)
class StepReport:
    """Outcome of one step.

    Attributes
    ----------
    step : Step
        Step of the migration.
    wall_time_s : float or None
        None if it was not run, as in a dry run.
    """

    step: Step
    wall_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """Result of a migration or, in a dry run, of the migration that would be made.

    Attributes
    ----------
    place : str
        URL of the lake.
    before, after : int
        Format of the lake; equal in a dry run.
    steps : sequence of StepReport
        Steps that the lake lacked.
    refusal : str or None
        In a dry run, why the migration would be refused now.
    """

    place: str
    before: int
    after: int
    steps: Sequence[StepReport]
    refusal: str | None = None


def migrate(place: str | Path, *, dry_run: bool = False, tell: Callable[[str], None]) -> MigrationReport:
    """Bring a lake to the current format.

    Parameters
    ----------
    place : str or Path
        Folder or URL.
    dry_run : bool
        Whether to only report the missing steps.
    tell : callable
        Called with a line before each step, and about its progress.

    Raises
    ------
    NotALakeError, LakeVersionError
        If there is no lake, or its format is newer.
    DamagedError
        If a table is damaged or missing: nothing is changed.
    TasksRunningError
        If a step is not additive and Tasks are running. Steps before it stay done.
    UpkeepRunningError
        If maintenance or another migration is running.
    StorageError
        If the storage keeps failing. Completed steps stay completed.
    """
    location = Location.parse(place)
    marker = supported_marker(location)
    missing = steps_after(marker.sound_format)
    lake = Lake(location, marker.sound_format)
    if missing:
        _require_sound_tables(lake)
    if dry_run:
        refusal = _refusal(lake) if any(not step.additive for step in missing) else None
        reports = [StepReport(step) for step in missing]
        return MigrationReport(lake.url, marker.sound_format, marker.sound_format, reports, refusal)
    if not missing:
        return MigrationReport(lake.url, marker.format, marker.format, [])
    done = []
    with hold_upkeep(lake.objects) as lease:

        def say(line: str) -> None:
            lease.renew()
            tell(line)

        marker = supported_marker(location)  # another migration may have ended just now
        before = marker.sound_format
        for step in steps_after(before):
            say(f"format {step.to}: {step.what}")
            began = time.monotonic()
            marker = _run(Lake(location, step.to - 1), step, marker, say)
            done.append(StepReport(step, time.monotonic() - began))
    return MigrationReport(lake.url, before, marker.format, done)


def _run(lake: Lake, step: Step, marker: Marker, tell: Callable[[str], None]) -> Marker:
    """Run a step and record it; return the new marker."""
    if not step.additive:
        _require_no_running_task(lake)
        # first: from here on, older versions refuse the lake
        put_marker(lake.objects, replace(marker, format=step.to, unfinished_from=step.to - 1))
        fault_point(f"migrate:{step.to}:announced")
        try:
            _require_no_running_task(lake)  # a dispatcher that was there already may have claimed one meanwhile
        except TasksRunningError:
            put_marker(lake.objects, marker)
            raise
    step.run(lake, step.to, tell)
    fault_point(f"migrate:{step.to}:done")
    lake.record_migration(step.to, step.what)
    fault_point(f"migrate:{step.to}:recorded")
    after = marker.after_migration(step.to)
    put_marker(lake.objects, after)
    fault_point(f"migrate:{step.to}:marked")
    return after


def _require_sound_tables(lake: Lake) -> None:
    """Open every table, so that a damaged lake is refused before anything is changed."""
    tables = [lake.table(name) for name in lake.tables]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(LakeTable.snapshot, tables))


def _require_no_running_task(lake: Lake) -> None:
    refusal = _refusal(lake)
    if refusal is not None:
        raise TasksRunningError(refusal, place=lake.url)


def _refusal(lake: Lake) -> str | None:
    """Return why a step that changes what exists must wait; None if no Task is running."""
    running = sorted(lake.task_log.states().running().values(), key=lambda state: state.task)
    if not running:
        return None
    claimed = lake.table("task_log").scan().filter(pl.col("event") == "claimed").select("of_attempt", "actor")
    actors = dict(collect(claimed, "claims").iter_rows())
    holders = Counter(f"in pool {s.pool} by {actors.get(str(s.attempt), 'an unknown dispatcher')}" for s in running)
    first = running[0]
    return (
        f"{len(running)} Task(s) are running: {', '.join(f'{n} {holder}' for holder, n in sorted(holders.items()))}; "
        f"the first is {first.task}, attempt {first.attempt}. Stop these dispatchers, which releases or ends their "
        "Tasks, and migrate again once `alchemiscale-lake status` shows none running; Tasks of a dispatcher that died "
        "are released by the next one of its pool"
    )
