"""Processes started by Python's multiprocessing, without credentials that other processes could read.

Dask starts its local worker through multiprocessing, which passes the whole environment, readable in `/proc`
as long as the process lives. Here the environment is passed without secrets, and a worker gets its arguments,
including secrets, only after it has forbidden reading its memory.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import util
from typing import Any

from ..secrecy import without_secrets

__all__ = ["hidden_spawns"]

#: Prefix for the code of a new Python: `secrecy.forbid_reading` without our imports, then a signal that it is done.
_FORBID = "import ctypes, os; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); os.close({fd}); "


@contextlib.contextmanager
def hidden_spawns() -> Iterator[None]:
    """Within the block, spawn multiprocessing processes without secrets and unreadable by others."""
    patched: Any = util
    before = patched.spawnv_passfds
    patched.spawnv_passfds = _spawn
    try:
        yield
    finally:
        patched.spawnv_passfds = before


def _spawn(path: str | bytes, arguments: Sequence[str | bytes], descriptors: Sequence[int]) -> int:
    """Replace `multiprocessing.util.spawnv_passfds`; return once the process cannot be read."""
    command = [os.fsdecode(argument) for argument in arguments]
    told, tell = os.pipe()
    try:
        if sys.platform == "linux":
            code = command.index("-c") + 1
            command[code] = _FORBID.format(fd=tell) + command[code]
        process = subprocess.Popen(
            command,
            executable=path,
            env=without_secrets(os.environ),
            pass_fds=(*descriptors, tell),
        )
    finally:
        os.close(tell)
        if sys.platform != "linux":
            os.close(told)
    # multiprocessing waits for the process; without this, Popen would reap it
    process.returncode = 0
    if sys.platform == "linux":
        os.read(told, 1)  # nothing, at once when the other end is closed
        os.close(told)
    return process.pid
