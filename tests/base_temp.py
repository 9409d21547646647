"""Where temporary folders of tests are: in memory, if there is room.

Most of a test's waiting is for fsync. No test needs a disk for its meaning: `tests/disk.py` simulates what a power cut
leaves, and `test_power_cuts.py` makes an ext4 of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

__all__ = ["use_memory"]

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 8 * 2**30


def use_memory() -> None:
    """Let pytest keep temporary folders in memory, unless the user has chosen a place or there is too little of it."""
    if "TMPDIR" not in os.environ and _has_room(_MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def _has_room(folder: Path) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    free = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available)
    return not found.f_flag & os.ST_NOEXEC and free >= _ENOUGH_BYTES
