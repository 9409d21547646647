"""Work folders of Tasks, kept between attempts so that the next attempt can continue.

A folder belongs to a Task, `<work root>/<scope>/<task token>`, and contains

    transformation.json, extends.json   the inputs
    dag.json, plan.json                 the ProtocolDAG and the order of its units
    results/<unit key>.json             good unit results
    shared/<nn>-<unit name>/            one per unit, in place until the ProtocolDAG ends
    permanent/<token>/<nn>-<unit name>/ files that a unit wants kept
    scratch/                            one folder per execution, gone after it
    kept/                               files of scratch folders that are to be kept
    runs/                               one folder per execution: output, logs, record

It is removed after a good result. After a failure, or when a worker dies, it stays for the next attempt on this file
system; folders unused for two weeks are removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ..ids import ScopedKey
from .steps import EXTENDS, PLAN, TRANSFORMATION

__all__ = ["WorkFolder", "default_work_root", "holder_of", "sweep"]

_LOCK: Final = "lock"
_PARTS: Final = ("results", "shared", "permanent", "scratch", "kept", "runs")
_FOLDERS_KEPT_S: Final = 14 * 86400.0


def default_work_root(lake_folder: Path | None) -> Path:
    """Return the default folder of work folders."""
    if lake_folder is not None:
        return lake_folder / "work"
    named = os.environ.get("ALCHEMISCALE_LAKE_WORK")
    return Path(named) if named else Path(tempfile.gettempdir()) / "alchemiscale-lake"


class WorkFolder:
    """A work folder locked by this attempt. As a context manager, releases the lock on exit.

    Attributes
    ----------
    path : Path
        Absolute.
    """

    def __init__(self, path: Path, lock: int, *, lasting: bool) -> None:
        self.path = path
        self._lock = lock
        self._lasting = lasting
        for part in _PARTS:
            try:
                (path / part).mkdir()
            except FileExistsError:
                if (path / part).is_symlink() or not (path / part).is_dir():
                    # created by a Protocol
                    (path / part).unlink()
                    (path / part).mkdir()

    @classmethod
    def acquire(cls, root: Path, scope: str, task: str, attempt: str, *, wait_s: float = 5.0) -> WorkFolder:
        """Lock the Task's folder, or a fresh one beside it if an earlier attempt is still running there or spoiled it.

        Parameters
        ----------
        root : Path
            Folder that contains the work folders.
        scope : str
            Scope of the Task.
        task : str
            ScopedKey.
        attempt : str
            Identifier of the attempt.
        wait_s : float, default 5.0
            Time to wait for an earlier attempt to unlock the folder, s.

        Raises
        ------
        OSError
            If the folder cannot be made.
        """
        path = root.absolute() / scope / ScopedKey.from_str(task).token
        deadline = time.monotonic() + wait_s
        while (lock := _take_unless_spoiled(path)) is None:
            if time.monotonic() >= deadline:
                beside = path.with_name(f"{path.name}.{attempt}")
                lock = _take(beside)
                if lock is None:
                    raise OSError(f"{beside} is locked: attempt {attempt} runs twice on this file system")
                _sign(lock, attempt)
                return cls(beside, lock, lasting=False)
            time.sleep(0.1)
        _sign(lock, attempt)
        return cls(path, lock, lasting=True)

    @property
    def steps_lock(self) -> Path:
        """Return the file on which every step holds a shared lock."""
        return self.path / f"steps.{_LOCK}"

    def clear(self) -> None:
        """Remove the ProtocolDAG and everything derived from it. The records of executions are kept."""
        for name in (PLAN, TRANSFORMATION, EXTENDS):
            (self.path / name).unlink(missing_ok=True)
        for part in ("results", "shared", "permanent", "scratch", "kept"):
            with os.scandir(self.path / part) as entries:
                is_empty = next(entries, None) is None
            if not is_empty:
                shutil.rmtree(self.path / part)
                (self.path / part).mkdir()

    def missing(self) -> str | None:
        """Return what a Protocol removed or replaced in the folder; None if it is intact."""
        parts = (self.path, *(self.path / part for part in _PARTS))
        return next((str(part) for part in parts if part.is_symlink() or not part.is_dir()), None)

    def drop_scratch(self) -> None:
        """Remove the scratch folders; call this only while no step runs."""
        shutil.rmtree(self.path / "scratch", ignore_errors=True)

    def forget_runs(self) -> None:
        """Remove the records of executions, once they are in the lake."""
        shutil.rmtree(self.path / "runs", ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder; call this only while nobody uses it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._lasting:
            self.remove()
        os.close(self._lock)


def holder_of(path: Path) -> str | None:
    """Return the attempt that uses a work folder, or used it last; None if it is not a work folder."""
    try:
        return (path / _LOCK).read_text(errors="replace") or None
    except OSError:
        return None


def sweep(root: Path, *, older_than_s: float = _FOLDERS_KEPT_S) -> list[Path]:
    """Remove the folders that have not been used for long; return which.

    Parameters
    ----------
    root : Path
        Folder that contains the work folders.
    older_than_s : float, default _FOLDERS_KEPT_S
        Time since the last use, s.
    """
    swept = []
    for lock_file in root.glob(f"*/*/{_LOCK}"):
        with contextlib.suppress(OSError):
            if time.time() - lock_file.stat().st_mtime < older_than_s:
                continue
            lock = _take(lock_file.parent)
            if lock is not None:
                shutil.rmtree(lock_file.parent, ignore_errors=True)
                os.close(lock)
                swept.append(lock_file.parent)
    return swept


def _sign(lock: int, attempt: str) -> None:
    """Name the holder of a lock, for readers of its output."""
    os.truncate(lock, 0)
    os.pwrite(lock, attempt.encode(), 0)


def _take(path: Path) -> int | None:
    """Lock a folder, created if missing; None while an attempt, or a step of a dead one, uses it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:  # removed in the meantime by a successful attempt
        return None
    if _locked(fd) and _same_file(fd, path / _LOCK) and _idle(path):
        os.utime(fd)
        return fd
    os.close(fd)
    return None


def _take_unless_spoiled(path: Path) -> int | None:
    """Like `_take`; return None also if a Protocol left the folder unusable."""
    try:
        return None if path.is_symlink() else _take(path)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError):
        if not path.parent.is_dir():
            raise
        return None


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _idle(path: Path) -> bool:
    """Return whether no step holds its shared lock: steps may outlive their worker."""
    fd = os.open(path / f"steps.{_LOCK}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        return _locked(fd)
    finally:
        os.close(fd)
