"""Faults of this host that are not a Task's: no space, no processes, a folder that cannot be written.

An attempt that meets one is released, and the host is paused: nothing begins on it until it is well again.
A file system that the Task itself has filled is the Task's failure, and so is what a Protocol does to its
own work folder. What ends because of a fault is decided in `attempt`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = [
    "PAUSED",
    "HostHealth",
    "fills",
    "full_file_system",
    "host_health",
    "is_host_fault",
    "says_full",
    "work_folders",
]

#: How the reason begins that a host gives for a Task that it releases or refuses because it lacks something.
PAUSED: Final = "the host is paused"
#: What the system says when the host lacks something, whoever asked.
_HOST_ERRORS: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTCONN,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_PROBE_BYTES: Final = 2**16
#: So much has to be free again before anything begins: at most this, at most this part of the whole.
_ROOM_BYTES: Final = 2**26
_ROOM_PART: Final = 0.05
#: A Task whose files take more than this part of a file system has filled it by itself.
_OWN_PART: Final = 0.5
#: A fault that no folder tells the end of is taken to be over after so long.
_PAUSE_S: Final = 30.0


def is_host_fault(error: BaseException) -> bool:
    """Whether an error of our own code (never of a Protocol's) is the host's fault."""
    return isinstance(error, OSError) and error.errno in _HOST_ERRORS


def full_file_system(folders: Iterable[Path]) -> tuple[Path, str] | None:
    """Return the first folder that takes nothing more, and why; None if all do.

    Tries to write, for quotas are in no table that can be asked.
    """
    for folder in folders:
        try:
            _probe(folder)
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                return folder, f"{os.strerror(e.errno)} in {folder}"
    return None


def says_full(exception: Iterable[str] | None, traceback: str | None) -> bool:
    """Whether a failure speaks of a file system that is full; anybody's code may have written it."""
    text = " ".join([*(exception or ()), traceback or ""])
    return any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))


def fills(folder: Path, of: Path, part: float = _OWN_PART) -> bool:
    """Whether the files in a folder take more than a part of the file system that `of` lies on."""
    try:
        if folder.stat().st_dev != of.stat().st_dev:
            return False
        status = os.statvfs(of)
    except OSError:
        return False
    return _used_bytes(folder) > part * status.f_blocks * status.f_frsize


@dataclass(slots=True)
class _Pause:
    reason: str
    folder: Path | None
    looked_at: float = field(default_factory=time.monotonic)


class HostHealth:
    """Why nothing is to begin in this process now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: dict[Path | None, _Pause] = {}

    def pause(self, reason: str, folder: Path | None = None) -> None:
        """Begin nothing until the folder takes files again; without one, for half a minute."""
        with self._lock:
            self._pauses[folder] = _Pause(reason, folder)

    def trouble(self) -> str | None:
        """Return why nothing is to begin, None if this host is well."""
        with self._lock:
            self._pauses = {folder: pause for folder, pause in self._pauses.items() if not _is_over(pause)}
            return next((pause.reason for pause in self._pauses.values()), None)


def _is_over(pause: _Pause) -> bool:
    if pause.folder is None:
        return time.monotonic() - pause.looked_at >= _PAUSE_S
    try:
        pause.folder.mkdir(parents=True, exist_ok=True)
        status = os.statvfs(pause.folder)
        if status.f_bavail * status.f_frsize < min(_ROOM_BYTES, _ROOM_PART * status.f_blocks * status.f_frsize):
            return False
        _probe(pause.folder)
    except OSError:
        return False
    return True


def _probe(folder: Path) -> None:
    # under a name of its own, for a quota counts files as well as bytes
    path = folder / f".probe-{uuid.uuid4().hex}"
    try:
        with path.open("xb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _used_bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).stat(follow_symlinks=False).st_blocks * 512
    return total


def work_folders(work: Path, lake_folder: Path | None) -> list[Path]:
    """Return the folders that a Task needs to write into: its own, the temporary one, the lake's."""
    found = [work, Path(tempfile.gettempdir())]
    return found if lake_folder is None else [*found, lake_folder]


_health: dict[int, HostHealth] = {}
_health_lock = threading.Lock()


def host_health() -> HostHealth:
    """Return what this process knows of its host."""
    with _health_lock:
        # by process id, like the gate
        return _health.setdefault(os.getpid(), HostHealth())
