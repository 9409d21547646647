"""Host faults, which are not a Task's fault: no disk space, no processes, a read-only folder.

An attempt that meets one is released, and the host is paused: nothing starts on it until it has recovered. A file
system filled by the Task itself is the Task's failure, and so is whatever a Protocol does to its own work folder.
`attempt` decides what ends because of a fault.
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

#: Prefix of the reason for which a paused host releases or refuses a Task.
PAUSED: Final = "the host is paused"
#: Error numbers that mean the host lacks something.
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
#: Space that must be free before anything starts: the smaller of this size and this fraction of the whole.
_ROOM_BYTES: Final = 2**26
_ROOM_PART: Final = 0.05
#: A Task whose files exceed this fraction of a file system has filled it itself.
_OWN_PART: Final = 0.5
#: Duration of a pause that is not tied to a folder.
_PAUSE_S: Final = 30.0


def is_host_fault(error: BaseException) -> bool:
    """Return whether an error raised by our own code (never by a Protocol) is the host's fault."""
    return isinstance(error, OSError) and error.errno in _HOST_ERRORS


def full_file_system(folders: Iterable[Path]) -> tuple[Path, str] | None:
    """Return the first folder that cannot be written, and the reason; None if all can.

    Tests by writing, since quotas cannot be queried.
    """
    for folder in folders:
        try:
            _probe(folder)
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                return folder, f"{os.strerror(e.errno)} in {folder}"
    return None


def says_full(exception: Iterable[str] | None, traceback: str | None) -> bool:
    """Return whether a failure mentions a full file system; its text may come from any code.

    Parameters
    ----------
    exception : iterable of str or None
        Type and message of the failure.
    traceback : str or None
        Traceback of the failure.
    """
    text = " ".join([*(exception or ()), traceback or ""])
    return any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))


def fills(folder: Path, of: Path, part: float = _OWN_PART) -> bool:
    """Return whether the files in a folder exceed a fraction of the file system that contains `of`.

    Parameters
    ----------
    folder : Path
        Folder whose files are summed.
    of : Path
        Any path on the file system.
    part : float, default _OWN_PART
        Fraction of the file system's size, within (0, 1).
    """
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
    """Reasons why nothing may start in this process now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: dict[Path | None, _Pause] = {}

    def pause(self, reason: str, folder: Path | None = None) -> None:
        """Start nothing until the folder can be written again; without a folder, for half a minute.

        Parameters
        ----------
        reason : str
            Message for operators.
        folder : Path, optional
            Folder that could not be written.
        """
        with self._lock:
            self._pauses[folder] = _Pause(reason, folder)

    def trouble(self) -> str | None:
        """Return why nothing may start, None if this host is healthy."""
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
    # a file of its own, since a quota counts files as well as bytes
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
    """Return the folders that a Task writes to: its own, the temporary one, the lake's.

    Parameters
    ----------
    work : Path
        Folder for work in progress.
    lake_folder : Path or None
        Folder of the lake; None for a bucket.
    """
    found = [work, Path(tempfile.gettempdir())]
    return found if lake_folder is None else [*found, lake_folder]


_health: dict[int, HostHealth] = {}
_health_lock = threading.Lock()


def host_health() -> HostHealth:
    """Return the health of the host as known to this process."""
    with _health_lock:
        # by process id, like the gate
        return _health.setdefault(os.getpid(), HostHealth())
