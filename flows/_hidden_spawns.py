"""Processes that Python's multiprocessing starts, without credentials in what others can read of them.

Dask starts its local worker through multiprocessing, which hands down the environment as it is, to be
read in `/proc` as long as the process lives. Here it is handed down without secrets, and a worker gets
its arguments, with the secrets among them, only once it has forbidden being read.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import util
from typing import Any

from alchemiscale_lake.secrecy import without_secrets

__all__ = ["hidden_spawns"]

#: Put before the code of a new Python: `secrecy.forbid_reading` without an import of ours, then the news of it.
_FORBID = "import ctypes, os; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); os.close({fd}); "


@contextlib.contextmanager
def hidden_spawns() -> Iterator[None]:
    """Start what multiprocessing spawns in this process without secrets, and unreadable, within the block."""
    patched: Any = util
    before = patched.spawnv_passfds
    patched.spawnv_passfds = _spawn
    try:
        yield
    finally:
        patched.spawnv_passfds = before


def _spawn(path: str | bytes, arguments: Sequence[str | bytes], descriptors: Sequence[int]) -> int:
    """Do what `multiprocessing.util.spawnv_passfds` does; return once the process cannot be read."""
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
    # it is multiprocessing's to wait for; without this, Popen would reap it
    process.returncode = 0
    if sys.platform == "linux":
        os.read(told, 1)  # nothing, at once when the other end is closed
        os.close(told)
    return process.pid
