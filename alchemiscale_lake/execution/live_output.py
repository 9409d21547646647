"""Output of units that are still running, read from their work folder where that is on shared storage.

A work folder is named by a heartbeat, which anyone who may run Tasks may have written, so it is read only if it is the
folder of this Task, and this attempt holds it. What an attempt has left behind is in the lake.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..ids import ScopedKey
from .capture import STREAMS, Stream
from .executions import read_plan
from .folder import holder_of

__all__ = ["LiveRun", "live_runs", "read_from"]


@dataclass(frozen=True, slots=True)
class LiveRun:
    """Run folder of one execution.

    Attributes
    ----------
    folder : Path
    unit : str or None
        gufe key of the ProtocolUnit; None for other steps.
    name : str
        Name of the unit or step.
    try_number : int
        1 for the first execution.
    """

    folder: Path
    unit: str | None
    name: str
    try_number: int

    def path(self, stream: Stream) -> Path:
        """Return the file of a stream."""
        return self.folder / f"{stream}.txt"


def live_runs(work: str | Path, scope: str, task: str, attempt: str) -> list[LiveRun]:
    """Return the executions with output in a work folder, oldest first; none if it is not that of this attempt.

    Parameters
    ----------
    work : str or Path
        Work folder.
    scope : str
        Scope of the Task.
    task : str
        ScopedKey.
    attempt : str
        Identifier of the attempt.
    """
    folder = Path(work)
    token = ScopedKey.from_str(task).token
    named = folder.name in (token, f"{token}.{attempt}") and folder.parent.name == scope
    if not named or not folder.is_absolute() or folder.is_symlink() or holder_of(folder) != attempt:
        return []
    plan = read_plan(folder)
    units = {} if plan is None else {unit.label: unit for unit in plan.units}
    runs = []
    try:
        found = [run for run in (folder / "runs").iterdir() if run.is_dir() and not run.is_symlink()]
    except OSError:
        return []
    for run in sorted(found, key=lambda run: (_began(run), run.name)):
        label, _, number = run.name.rpartition("-")
        unit = units.get(label)
        if number.isdigit() and any((run / f"{stream}.txt").exists() for stream in STREAMS):
            name = label if unit is None else unit.name
            runs.append(LiveRun(run, None if unit is None else unit.key, name, int(number)))
    return runs


def read_from(path: Path, start: int, limit: int) -> bytes:
    """Return the content of a regular file from a position on; empty if there is none, or if it is a link.

    Parameters
    ----------
    path : Path
    start : int
        First byte; negative: counted from the end.
    limit : int
        Largest number of bytes.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return b""
            file.seek(start if start >= 0 else max(0, status.st_size + start))
            return file.read(limit)
    except OSError:
        return b""


def _began(run: Path) -> float:
    try:
        return min(file.stat(follow_symlinks=False).st_ctime for file in run.iterdir())
    except (OSError, ValueError):
        return float("inf")
