"""Find and kill the descendants of a step, including those that left its process group.

Every process below a fork server carries that server's mark in its initial environment, which children inherit. Linux
only: it reads `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

__all__ = ["MARK", "children_of", "kill_marked", "mark_of"]

#: Environment variable with `<token of the fork server>-<number of the step>`.
MARK = "ALCHEMISCALE_LAKE_STEP"


def mark_of(pid: int) -> str | None:
    """Return the mark a process was started with; None without one, or if it is gone or not ours."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    found = [entry for entry in environment.split(b"\0") if entry.startswith(prefix)]
    return found[0][len(prefix) :].decode(errors="replace") if found else None


def children_of(pid: int) -> list[int]:
    """Return the direct children of a single-threaded process, including zombies."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN: ask every process for its parent
        return [other for other in _processes() if _parent_of(other) == pid]


def kill_marked(token: str, *, patience_s: float = 5.0) -> None:
    """Kill all descendants of the fork server with this token, until none is left.

    Parameters
    ----------
    token : str
        Mark in the environment of the descendants.
    patience_s : float, default 5.0
        Time after which processes that survive are left, s.
    """
    deadline = time.monotonic() + patience_s
    while True:
        found = [pid for pid in _processes() if pid != os.getpid() and _carries(pid, token)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        # zombies have no mark, so this ends once all are dead; one blocked in the kernel may not die
        if not found or time.monotonic() > deadline:
            return
        time.sleep(0.01)


def _carries(pid: int, token: str) -> bool:
    mark = mark_of(pid)
    return mark is not None and mark.partition("-")[0] == token


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
