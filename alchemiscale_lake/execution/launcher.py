"""Starting steps in a work folder and reading how they ended.

Turns a process that died without a word into an exception and a traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil

from ..store import now_utc
from .assignment import Resources
from .capture import read_capped
from .child import OUTCOME
from .folder import WorkFolder
from .processes import StepExit, StepProcess, StepServer, import_path
from .watch import Cut, Watch

__all__ = ["Launched", "Launcher", "StepOutcome", "end_all"]

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS")
#: How often a step is run again that was lost because the zygote died.
_LOSSES_FORGIVEN: Final = 2
_TRACEBACK_BYTES: Final = 16 * 2**10


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended; `exception` (type and message) and `traceback` are set unless `ok`.

    `cut` tells that it did not end by itself.
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
    """A step under way."""

    process: StepProcess
    run: Path
    started_at: datetime
    started: float
    memory_bytes: int | None

    def outcome(self) -> StepOutcome:
        """Tell how it ended; for one that is not over, that it cannot be ended."""
        future = self.process.ended
        ended = future.result() if future.done() else StepExit(None, problem="the system does not let go of it")
        duration_s = time.monotonic() - self.started
        try:
            content = json.loads((self.run / OUTCOME).read_text())
        except FileNotFoundError:
            content = {"ok": False, "exception": self._death(ended), "traceback": self._last_words()}
        exception = content.get("exception")
        return StepOutcome(
            ok=content["ok"],
            exception=None if exception is None else tuple(exception),
            traceback=content.get("traceback"),
            started_at=self.started_at,
            ended_at=max(now_utc(), self.started_at),
            duration_s=duration_s,
            exit=ended,
        )

    def _death(self, ended: StepExit) -> list[str]:
        if ended.exit_code is None:
            return ["ProcessDied", f"lost: {ended.problem}"]
        if ended.exit_code >= 0:
            return ["ProcessDied", f"the process left with exit code {ended.exit_code} before it could report"]
        name = signal.Signals(-ended.exit_code).name
        said = f"killed by signal {-ended.exit_code} ({name})"
        if name == "SIGKILL":
            peak, limit = ended.peak_memory_bytes or 0, self.memory_bytes or psutil.virtual_memory().total
            said += (
                ": by the system or the queue for want of memory, or by hand; "
                f"peak memory {peak / 2**30:.2f} GiB of {limit / 2**30:.2f} GiB"
            )
        return ["ProcessDied", said]

    def _last_words(self) -> str:
        told = read_capped(self.run / "stderr.txt", _TRACEBACK_BYTES)
        if told is None:
            return "no traceback: the process died without a word on stderr"
        return "what the process left on stderr:\n" + told.decode(errors="replace")


class Launcher:
    """Starts steps of one attempt.

    Parameters
    ----------
    server : StepServer
    folder : WorkFolder
    resources : Resources
    grace_s : float
        From SIGTERM to SIGKILL.
    """

    def __init__(self, server: StepServer, folder: WorkFolder, resources: Resources, grace_s: float) -> None:
        self.folder, self.resources, self.grace_s = folder, resources, grace_s
        self._server = server

    def start(self, step: str, label: str, *, threads: int, cwd: Path | None = None, **arguments: Any) -> Launched:
        """Start a step in the new run folder `label`."""
        run = self.folder.path / "runs" / label
        if run.exists():
            shutil.rmtree(run)
        run.mkdir()
        started_at, started = now_utc(), time.monotonic()
        process = self._server.start(
            {
                "step": step,
                "arguments": {"folder": str(self.folder.path), **arguments},
                "run": str(run),
                "cwd": str(cwd or run),
                "env": {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))},
                "path": import_path(),
                "lock": str(self.folder.steps_lock),
                "threads": threads,
            }
        )
        return Launched(process, run, started_at, started, self.resources.memory_bytes)

    def run(self, step: str, label: str, watch: Watch, **arguments: Any) -> StepOutcome:
        """Run one step to its end, or until the watch cuts it short."""
        for _ in range(_LOSSES_FORGIVEN):
            outcome = self._run(step, label, watch, arguments)
            if outcome.exit.problem is None or outcome.cut is not None:
                return outcome
        return self._run(step, label, watch, arguments)

    def _run(self, step: str, label: str, watch: Watch, arguments: dict[str, Any]) -> StepOutcome:
        launched = self.start(step, label, threads=self.resources.cores, **arguments)
        cut = None
        try:
            while not launched.process.ended.done() and cut is None:
                wait([launched.process.ended], timeout=watch.pause_s())
                cut = None if launched.process.ended.done() else watch.cut()
        finally:
            end_all([launched], self.grace_s)
        outcome = launched.outcome()
        if cut is None or outcome.ok:
            return outcome
        return replace(outcome, exception=watch.exception(cut), cut=cut)


def end_all(launched: Iterable[Launched], grace_s: float) -> None:
    """End steps: SIGTERM to their process groups, SIGKILL to those left after the grace."""
    left = {step.process.ended: step.process for step in launched if not step.process.ended.done()}
    for signum, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 30.0)):
        for process in left.values():
            process.signal(signum)
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            done, _ = wait(left, timeout=deadline - time.monotonic(), return_when=FIRST_COMPLETED)
            for future in done:
                del left[future]
