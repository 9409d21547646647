"""Progress of a step: CPU time used by its processes, and changes in its folders."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil

from ..store import now_utc

__all__ = ["StepProgress", "Vitals"]

#: Interval of checks, unless a shorter one is needed to detect a stuck step in time.
_LOOK_EVERY_S: Final = 30.0
_LOOKS_BEFORE_STUCK: Final = 8
#: Minimum CPU time, and minimum fraction of a core, that counts as progress; an idle process wakes up now and then.
_CPU_S: Final = 0.05
_CPU_FRACTION: Final = 1e-3


@dataclass(slots=True)
class Vitals:
    """Content of an attempt's heartbeats; written by the runner, read by the heartbeat thread.

    Attributes
    ----------
    units_done : int, default 0
        Units that have ended.
    units_total : int, default 0
        Units of the ProtocolDAG; 0 until it is made.
    progress_at : datetime
        Time of the last progress, UTC.
    work : str, optional
        Work folder; None until the attempt has one.
    """

    units_done: int = 0
    units_total: int = 0
    progress_at: datetime = field(default_factory=now_utc)
    work: str | None = None


class StepProgress:
    """Progress monitor of one step.

    Parameters
    ----------
    folders : iterable of Path
        Folders it writes to.
    vitals : Vitals
        Vitals of its attempt.
    stuck_after_s : float or None
    """

    def __init__(self, folders: Iterable[Path], vitals: Vitals, stuck_after_s: float | None) -> None:
        self._folders, self._vitals, self._stuck_after_s = tuple(folders), vitals, stuck_after_s
        self._period_s = min(_LOOK_EVERY_S, (stuck_after_s or _LOOK_EVERY_S) / _LOOKS_BEFORE_STUCK)
        self._got_on = self._looked = time.monotonic()
        self._cpu_time_s = 0.0
        self._written: tuple[float, ...] = ()

    def is_stuck(self, pid: int | None) -> bool:
        """Check if a check is due; return whether nothing has moved for too long.

        Parameters
        ----------
        pid : int or None
            Process id of the step.
        """
        now = time.monotonic()
        if now - self._looked < self._period_s:
            return False
        # a job that its queue suspends is suspended together with this monitor
        was_asleep = now - self._looked > 60.0 + 3 * self._period_s
        self._looked = now
        if self._moved(pid, now - self._got_on) or was_asleep:
            self._got_on, self._vitals.progress_at = now, now_utc()
        return self._stuck_after_s is not None and now - self._got_on >= self._stuck_after_s

    def _moved(self, pid: int | None, elapsed_s: float) -> bool:
        cpu_time_s, written = _cpu_time_s(pid), _written(self._folders)
        used_s = cpu_time_s - self._cpu_time_s
        moved = written != self._written or used_s > max(_CPU_S, _CPU_FRACTION * elapsed_s)
        # a process that ended unobserved takes its CPU time with it
        if moved or used_s < 0:
            self._cpu_time_s, self._written = cpu_time_s, written
        return moved


def _cpu_time_s(pid: int | None) -> float:
    """Return the CPU time of a process and its descendants, including those that ended."""
    if pid is None:
        return 0.0
    total = 0.0
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for member in tree:
        try:
            total += sum(member.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def _written(folders: Iterable[Path]) -> tuple[float, ...]:
    """Return the number, bytes and latest change of the files in folders."""
    number, n_bytes, newest = 0, 0, 0.0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                try:
                    status = (Path(place) / name).stat(follow_symlinks=False)
                except OSError:
                    continue
                number, n_bytes, newest = number + 1, n_bytes + status.st_size, max(newest, status.st_mtime)
    return number, n_bytes, newest
