"""Launching of steps in a work folder, and their outcomes.

Converts the unexpected death of a process into an exception and a traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil

from ..errors import HostFaultError
from ..secrecy import without_secrets
from ..store import now_utc
from .capacity import Allocation
from .capture import read_capped
from .child import OUTCOME
from .folder import WorkFolder
from .gpus import VISIBLE
from .host import hostname
from .host_faults import fills, full_file_system, host_health, work_folders
from .processes import StepExit, StepProcess, StepServer, import_path
from .progress import StepProgress, Vitals
from .watch import Cut, Watch

__all__ = ["HEAR_S", "Launched", "Launcher", "StepOutcome", "end_all", "read_left"]

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS")
#: A queue that ends a job signals all its processes: the worker gets its signal within this time of a step's.
HEAR_S: Final = 1.0
#: Number of reruns of a step that was killed, or lost because the fork server died: the first fork server also serves
#: other attempts, any of which may have ended it; later ones serve only this attempt.
_LOSSES_FORGIVEN: Final = 2
_TRACEBACK_BYTES: Final = 16 * 2**10
#: Larger files of steps are not read.
_LARGEST_LEFT_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Outcome of a step; `exception` (type and message) and `traceback` are set unless `ok`.

    `cut` is set if it was stopped rather than ended itself.

    Attributes
    ----------
    ok : bool
        Whether the step succeeded.
    exception : tuple of str or None
        Type and message of the failure.
    traceback : str or None
        Traceback of the failure.
    started_at : datetime
        Start, UTC.
    ended_at : datetime
        End, UTC.
    duration_s : float
        Duration by a monotonic clock.
    exit : StepExit
        How the process ended.
    cut : Cut, optional
        Why it was stopped; None if it ended itself.
    """

    ok: bool
    exception: tuple[str, ...] | None
    traceback: str | None
    started_at: datetime
    ended_at: datetime
    duration_s: float
    exit: StepExit
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """A running step.

    Attributes
    ----------
    process : StepProcess
        Process of the step.
    run : Path
        Its run folder.
    started_at : datetime
        Start, UTC.
    started : float
        Start, as of `time.monotonic`.
    memory_bytes : int or None
        Memory it may use; None if it is not counted.
    progress : StepProgress
        Last sign of progress.
    alone : bool, default False
        It has a fork server of its own.
    """

    process: StepProcess
    run: Path
    started_at: datetime
    started: float
    memory_bytes: int | None
    progress: StepProgress
    alone: bool = False

    def outcome(self) -> StepOutcome:
        """Return its outcome; if it is still running, that it cannot be terminated."""
        future = self.process.ended
        ended = future.result() if future.done() else StepExit(None, problem="the operating system cannot terminate it")
        duration_s = time.monotonic() - self.started
        content = read_left(self.run / OUTCOME)
        if content is None or not isinstance(content.get("ok"), bool):
            content = {"ok": False, "exception": self._death(ended), "traceback": self._last_words()}
        said, trace = content.get("exception"), content.get("traceback")
        texts = [str(text) for text in said] if isinstance(said, list) else []
        exception = tuple(texts) or ("ExecutionError", "the step failed without a reason")
        return StepOutcome(
            ok=content["ok"],
            exception=None if content["ok"] else exception,
            traceback=trace if isinstance(trace, str) else None,
            started_at=self.started_at,
            ended_at=max(now_utc(), self.started_at),
            duration_s=duration_s,
            exit=ended,
        )

    def _death(self, ended: StepExit) -> list[str]:
        if ended.exit_code is None:
            blamed = "; it served only this attempt, so a unit may have killed it" if self.alone else ""
            return ["ProcessDied", f"lost: {ended.problem}{blamed}"]
        if ended.exit_code >= 0:
            return ["ProcessDied", f"the process exited with code {ended.exit_code} before it reported"]
        name = signal.Signals(-ended.exit_code).name
        said = f"killed by signal {-ended.exit_code} ({name})"
        if name == "SIGKILL":
            peak, limit = ended.peak_memory_bytes or 0, self.memory_bytes or psutil.virtual_memory().total
            said += (
                ": by the system or the queue for lack of memory, or by a user; "
                f"peak memory {peak / 2**30:.2f} GiB of {limit / 2**30:.2f} GiB"
            )
        return ["ProcessDied", said]

    def _last_words(self) -> str:
        told = read_capped(self.run / "stderr.txt", _TRACEBACK_BYTES)
        if told is None:
            return "no traceback: the process died without output on stderr"
        return "stderr of the process:\n" + told.decode(errors="replace")


def read_left(path: Path) -> dict[str, Any] | None:
    """Return the JSON object that a step left, None if invalid: Protocol code may write anything there."""
    try:
        if path.stat().st_size > _LARGEST_LEFT_BYTES:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


class Launcher:
    """Launcher of the steps of one attempt.

    Parameters
    ----------
    server : StepServer
    folder : WorkFolder
    allocation : Allocation
        Allocation of the attempt.
    grace_s : float
        Time from SIGTERM to SIGKILL.
    stuck_after_s : float or None
        Time without progress after which a step is terminated.
    vitals : Vitals
        Where progress is recorded.
    lake_folder : Path or None
        Folder of the lake, None for a bucket.
    """

    def __init__(
        self,
        server: StepServer,
        folder: WorkFolder,
        allocation: Allocation,
        *,
        grace_s: float,
        stuck_after_s: float | None = None,
        vitals: Vitals | None = None,
        lake_folder: Path | None = None,
    ) -> None:
        self.folder, self.allocation, self.grace_s = folder, allocation, grace_s
        self.vitals = vitals or Vitals()
        #: Modules that the steps are known to need.
        self.needs: tuple[str, ...] = ()
        self._server, self._stuck_after_s = server, stuck_after_s
        self._own_server: StepServer | None = None
        # the work root: the folder itself may be gone when the host is checked again
        self._needed = work_folders(folder.path.parents[1], lake_folder)

    def start(
        self,
        step: str,
        label: str,
        *,
        allocation: Allocation | None = None,
        cwd: Path | None = None,
        folders: Sequence[Path] = (),
        **arguments: Any,
    ) -> Launched:
        """Start a step in the new run folder `label`.

        It may use its own allocation or, by default, that of the attempt; writing to its run folder and to `folders`
        counts as progress.

        Parameters
        ----------
        step : str
            Name of the step.
        label : str
            Name of the new run folder.
        allocation : Allocation, optional
            Resources of the step; by default, those of the attempt.
        cwd : Path, optional
            Working directory; by default, the run folder.
        folders : sequence of Path, default ()
            Further folders in which writing counts as progress.
        **arguments : object
            Arguments of the step.
        """
        allocation = allocation or self.allocation
        threads = allocation.resources.cores
        run = self.folder.path / "runs" / label
        if run.exists():
            shutil.rmtree(run)
        run.mkdir()
        started_at, started = now_utc(), time.monotonic()
        process = (self._own_server or self._server).start(
            {
                "step": step,
                "arguments": {"folder": str(self.folder.path), **arguments},
                "run": str(run),
                "cwd": str(cwd or run),
                "env": _environment(allocation),
                "path": import_path(),
                "lock": str(self.folder.steps_lock),
                "threads": threads,
                "needs": self.needs,
            }
        )
        progress = StepProgress((run, *folders), self.vitals, self._stuck_after_s)
        memory_bytes, alone = self.allocation.resources.memory_bytes, self._own_server is not None
        return Launched(process, run, started_at, started, memory_bytes, progress, alone)

    def examine(self, outcome: StepOutcome) -> bool:
        """Check, before anything is cleaned up, whether a failure was caused by the host.

        Returns True if the Task's own files have filled a file system.

        If the fork server died under it, further steps get one for this attempt alone: whatever ends that one belongs
        to this attempt, and other attempts cannot.

        Raises
        ------
        HostFaultError
            If the host is at fault: it had no process, or a file system is full and not because of this Task's files.
        """
        if outcome.ok or outcome.cut is not None:
            return False
        if outcome.exit.unstarted:
            host_health().pause(f"{outcome.exit.problem}")
            raise HostFaultError(f"{outcome.exit.problem}; free processes or memory of the host")
        full = full_file_system(self._needed)
        if full is not None and not fills(self.folder.path, full[0]):
            host_health().pause(full[1], full[0])
            raise HostFaultError(f"{full[1]}; free space there", folder=str(full[0]))
        if outcome.exit.problem is not None and self._own_server is None:
            self._own_server = self._server.apart()
        return full is not None

    def close(self) -> None:
        """Stop the fork server of this attempt alone, if it has one."""
        if self._own_server is not None:
            self._own_server.close()

    def end_if_stuck(self, launched: Launched) -> tuple[str, str] | None:
        """Terminate a step that makes no progress; return its exception, None if it makes progress."""
        if launched.process.ended.done() or not launched.progress.is_stuck(launched.process.pid):
            return None
        end_all([launched], self.grace_s)
        return ("Stuck", f"no CPU time used and nothing written for {self._stuck_after_s:g} s on host {hostname()}")

    def run(self, step: str, label: str, watch: Watch, **arguments: Any) -> StepOutcome:
        """Run one step to its end, or until the watch stops it; again if it was killed.

        Parameters
        ----------
        step : str
            Name of the step.
        label : str
            Name of the new run folder.
        watch : Watch
            Decides when to stop.
        **arguments : object
            Arguments of the step.
        """
        for _ in range(_LOSSES_FORGIVEN):
            outcome, is_lost = self._run(step, label, watch, arguments)
            self.examine(outcome)
            if not is_lost:
                return outcome
            time.sleep(HEAR_S)
            if (cut := watch.cut()) is not None:
                # the signal that ended the step was meant for the worker too
                return replace(outcome, exception=watch.exception(cut), cut=cut)
        outcome, _ = self._run(step, label, watch, arguments)
        self.examine(outcome)
        return outcome

    def _run(self, step: str, label: str, watch: Watch, arguments: dict[str, Any]) -> tuple[StepOutcome, bool]:
        """Run it once; also return whether it was ended by a third party."""
        launched = self.start(step, label, **arguments)
        cut = stuck = None
        try:
            while not launched.process.ended.done() and cut is None and stuck is None:
                watch.wait([launched.process.ended])
                cut = None if launched.process.ended.done() else watch.cut()
                stuck = self.end_if_stuck(launched)
        finally:
            end_all([launched], self.grace_s)
        outcome = launched.outcome()
        if outcome.ok or (cut is None and stuck is None):
            return outcome, not outcome.ok and outcome.exit.is_from_outside
        if cut is None:  # it would get stuck again
            return replace(outcome, exception=stuck), False
        return replace(outcome, exception=watch.exception(cut), cut=cut), False


def _environment(allocation: Allocation) -> dict[str, str]:
    # Protocol code is untrusted and its output goes into the lake: it must not see credentials
    environment = without_secrets(os.environ)
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(allocation.resources.cores))
    environment[VISIBLE] = ",".join(allocation.devices)
    # CUDA would number devices by speed, the tool and the queue by bus position
    environment.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return environment


def end_all(launched: Iterable[Launched], grace_s: float) -> None:
    """Terminate steps: SIGTERM to their process groups, SIGKILL to those left after the grace period.

    Parameters
    ----------
    launched : iterable of Launched
        Running steps.
    grace_s : float
        Time between SIGTERM and SIGKILL, s.
    """
    left = {step.process.ended: step.process for step in launched if not step.process.ended.done()}
    for signum, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 30.0)):
        for process in left.values():
            process.signal(signum)
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            done, _ = wait(left, timeout=deadline - time.monotonic(), return_when=FIRST_COMPLETED)
            for future in done:
                del left[future]
