"""The unit of hand-out: attempts of Tasks given to one worker, with what they may use.

A Dask future, a queue job and a work-pool flow run all carry an `Assignment`. Who gets which Tasks
is decided in `tasks/` and `ledger/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..resources import Resources
from ..settings import Monitors

__all__ = ["Assignment", "AttemptSpec", "Resources"]


@dataclass(frozen=True, slots=True)
class AttemptSpec:
    """One claimed run of a Task.

    Parameters
    ----------
    attempt : str
        Id of the attempt.
    task, transformation : str
        ScopedKeys.
    scope : str
        Scope of both.
    extends_result : str or None
        Object path of the good result that this one continues.
    extends_digest : str or None
        SHA-256 of that object; None if unknown.
    resources : Resources or None
        What it may use of its worker's; None: all.
    duration_s : float or None
        How long it is expected to take; a job with less time left refuses it.
    secret : str or None
        What its receipt is signed with; None if whoever handed it out gave none. Kept from the processes that run
        Protocol code.
    """

    attempt: str
    task: str
    transformation: str
    scope: str
    extends_result: str | None = None
    extends_digest: str | None = None
    resources: Resources | None = None
    duration_s: float | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Attempts for one worker.

    It runs them side by side as far as their resources fit into its own, the others after them.

    Parameters
    ----------
    lake : str
        URL or folder of the lake.
    pool : str
        Name of the pool the worker belongs to.
    attempts : tuple of AttemptSpec
    resources : Resources
        Of the worker. An attempt that names none of its own takes all.
    unit_needs : mapping
        What a ProtocolUnit takes, by its class; others share what their attempt has.
    monitors : Monitors
        When nothing further is started beside what runs.
    timeout_s : float or None
        Longest time for one attempt.
    stuck_after_s : float or None
        A unit that makes no progress for so long is ended.
    unit_retries : int
        How often a failed unit is run again: the first time in its own shared folder, where it
        may find a checkpoint, after that in an empty one.
    work_root : str or None
        Where work folders lie. By default `work` in the folder of a lake, else
        `ALCHEMISCALE_LAKE_WORK`, else the system's temporary folder.
    keep : tuple of str
        Glob patterns, relative to a unit's shared folder, of files to keep in the lake.
    fail_fast_s : float
        A unit that fails within this time in a folder with leftovers is run again in an empty one.
    kill_grace_s : float
        From SIGTERM to SIGKILL.
    retire_before_s : float
        Attempts are stopped so long before the job that they run in ends.
    """

    lake: str
    pool: str
    attempts: tuple[AttemptSpec, ...]
    resources: Resources = field(default_factory=Resources)
    unit_needs: Mapping[str, Resources] = field(default_factory=dict)
    monitors: Monitors = field(default_factory=Monitors)
    timeout_s: float | None = None
    stuck_after_s: float | None = None
    unit_retries: int = 0
    work_root: str | None = None
    keep: tuple[str, ...] = ()
    fail_fast_s: float = 300.0
    kill_grace_s: float = 10.0
    retire_before_s: float = 0.0
