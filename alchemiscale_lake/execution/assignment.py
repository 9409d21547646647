"""The unit of hand-out: attempts of Tasks given to one worker, with what they may use.

A Dask future, a queue job and a work-pool flow run all carry an `Assignment`. Who gets which Tasks
is decided in `tasks/` and `ledger/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    """

    attempt: str
    task: str
    transformation: str
    scope: str
    extends_result: str | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What one attempt may use at a time.

    Parameters
    ----------
    cores : int
        Units run side by side within these; each is told its share by `OMP_NUM_THREADS` and the like.
    memory_bytes : int or None
        Told in the message when a process is killed; the queue or the system enforces it.
    gpus : float
        GPUs held. Above zero, units run one at a time, for they would share the device.
    """

    cores: int = 1
    memory_bytes: int | None = None
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """Attempts for one worker, which runs them one after another.

    Parameters
    ----------
    lake : str
        URL or folder of the lake.
    pool : str
        Name of the pool the worker belongs to.
    attempts : tuple of AttemptSpec
    resources : Resources
        Of each attempt in turn.
    timeout_s : float or None
        Longest time for one attempt.
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
    """

    lake: str
    pool: str
    attempts: tuple[AttemptSpec, ...]
    resources: Resources = field(default_factory=Resources)
    timeout_s: float | None = None
    unit_retries: int = 0
    work_root: str | None = None
    keep: tuple[str, ...] = ()
    fail_fast_s: float = 300.0
    kill_grace_s: float = 10.0
