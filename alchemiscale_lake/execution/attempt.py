"""The supervisor of one attempt, from the lake to its receipt or release.

It does everything that concerns the lake and never imports gufe; Protocol code runs in separate processes, which can
be killed. `admission_queue` decides when it may start on this worker; `statestore` processes receipts.
"""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from ..errors import ExecutionError, HostFaultError, LakeError, ReceiptError, StorageError, TransientError
from ..store import Lake, now_utc
from ..texts import storable
from .admission_queue import AdmissionQueue, Ticket
from .assignment import Assignment, AttemptSpec
from .capacity import Allocation
from .dag_run import DagOutcome, DagRun, Inputs
from .executions import Execution, read_records
from .fetched_files import fetch_extended_files
from .folder import WorkFolder
from .host import hostname
from .host_faults import PAUSED, fills, host_health, is_host_fault
from .inputs import extended_result, transformation_chain
from .job import seconds_left, stop_reason
from .launcher import Launcher
from .lifeline import Lifeline
from .patience import StoppedError
from .processes import step_server
from .quarantine_list import is_quarantined
from .receipt import Report, has_receipt, leave_receipt, leave_unfinished
from .release import Release, leave_release
from .unit_runs import UnitRules
from .watch import Cut, Watch

__all__ = ["AttemptRun"]

_log = logging.getLogger(__name__)
#: Interval at which a waiting attempt checks whether it is still wanted: the first in the queue, and the others.
_LOOK_EVERY_S: Final = 0.5
_LOOK_BEHIND_S: Final = 2.0
#: A Task whose work folder exceeds this fraction of a full file system gives the folder up.
_KEPT_PART: Final = 0.1


@dataclass(frozen=True, slots=True)
class AttemptRun:
    """One attempt on this worker.

    Parameters
    ----------
    lake : Lake
    assignment : Assignment
    spec : AttemptSpec
    root : Path
        Folder of work folders.
    gate : AdmissionQueue
    ticket : Ticket
        Its place in the admission queue.
    stop : callable
        Returns True for an attempt that is to be stopped.
    """

    lake: Lake
    assignment: Assignment
    spec: AttemptSpec
    root: Path
    gate: AdmissionQueue
    ticket: Ticket
    stop: Callable[[str], bool]

    def run(self) -> bool:
        """Run to the receipt; return False, and leave a release in the lake, if there is none."""
        try:
            release = self._run()
        except ReceiptError as e:
            release = self._failed(e)
        except (LakeError, OSError) as e:
            if isinstance(e, HostFaultError):
                _log.warning("attempt %s of %s is released: %s", self.spec.attempt, self.spec.task, e)
            else:
                _log.exception("attempt %s of %s left no receipt", self.spec.attempt, self.spec.task)
            kind: Final = "unreadable" if isinstance(e, StorageError | HostFaultError | OSError) else "stopped"
            said = PAUSED if isinstance(e, HostFaultError) else type(e).__name__
            release = Release(kind, storable(f"{said}: {e}"), hostname())
        except Exception as e:  # whatever it is, only this attempt ends
            _log.exception("attempt %s of %s ended by an error of its supervisor", self.spec.attempt, self.spec.task)
            release = self._failed(e)
        if release is None:
            return True
        # if the lake does not accept it, the lease expires instead
        with contextlib.suppress(LakeError, OSError):
            leave_release(self.lake, self.spec, release)
        return False

    def _failed(self, error: Exception) -> Release | None:
        """Write a failed receipt with only the error, which would recur in the next attempt."""
        at = now_utc()
        watch = Watch(Future())
        try:
            report = Report(self.assignment, self.spec, _not_prepared(error), 0.0, None, at, at)
            return None if leave_receipt(self.lake, report, watch) else _released(watch)
        except (LakeError, OSError) as e:
            return Release("unreadable", storable(f"{type(e).__name__}: {e}"), hostname())

    def _run(self) -> Release | None:
        if has_receipt(self.lake, self.spec):
            return None
        if self.stop(self.spec.attempt):
            return Release("stopped", "the attempt was stopped before it started", hostname())
        with Lifeline(self.lake, self.spec, self.stop) as lifeline:
            allocation = self._admitted(lifeline)
            return allocation if isinstance(allocation, Release) else self._use(allocation, lifeline)

    # --- before it starts ---------------------------------------------------------------------------

    def _admitted(self, lifeline: Lifeline) -> Allocation | Release:
        """Wait for an allocation and a healthy host; return a release if the attempt must not run."""
        troubled_at: float | None = None
        lifeline.told.add_done_callback(lambda _: self.ticket.wake())
        while True:
            if lifeline.told.done():
                return Release("stopped", "the attempt was stopped before it started", hostname())
            allocation = self.ticket.wait(_LOOK_EVERY_S if self.ticket.is_first else _LOOK_BEHIND_S)
            if (reason := self._refusal()) is not None:
                return Release("refused", reason, hostname())
            if (trouble := host_health().trouble()) is None:
                troubled_at = None
                if allocation is not None:
                    return allocation
                continue
            troubled_at = troubled_at or time.monotonic()
            if time.monotonic() - troubled_at > self.assignment.monitors.requeue_after_s:
                return Release("refused", f"{PAUSED}: {trouble}", hostname())
            time.sleep(_LOOK_EVERY_S)

    def _refusal(self) -> str | None:
        """Return why this host or job must not start the attempt now, None if it may."""
        if (reason := stop_reason()) is not None:
            return reason
        if (until := is_quarantined(self.lake, hostname())) is not None:
            return f"host {hostname()} is quarantined until {until:%Y-%m-%d %H:%M} UTC"
        left_s, retire_s, duration_s = seconds_left(), self.assignment.retire_before_s, self.spec.duration_s or 0.0
        if left_s is not None and duration_s >= left_s - retire_s:
            takes = f"; the Task takes about {duration_s:.0f} s" if duration_s else ""
            return f"the job ends in {left_s:.0f} s, and its Tasks are stopped {retire_s:.0f} s earlier{takes}"
        if (reason := self.gate.too_big(self.ticket.needs)) is not None:
            return f"the attempt {reason}"
        held_s = 0.0 if self.ticket.held_at is None else time.monotonic() - self.ticket.held_at
        if self.ticket.allocation is None and held_s > self.assignment.monitors.requeue_after_s:
            return f"waited {held_s:.0f} s for admission: {self.ticket.held}"
        return None

    # --- from its start on --------------------------------------------------------------------------

    def _use(self, allocation: Allocation, lifeline: Lifeline) -> Release | None:
        """Run with the allocation."""
        assignment, started_at = self.assignment, now_utc()
        lifeline.begin(started_at)
        watch = Watch(lifeline.told, assignment.timeout_s, assignment.retire_before_s)
        try:
            held = WorkFolder.acquire(self.root, self.spec.scope, self.spec.task, self.spec.attempt)
        except OSError as e:
            if e.errno is None:  # ours: the attempt runs twice
                return self._report(_not_prepared(e), allocation, None, started_at, lifeline, watch)
            said = f"cannot create a work folder in {self.root}: {e}"
            host_health().pause(said, self.root)
            raise HostFaultError(said, folder=str(self.root)) from e
        with held as folder:
            lifeline.vitals.work = str(folder.path)
            try:
                outcome = self._perform(folder, allocation, lifeline, watch)
            except HostFaultError as e:
                self._leave_unfinished(str(e), allocation, folder, started_at, lifeline)
                _make_room(folder)
                raise
            if outcome is None:
                released = _released(watch)
                self._leave_unfinished(released.reason, allocation, folder, started_at, lifeline)
                return released
            if (missing := folder.missing()) is not None:
                # the folder is unusable; the next attempt creates a new one
                self.ticket.leave()
                return self._report(_lost_folder(missing, outcome), allocation, None, started_at, lifeline, watch)
            # the rest needs the lake but no capacity here: let the next attempt start
            self.ticket.leave()
            release = self._report(outcome, allocation, folder.path, started_at, lifeline, watch)
            if release is None:
                if outcome.ok or fills(folder.path, folder.path):
                    folder.remove()
                else:
                    folder.forget_runs()
            return release

    def _report(
        self,
        outcome: DagOutcome,
        allocation: Allocation,
        work: Path | None,
        started_at: datetime,
        lifeline: Lifeline,
        watch: Watch,
    ) -> Release | None:
        report = self._report_of(outcome, allocation, work, started_at, lifeline)
        return None if leave_receipt(self.lake, report, watch) else _released(watch)

    def _report_of(
        self, outcome: DagOutcome, allocation: Allocation, work: Path | None, started_at: datetime, lifeline: Lifeline
    ) -> Report:
        ended_at, units_total = max(now_utc(), started_at), lifeline.vitals.units_total or None
        gpus = allocation.resources.gpus
        return Report(self.assignment, self.spec, outcome, gpus, work, started_at, ended_at, units_total)

    def _leave_unfinished(
        self, reason: str, allocation: Allocation, folder: WorkFolder, started_at: datetime, lifeline: Lifeline
    ) -> None:
        """Store the output of units that are not finished; the records stay for the next attempt."""
        with contextlib.suppress(LakeError, OSError):
            outcome = DagOutcome(False, storable(reason), None, read_records(folder.path))
            leave_unfinished(self.lake, self._report_of(outcome, allocation, folder.path, started_at, lifeline))

    def _perform(
        self, folder: WorkFolder, allocation: Allocation, lifeline: Lifeline, watch: Watch
    ) -> DagOutcome | None:
        assignment = self.assignment
        launcher = Launcher(
            step_server(),
            folder,
            allocation,
            grace_s=assignment.kill_grace_s,
            stuck_after_s=assignment.stuck_after_s,
            vitals=lifeline.vitals,
            lake_folder=self.lake.local_path,
        )
        rules = UnitRules(
            assignment.unit_retries,
            assignment.fail_fast_s,
            assignment.unit_needs,
            assignment.process_per_unit,
            assignment.files,
        )
        try:
            return DagRun(launcher, watch, rules, partial(self._inputs, folder, watch)).run()
        except StoppedError:
            return None
        except TransientError:
            raise
        except (LakeError, OSError) as e:  # an object or the work folder is missing: a failure of this Task
            if is_host_fault(e) and not fills(folder.path, folder.path):
                host_health().pause(f"{e} in {folder.path}", self.root)
                raise HostFaultError(f"{e} in {folder.path}; free space there", folder=str(folder.path)) from e
            return _not_prepared(e)
        finally:
            launcher.close()

    def _inputs(self, folder: WorkFolder, watch: Watch) -> Inputs:
        fetch_extended_files(self.lake, self.spec.extends_files, folder.path / "permanent", watch)
        extends = self.spec.extends_result
        return Inputs(
            transformation_chain(self.lake, self.spec.transformation),
            None if extends is None else extended_result(self.lake, extends, self.spec.extends_digest),
        )


def _released(watch: Watch) -> Release:
    cut = watch.cut()
    kind: Final = "walltime" if cut is Cut.WALLTIME else "stopped"
    return Release(kind, watch.reason(Cut.STOPPED if cut is None else cut), hostname())


def _make_room(folder: WorkFolder) -> None:
    """Keep what the next attempt can continue from, unless it takes up much of the host's disk space."""
    folder.drop_scratch()
    if fills(folder.path, folder.path, _KEPT_PART):
        folder.remove()


def _lost_folder(missing: str, outcome: DagOutcome) -> DagOutcome:
    """Return the outcome of an attempt whose Protocol removed its work folder."""
    error = ExecutionError(f"the Protocol removed its work folder or files in it ({missing} does not exist)")
    lost = _not_prepared(error)
    # their results and output are lost with it
    before = [replace(execution, result=None) for execution in outcome.executions]
    return replace(lost, failed_unit=outcome.failed_unit or lost.failed_unit, executions=[*before, *lost.executions])


def _not_prepared(error: Exception) -> DagOutcome:
    """Return the outcome of a failure outside of all units."""
    said, now = (type(error).__qualname__, str(error)), now_utc().isoformat()
    noted = Execution(
        unit="prepare",
        try_number=1,
        name="prepare",
        qualname="execute_assignment",
        label="prepare-1",
        ok=False,
        exception=said,
        traceback="".join(traceback.format_exception(error)),
        started_at=now,
        ended_at=now,
        exit_code=None,
        cpu_time_s=None,
        peak_memory_bytes=None,
        result=None,
    )
    return DagOutcome(False, noted.exception_text, "prepare", [noted])
