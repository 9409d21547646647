"""Reading of many result files, in this process or several: parsing is most of the work of an import.

The outcome of a file is small: its results, and those of its objects that no earlier file contained. A file with known
content is not parsed.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import ResultFileError
from .chain import ChainObject
from .imported import ResultFile
from .nested import ObjectPool
from .result_files import read_raw, read_result_file

__all__ = ["FileReading", "read_all"]


@dataclass(frozen=True, slots=True)
class FileReading:
    """Outcome of reading one file.

    Attributes
    ----------
    path : Path
        Path of the file.
    digest : str or None
        SHA-256 of its content; None if it could not be read.
    n_bytes : int
        Size of its content.
    at : datetime
        Time of its last modification.
    file : ResultFile or None
        Its content; None if it is invalid or already known.
    objects : tuple of ChainObject
        Its objects that were not returned for an earlier file.
    problem : str or None
        Why it is invalid.
    unfinished : bool
        Whether it is valid, but has not ended yet.
    """

    path: Path
    digest: str | None
    n_bytes: int
    at: datetime
    file: ResultFile | None
    objects: tuple[ChainObject, ...]
    problem: str | None
    unfinished: bool = False


class _Reader:
    """Reads files sequentially, and tracks which objects were already returned."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._pool = ObjectPool()

    def __call__(self, path: Path) -> FileReading:
        at, digest, size = datetime.now(UTC), None, 0
        before = len(self._pool.objects)
        try:
            raw = read_raw(path)
            at, digest, size = datetime.fromtimestamp(path.stat().st_mtime, UTC), raw.digest, len(raw.data)
            file = None if digest in self._known else read_result_file(raw, self._pool)
        except (ResultFileError, OSError) as e:
            message = e.message if isinstance(e, ResultFileError) else f"{path}: cannot be read ({e})"
            unfinished = isinstance(e, ResultFileError) and bool(e.facts.get("unfinished"))
            return FileReading(path, digest, size, at, None, (), message, unfinished)
        # a dict keeps insertion order: new objects come last
        new = tuple(self._pool.objects.values())[before:]
        return FileReading(path, digest, size, at, file, new, None)


def read_all(paths: Sequence[Path], known: frozenset[str], *, processes: int = 1) -> Iterator[FileReading]:
    """Read files, in order.

    Parameters
    ----------
    paths : sequence of Path
    known : frozenset of str
        Digests of content that need not be parsed.
    processes : int
        Number of reading processes. If more than one, they are spawned, so a script must be guarded by ``if __name__
        == "__main__":``.
    """
    if processes < 2 or len(paths) < 2:
        yield from map(_Reader(known), paths)
        return
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(paths))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(known,)) as executor:
        yield from executor.map(_read, paths)


_reader: Callable[[Path], FileReading] | None = None


def _begin(known: frozenset[str]) -> None:
    global _reader  # a process of an executor has no other place for state
    _reader = _Reader(known)


def _read(path: Path) -> FileReading:
    assert _reader is not None
    return _reader(path)
