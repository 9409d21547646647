"""Folder or bucket prefix into which people put design files: what is there, and what was refused.

A file that is refused stays where it is; `<file>.refused.txt` beside it states the reason. Whether a file is new is
decided in `growth`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ..content import max_bytes
from ..errors import LakeError, MissingClassError, MissingDependencyError, NotFoundError, TransientError
from ..networks import Network, read_network
from ..store import Location, ObjectInfo, ObjectStore, now_utc

__all__ = ["DesignFile", "DesignSource"]

_SUFFIXES: Final = (".json", ".json.zst", ".json.gz", ".msgpack", ".msgpack.zst")
_NOTE: Final = ".refused.txt"


@dataclass(frozen=True, slots=True)
class DesignFile:
    """A design file as it was read.

    Attributes
    ----------
    path : str
        Relative to the source.
    digest : str
        SHA-256 of its content.
    n_bytes : int
    modified_at : datetime
    network : Network or None
        None if it is left out.
    reason : str or None
        Why it is left out.
    is_waiting : bool
        Whether it may be read once something is installed; otherwise, one that is left out is refused.
    """

    path: str
    digest: str
    n_bytes: int
    modified_at: datetime
    network: Network | None
    reason: str | None = None
    is_waiting: bool = False


class DesignSource:
    """A folder, or a prefix of a bucket, and what it contained when it was opened.

    Parameters
    ----------
    place : str
        Folder or URL.
    settle_s : float
        Age from which a file in a folder is complete: people copy files there, which takes a while. In a bucket,
        objects are complete as soon as they exist.

    Attributes
    ----------
    url : str
    files : list of ObjectInfo
        Design files that are complete, sorted by path.
    n_unsettled : int
        Number of files that are not.

    Raises
    ------
    NotFoundError
        If there is no such folder.
    StorageError
    """

    def __init__(self, place: str, *, settle_s: float) -> None:
        location = Location.parse(place)
        if location.path is not None and not location.path.is_dir():
            raise NotFoundError(
                f"there is no folder {location.path} to pick up design files from; create it, or give another",
                value=place,
            )
        self.url = location.url
        self._store = ObjectStore(location)
        listed = sorted(self._store.list_with_times(""), key=lambda info: info.path)
        self._notes = {info.path for info in listed if info.path.endswith(_NOTE)}
        files = [info for info in listed if _is_design(info)]
        settle_s = settle_s if location.path is not None else 0.0
        now = now_utc()
        self.files = [info for info in files if abs((now - info.modified_at).total_seconds()) >= settle_s]
        self.n_unsettled = len(files) - len(self.files)

    def read(self, info: ObjectInfo) -> DesignFile | None:
        """Read one file; None if it has gone meanwhile.

        Raises
        ------
        StorageError
        """
        if info.n_bytes > max_bytes():
            reason = f"{info.path}: {info.n_bytes} bytes, more than the {max_bytes()} that are read"
            return DesignFile(info.path, "unread", info.n_bytes, info.modified_at, None, reason)
        try:
            data = self._store.get(info.path)
        except NotFoundError:
            return None
        digest = hashlib.sha256(data).hexdigest()
        try:
            return DesignFile(info.path, digest, len(data), info.modified_at, _network(info.path, data))
        except TransientError:
            raise
        except (MissingClassError, MissingDependencyError) as e:
            return DesignFile(info.path, digest, len(data), info.modified_at, None, str(e), is_waiting=True)
        except Exception as e:  # whatever is wrong with a file is a reason to refuse it, and no reason to stop
            reason = str(e) if isinstance(e, LakeError) else f"{info.path}: {type(e).__name__}: {e}"
            return DesignFile(info.path, digest, len(data), info.modified_at, None, reason)

    def set_aside(self, left_out: Mapping[str, str]) -> None:
        """Write texts beside files that are left out, and remove those that no longer apply.

        Parameters
        ----------
        left_out : mapping of str to str
            Reason, and what to do, by path, for all files that are left out.

        Raises
        ------
        StorageError
            If the place is not writable.
        """
        there = {info.path for info in self.files}
        for path, reason in left_out.items():
            if path in there:
                text = reason.encode()
                if f"{path}{_NOTE}" not in self._notes or self._store.get(f"{path}{_NOTE}") != text:
                    self._store.put(f"{path}{_NOTE}", text)
        self._store.delete(note for note in self._notes if note.removesuffix(_NOTE) in there - left_out.keys())


def _is_design(info: ObjectInfo) -> bool:
    hidden = info.is_temporary or any(part.startswith(".") for part in info.path.split("/"))
    return info.path.endswith(_SUFFIXES) and not hidden


def _network(path: str, data: bytes) -> Network:
    """Read what was hashed, not what the file has become since."""
    name = path.rpartition("/")[2]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(data)
        try:
            return read_network(file)
        except Exception as e:
            _rename(e, f"{folder}/{name}", path)
            raise


def _rename(error: Exception, temporary: str, path: str) -> None:
    """Name the design file, not its copy, in a message."""
    error.args = tuple(arg.replace(temporary, path) if isinstance(arg, str) else arg for arg in error.args)
