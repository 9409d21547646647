"""Execution of ONE assignment on this host: processes, units, capture, provenance, receipt.

Each Task has a work folder, so that a repeated attempt continues where the last one stopped. Every ProtocolUnit runs
in its own process. No Prefect, no Dask, and no gufe outside of those processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assignment import Assignment, AttemptSpec, Resources
    from .assignment_run import execute_assignment

__all__ = ["Assignment", "AttemptSpec", "Resources", "execute_assignment"]

_HOMES = {
    "Assignment": "assignment",
    "AttemptSpec": "assignment",
    "Resources": "assignment",
    "execute_assignment": "assignment_run",
}


def __getattr__(name: str) -> Any:
    # lazy: the fork server is a module of this package, and the store's libraries would start threads in it; and a
    # job's process must become unreadable before anything slow is imported
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
