"""Running ONE assignment on this host: processes, units side by side, capture, provenance, receipt.

Work lies in a folder per Task, so that a repeated attempt goes on where the last one stopped. Every
ProtocolUnit runs in a process of its own. No Prefect, no Dask, and no gufe outside of those processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .assignment import Assignment, AttemptSpec, Resources

if TYPE_CHECKING:
    from .assignment_run import execute_assignment

__all__ = ["Assignment", "AttemptSpec", "Resources", "execute_assignment"]


def __getattr__(name: str) -> Any:
    # late: the zygote is a module of this package, and the store's libraries would start threads in it
    if name == "execute_assignment":
        from .assignment_run import execute_assignment

        return execute_assignment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
