"""The GPUs of this host, from nvidia-smi and the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

__all__ = ["VISIBLE", "ask_nvidia", "visible_devices"]

#: Environment variable with the devices that CUDA shows to a process.
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
#: Values that queues set for a job without a GPU.
_NONE: Final = frozenset({"-1", "NoDevFiles", "none", "void"})


def ask_nvidia(*fields: str) -> list[list[str]]:
    """Return these fields (of `nvidia-smi --query-gpu`) of every GPU; empty without a GPU or the tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=30.0, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # the tool exists, but not the driver
        return []
    rows = [[word.strip() for word in line.split(",")] for line in told.splitlines()]
    return [row for row in rows if len(row) == len(fields)]


def visible_devices() -> list[str] | None:
    """Return the names of the devices this process may use, None if unknown.

    They are those of `CUDA_VISIBLE_DEVICES` (numbers, UUIDs or MIG instances), which a queue sets for its jobs; else
    the numbers of those that nvidia-smi lists.
    """
    named = os.environ.get(VISIBLE, "").strip()
    if named:
        names: list[str] = []
        for name in (word.strip() for word in named.split(",")):
            if name in _NONE or not name:  # CUDA also stops reading here
                break
            names.append(name)
        return names
    return [row[0] for row in ask_nvidia("index")] or None
