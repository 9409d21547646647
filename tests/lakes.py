"""Lakes for tests, written from memory: creating an empty one takes ten times as long."""

from __future__ import annotations

import functools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from alchemiscale_lake.store import Lake

__all__ = ["KeptFolder", "new_lake"]


@dataclass(frozen=True)
class KeptFolder:
    """Content of a folder, to be written any number of times."""

    folders: tuple[str, ...]
    #: Path, mode and content.
    files: tuple[tuple[str, int, bytes], ...]

    @classmethod
    def of(cls, folder: Path) -> KeptFolder:
        paths = sorted(folder.rglob("*"))
        files = ((p, p.stat().st_mode & 0o777, p.read_bytes()) for p in paths if p.is_file())
        return cls(
            tuple(str(p.relative_to(folder)) for p in paths if p.is_dir()),
            tuple((str(p.relative_to(folder)), mode, data) for p, mode, data in files),
        )

    def write(self, folder: Path) -> None:
        """Write it to a folder that does not exist yet."""
        folder.mkdir(parents=True)
        for path in self.folders:
            os.mkdir(f"{folder}/{path}")  # noqa: PTH102
        for path, mode, data in self.files:
            file = os.open(f"{folder}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            os.write(file, data)
            os.close(file)


@functools.cache
def _empty() -> KeptFolder:
    with tempfile.TemporaryDirectory() as folder:
        Lake.create(Path(folder) / "lake")
        return KeptFolder.of(Path(folder) / "lake")


def new_lake(folder: Path) -> Lake:
    """Return an empty lake in a new folder, as `Lake.create` makes it."""
    _empty().write(folder)
    return Lake.open(folder)
