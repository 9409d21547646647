"""A simulated disk: the state of a folder after a power cut, from what was fsynced.

Within the block, every `os.fsync` of this process is recorded. A cut then shows the folder as a file system may
restore it: a file has its content at the last fsync, and a name exists if its folder was fsynced since. Newer changes
may also be present, as in ext4: the name, without or with half of the content. Anything written by others, such as
deltalake, counts as never fsynced.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Disk"]

Names = dict[str, int]


class Disk:
    """Watch a folder; everything in it at the start is durable.

    Parameters
    ----------
    root : Path
    before_fsync : callable, optional
        Called with the path that is about to be fsynced, relative to the root.
    """

    def __init__(self, root: Path, before_fsync: Callable[[str], None] | None = None) -> None:
        self.root = root
        self.fsynced: list[str] = []
        self._before = before_fsync
        self._lock = threading.RLock()
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, Names] = {}
        self._trees: list[dict[str, bytes]] = []

    def __enter__(self) -> Self:
        # keep a reference to known files, so that another one does not get the same inode
        self._pins = Path(tempfile.mkdtemp(dir=self.root.parent, prefix=".pins-"))
        self._note_all()
        self._real = os.fsync
        os.fsync = self._fsync  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fsync = self._real  # type: ignore[assignment]
        shutil.rmtree(self._pins)

    @property
    def fsynced_twice(self) -> list[str]:
        """Return files that were fsynced more than once."""
        return sorted({p for p in self.fsynced if (self.root / p).is_file() and self.fsynced.count(p) > 1})

    def cuts(self) -> list[dict[str, bytes]]:
        """Yield what certainly exists after a cut: before the first fsync, and after each."""
        return [{}, *self._trees]

    def certain(self) -> dict[str, bytes]:
        """Return path and content of all files that would certainly survive a cut now."""
        with self._lock:
            found: dict[str, bytes] = {}
            self._walk(self.root.stat().st_ino, "", found)
            return found

    def cut(self, target: Path, *, names: bool = False, half: bool = False) -> None:
        """Copy what would survive a cut now; with `names` also files not fsynced, empty or with half their content."""
        with self._lock:
            left = {}
            if names:
                for path in self.root.rglob("*"):
                    if path.is_file():
                        data = path.read_bytes() if half else b""
                        left[path.relative_to(self.root).as_posix()] = self._contents.get(
                            path.stat().st_ino, data[: len(data) // 2]
                        )
            else:
                left = self.certain()
        for name, data in left.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def _fsync(self, fd: int) -> None:
        with self._lock:
            path = Path(f"/proc/self/fd/{fd}").readlink()
            if path != self.root and self.root not in path.parents:
                return
            name = path.relative_to(self.root).as_posix()
            if self._before is not None:
                self._before(name)
            self._note(path, os.fstat(fd))
            self.fsynced.append(name)
            self._trees.append(self.certain())

    def _note_all(self) -> None:
        for folder, folders, names in os.walk(self.root):
            for name in [".", *folders, *names]:
                path = Path(folder, name)
                self._note(path, path.stat())

    def _note(self, path: Path, found: os.stat_result) -> None:
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(path) as entries:
                inside = list(entries)
            self._names[found.st_ino] = {entry.name: entry.inode() for entry in inside}
            for folder in inside:
                if folder.is_dir():
                    self._names.setdefault(folder.inode(), {})
            return
        self._contents[found.st_ino] = path.read_bytes()
        pin = self._pins / str(found.st_ino)
        if not pin.exists():
            os.link(path, pin)

    def _walk(self, folder: int, prefix: str, found: dict[str, bytes]) -> None:
        for name, inode in self._names.get(folder, {}).items():
            if inode in self._names:
                self._walk(inode, f"{prefix}{name}/", found)
            else:
                # the name without the content, as in ext4
                found[f"{prefix}{name}"] = self._contents.get(inode, b"")
