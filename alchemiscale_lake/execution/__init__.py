"""Running ONE assignment on this host: processes, units side by side, capture, provenance, receipt.

Work lies in a folder per Task, so that a repeated attempt goes on where the last one stopped. Every
ProtocolUnit runs in a process of its own. No Prefect, no Dask, and no gufe outside of those processes.
"""

from __future__ import annotations

from .assignment import Assignment, AttemptSpec, Resources
from .attempt import execute_assignment

__all__ = ["Assignment", "AttemptSpec", "Resources", "execute_assignment"]
