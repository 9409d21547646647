"""Running an assignment: each attempt from the lake to its receipt.

The supervisor. It does all that concerns the lake and never imports gufe; what does runs in
processes of their own, which can be killed. Whose turn it is, and what becomes of the receipts, is
left to `ledger`.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LakeError, TransientError
from ..store import Lake, now_utc
from .assignment import Assignment, AttemptSpec
from .dag_run import DagOutcome, DagRun, Inputs
from .executions import Execution
from .folder import WorkFolder, default_work_root, sweep
from .inputs import extended_result, transformation_chain
from .launcher import Launcher
from .processes import step_server
from .receipt import Report, has_receipt, leave_receipt
from .stopping import is_asked_to_stop
from .unit_runs import RetryRules
from .watch import Watch

__all__ = ["execute_assignment"]

_log = logging.getLogger(__name__)
_SWEEP_EVERY_S = 3600.0


def execute_assignment(assignment: Assignment, *, stop: Callable[[str], bool] | None = None) -> list[str]:
    """Run the attempts of an assignment on this host, one after another.

    May be called from several threads at once. A Task that fails, crashes, hangs or cannot be
    imported leaves a receipt that says so.

    Parameters
    ----------
    assignment : Assignment
    stop : callable, optional
        Asked about once a second with the id of the running attempt. True ends it at once, without
        a receipt: it was cancelled, or its lease is lost. By default `stopping.is_asked_to_stop`.

    Returns
    -------
    list of str
        Ids of the attempts that now have a receipt. One is missing if it was stopped, or if the
        lake could not be read or written; that is logged, and its work folder is kept.

    Raises
    ------
    LakeError
        If the lake cannot be opened.
    """
    lake = Lake.open(assignment.lake)
    root = Path(assignment.work_root) if assignment.work_root else default_work_root(lake.local_path)
    _sweep_now_and_then(root)
    finished = []
    for spec in assignment.attempts:
        try:
            asked = stop or _asks_the_lake(lake, spec)
            if _Attempt(lake, assignment, spec, root, asked).run():
                finished.append(spec.attempt)
        except (LakeError, OSError):
            _log.exception("attempt %s of %s left no receipt", spec.attempt, spec.task)
    return finished


def _asks_the_lake(lake: Lake, spec: AttemptSpec) -> Callable[[str], bool]:
    return lambda _: is_asked_to_stop(lake, spec)


@dataclass(frozen=True, slots=True)
class _Attempt:
    lake: Lake
    assignment: Assignment
    spec: AttemptSpec
    root: Path
    stop: Callable[[str], bool]

    def run(self) -> bool:
        """Run to the receipt; False if it was stopped."""
        watch = Watch(self.spec.attempt, self.stop, self.assignment.timeout_s)
        if has_receipt(self.lake, self.spec):
            return True
        if self.stop(self.spec.attempt):
            return False
        started_at = now_utc()
        try:
            held = WorkFolder.acquire(self.root, self.spec.scope, self.spec.task, self.spec.attempt)
        except OSError as e:
            report = Report(self.assignment, self.spec, _not_prepared(e), None, started_at, now_utc())
            return leave_receipt(self.lake, report, watch)
        with held as folder:
            outcome = self._perform(folder, watch)
            if outcome is None:
                return False
            ended_at = max(now_utc(), started_at)
            report = Report(self.assignment, self.spec, outcome, folder.path, started_at, ended_at)
            if not leave_receipt(self.lake, report, watch):
                return False
            if outcome.ok:
                folder.remove()
            else:
                folder.forget_runs()
        return True

    def _perform(self, folder: WorkFolder, watch: Watch) -> DagOutcome | None:
        assignment = self.assignment
        launcher = Launcher(step_server(), folder, assignment.resources, assignment.kill_grace_s)
        rules = RetryRules(assignment.unit_retries, assignment.fail_fast_s)
        try:
            return DagRun(launcher, watch, rules, self._inputs).run()
        except TransientError:
            raise
        except (LakeError, OSError) as e:  # an object is missing, the disk is full: this Task's failure
            return _not_prepared(e)

    def _inputs(self) -> Inputs:
        extends = self.spec.extends_result
        return Inputs(
            transformation_chain(self.lake, self.spec.transformation),
            None if extends is None else extended_result(self.lake, extends),
        )


def _not_prepared(error: Exception) -> DagOutcome:
    """Tell of a failure outside of all units."""
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


_swept: dict[Path, float] = {}


def _sweep_now_and_then(root: Path) -> None:
    now = time.monotonic()
    if now - _swept.get(root, -_SWEEP_EVERY_S) >= _SWEEP_EVERY_S:
        _swept[root] = now
        sweep(root)
