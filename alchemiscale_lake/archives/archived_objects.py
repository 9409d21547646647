"""Objects of an archive on their way into a lake.

An archive may come from anywhere. So only objects that its rows name are taken, at the places where a lake has such
objects, and only if the name of the place fits the content. What the lake has is never replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, TypeAlias, cast

import polars as pl

from ..content import decompress
from ..errors import ArchiveError, ContentError
from ..store import Lake, content_folder, is_content_path
from ..store.parallel_requests import at_once
from .container import ArchiveFiles
from .scrubbing import renamed

__all__ = ["ArchivedObjects"]

_BATCH: Final = 64
_FOLDER: Final = "objects/"
#: Columns that name objects, by table.
_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "results": ("object_path",),
    "imports": ("object_path",),
    "unit_results": ("stdout_path", "stderr_path", "log_path"),
    "result_files": ("object_path",),
}
_ATTEMPTS: Final = re.compile(r"attempts/([^/]+)/[^/]+/(?:.+/)?(?!receipt\.arrow$|unfinished\.receipt$)[^/]+")
_IMPORTS: Final = re.compile(r"imports/([^/]+)/([0-9a-f]{64})\.[^/]+")
_FILES: Final = re.compile(r"files/([^/]+)/([0-9a-f]{64})/[^/]+")

_Progress: TypeAlias = Callable[[str, int, int], None]


class ArchivedObjects:
    """Objects of an archive, by their paths in a lake.

    Parameters
    ----------
    archive : ArchiveFiles
    rows : mapping of str to polars.DataFrame
        Its rows by table, as the lake gets them.
    scopes : mapping of str to str
        New names of Scopes by old.

    Raises
    ------
    ArchiveError
        If it has an object that no row names, or that is at another place than its content belongs.
    """

    def __init__(self, archive: ArchiveFiles, rows: Mapping[str, pl.DataFrame], scopes: Mapping[str, str]) -> None:
        self._archive = archive
        names = [name for name in archive.names if name.startswith(_FOLDER)]
        given = pl.DataFrame({"path": [name.removeprefix(_FOLDER) for name in names]}, {"path": pl.String})
        self._names = dict(zip(renamed(given, scopes)["path"], names, strict=True))
        self._added: dict[str, bytes] = {}
        named = {
            path
            for table, columns in _NAMED_BY.items()
            for column in columns
            for path in rows[table][column].drop_nulls()
        }
        for path in self._names:
            if path not in named or not self._fits(path):
                raise ArchiveError(
                    f"{archive.path} has an object that is not part of its networks, {path}; nothing was imported",
                    path=str(archive.path),
                    name=path,
                )

    @property
    def paths(self) -> list[str]:
        """Return their paths in the lake."""
        return [*self._names, *self._added]

    @property
    def scopes(self) -> set[str]:
        """Return the Scopes in whose folders they are."""
        return {path.split("/")[1] for path in self._names}

    def add(self, path: str, data: bytes) -> None:
        """Add an object that is not in the archive.

        Parameters
        ----------
        path : str
        data : bytes
        """
        self._added[path] = data

    def copy_for(self, attempt: str, path: str) -> str:
        """Add a copy of a kept file for one attempt, and return its path in the lake.

        Parameters
        ----------
        attempt : str
        path : str
            Path of the content that the attempt must not rely on.
        """
        found = _FILES.fullmatch(path)
        if found is None:
            return path
        copy = f"{content_folder(found[1], found[2])}/data-{attempt}"
        self._names[copy] = self._names[path]
        return copy

    def n_new(self, lake: Lake) -> int:
        """Return the number of those that a lake lacks."""
        return at_once(lake.objects.exists, self.paths).count(False)

    def write(self, lake: Lake, progress: _Progress | None) -> None:
        """Write those that a lake lacks, few at a time, each whole or not at all.

        Parameters
        ----------
        lake : Lake
        progress : callable or None
            Called with what is being done, the number of objects done and their total.

        Raises
        ------
        StorageError
        """

        def put_missing(path: str) -> None:
            if not lake.objects.exists(path):
                self._put(lake, path)

        paths = self.paths
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            at_once(put_missing, batch)
            if progress is not None:
                progress("imported", start + len(batch), len(paths))

    def _put(self, lake: Lake, path: str) -> None:
        if path in self._added:
            lake.objects.put(path, self._added[path])
            return
        name = self._names[path]
        with self._archive.open(name) as file:
            n_bytes, digest = self._archive.n_bytes(name), self._archive.digests[name]
            lake.objects.put_stream(path, cast("BinaryIO", file), n_bytes=n_bytes, digest=digest)

    def _fits(self, path: str) -> bool:
        """Return whether a lake has such an object at this path, and the digest in the path is that of the content."""
        if ".." in path.split("/"):
            return False
        name = self._names[path]
        if found := _FILES.fullmatch(path):
            return is_content_path(path, found[1], found[2]) and self._archive.digests[name] == found[2]
        if found := _IMPORTS.fullmatch(path):
            return _content_digest(self._archive.read(name), path) == found[2]
        return _ATTEMPTS.fullmatch(path) is not None


def _content_digest(data: bytes, path: str) -> str | None:
    try:
        return hashlib.sha256(decompress(data, path)).hexdigest()
    except ContentError:
        return None
