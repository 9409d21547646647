"""The `permanent` folder of a ProtocolUnit, in both shapes that gufe knows.

Today's Context has no permanent storage, so it gets an attribute `permanent`: a folder whose files are kept, with
the methods of the coming `StorageManager`. A Context that takes `permanent_storage` gets gufe's own storage, in the
same folders. Protocols that use neither ignore it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["PermanentFolder", "finished", "offer"]


class PermanentFolder(os.PathLike[str]):
    """A folder whose files are kept after the ProtocolDAG; a Path in all but its class.

    It has the methods of gufe's coming `StorageManager` too. A registered file is moved here from the unit's scratch
    folder when the unit ends.

    Parameters
    ----------
    path : Path
        Folder `<root>/<dag>/<unit>`, created if missing. Files of other ProtocolDAGs in `root` can be read.
    scratch : Path
        Scratch folder of the unit.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.scratch_dir = path.absolute(), scratch
        self.registry: set[str] = set()

    def register(self, filename: str) -> str:
        """Register a file of the scratch folder to be kept when the unit ends; return its location for `load`."""
        self.registry.add(filename)
        return "/".join((*self.path.parts[-2:], filename))

    @property
    def extended(self) -> Path | None:
        """Return the folder of the kept files of the Task that this one extends, a folder per unit; None without."""
        mine = self.path.parent
        return next((other for other in sorted(mine.parent.iterdir()) if other != mine and other.is_dir()), None)

    def load(self, location: str) -> bytes:
        """Return the content of a kept file, also one of a ProtocolDAG that this one extends.

        Parameters
        ----------
        location : str
            As `register` returned it.
        """
        root = self.path.parents[1].resolve()
        found = (root / location).resolve()
        if not found.is_relative_to(root):
            raise FileNotFoundError(f"{location!r} is not the location of a kept file")
        return found.read_bytes()

    def transfer_file(self, filename: str) -> None:
        """Keep a file of the scratch folder now.

        Raises
        ------
        FileNotFoundError
            If the scratch folder has no such file.
        """
        target = self.path / filename
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.scratch_dir / filename, target)
        self.registry.discard(filename)

    def __contains__(self, filename: str) -> bool:
        return filename in self.registry

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        return self.path / name

    def __getattr__(self, name: str) -> Any:
        # only for what is not found here: the rest of a Path
        if name == "path":
            raise AttributeError(name)
        return getattr(self.path, name)


def offer(unit: Any, kept: PermanentFolder | None) -> Any:
    """Return the unit; the Context that it is given has `permanent`.

    gufe 0.4 makes the Context itself, in `execute`; the attribute is set when the unit gets it.

    Parameters
    ----------
    unit : ProtocolUnit
    kept : PermanentFolder or None
    """
    perform = unit._execute

    def with_permanent(context: Any, **inputs: Any) -> Any:
        # a Context with storage of its own has it already
        if not hasattr(context, "permanent"):
            context.permanent = kept
        return perform(context, **inputs)

    if kept is not None:
        unit._execute = with_permanent
    return unit


@contextlib.contextmanager
def finished(kept: PermanentFolder | None) -> Iterator[list[Any]]:
    """Keep registered files after the block; of a unit that failed, those that exist.

    Parameters
    ----------
    kept : PermanentFolder or None

    Yields
    ------
    list
        The block appends the result of the unit.

    Raises
    ------
    FileNotFoundError
        If a unit that succeeded has not written what it registered.
    """
    results: list[Any] = []
    yield results
    if kept is None:
        return
    for filename in sorted(kept.registry):
        try:
            kept.transfer_file(filename)
        except FileNotFoundError:
            if results and bool(results[-1].ok()):
                raise
