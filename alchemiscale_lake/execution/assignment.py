"""The assignment: claimed attempts of Tasks for one worker, with their resources.

A Dask future, a queue job and a work-pool flow run all carry an `Assignment`. `tasks/` and `dispatch/` decide who gets
which Tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..resources import Resources
from ..settings import FileRules, Monitors

__all__ = ["Assignment", "AttemptSpec", "ExtendedFile", "Resources"]


@dataclass(frozen=True, slots=True)
class ExtendedFile:
    """A kept file of a Task that an attempt extends.

    Parameters
    ----------
    location : str
        Where the attempt finds it: Task token, unit and name, as `register` returned it for a registered file.
    object_path : str
        Path of the content in the lake.
    digest : str
        SHA-256 of the content, hexadecimal.
    n_bytes : int
        Its size.
    """

    location: str
    object_path: str
    digest: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class AttemptSpec:
    """One claimed attempt of a Task.

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
    extends_files : tuple of ExtendedFile
        Files that were kept with it.
    resources : Resources or None
        Resources it may use on its worker; None for all.
    duration_s : float or None
        Expected duration; a job with less time left refuses it.
    kept_bytes : int
        Size of the files that earlier attempts of the Task have kept.
    scope_kept_bytes : int or None
        Size of the kept files of the Scope; None if that is not limited.
    secret : str or None
        Secret that its receipt is signed with; None if there is none. Hidden from the processes that run Protocol
        code.
    """

    attempt: str
    task: str
    transformation: str
    scope: str
    extends_result: str | None = None
    extends_digest: str | None = None
    extends_files: tuple[ExtendedFile, ...] = ()
    resources: Resources | None = None
    duration_s: float | None = None
    kept_bytes: int = 0
    scope_kept_bytes: int | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Attempts for one worker.

    They run concurrently as far as their resources fit into those of the worker, and the rest afterwards.

    Parameters
    ----------
    lake : str
        URL or folder of the lake.
    pool : str
        Name of the pool the worker belongs to.
    attempts : tuple of AttemptSpec
    resources : Resources
        Resources of the worker. An attempt without its own takes all.
    unit_needs : mapping
        Resources of ProtocolUnits by class; units of other classes share those of their attempt.
    process_per_unit : mapping
        Whether each unit runs in its own process from the start, by class of Protocol; `*`: any other class.
    monitors : Monitors
        Limits above which nothing more is started.
    timeout_s : float or None
        Maximum duration of one attempt.
    stuck_after_s : float or None
        Time without progress after which a unit is terminated.
    unit_retries : int
        Number of retries of a failed unit: the first in the same shared folder, where it may find a checkpoint, the
        others in an empty one.
    work_root : str or None
        Folder of work folders. Default: `work` in the folder of a lake, else `ALCHEMISCALE_LAKE_WORK`, else the
        system's temporary folder.
    files : FileRules
        Which files are kept in the lake, up to which size.
    output_bytes : int
        Largest stdout, stderr or log of a unit that is stored whole; of a larger one, the first and last half of it.
    fail_fast_s : float
        A unit that fails within this time in a folder with leftovers is retried in an empty one.
    kill_grace_s : float
        Time from SIGTERM to SIGKILL.
    retire_before_s : float
        Time before the end of their job at which attempts are stopped.
    """

    lake: str
    pool: str
    attempts: tuple[AttemptSpec, ...]
    resources: Resources = field(default_factory=Resources)
    unit_needs: Mapping[str, Resources] = field(default_factory=dict)
    process_per_unit: Mapping[str, bool] = field(default_factory=dict)
    monitors: Monitors = field(default_factory=Monitors)
    timeout_s: float | None = None
    stuck_after_s: float | None = None
    unit_retries: int = 0
    work_root: str | None = None
    files: FileRules = field(default_factory=FileRules)
    output_bytes: int = 2**20
    fail_fast_s: float = 300.0
    kill_grace_s: float = 10.0
    retire_before_s: float = 0.0
