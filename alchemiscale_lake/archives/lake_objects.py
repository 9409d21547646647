"""Objects of a lake that belong to an archive: results, outputs of units, imported files, kept files.

Results and outputs are read few at a time; kept files, which may be large, block by block.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from ..content import decompress
from ..errors import ContentError, DamagedError, NotFoundError
from ..networks.shared_links import is_shared, shared_keys
from ..networks.stored_results import scope_of_object
from ..store import Lake, collect
from ..store.parallel_requests import at_once
from .scrubbing import Scrubber

__all__ = ["LakeObjects", "kept_file"]

#: Objects read at once, and held in memory.
_BATCH: Final = 64
_OUTPUTS: Final = ("stdout_path", "stderr_path", "log_path")


class LakeObjects:
    """Reader of the objects that rows name.

    Parameters
    ----------
    lake : Lake
    frames : mapping of str to polars.DataFrame
        Rows by table.
    results : bool
        Whether to read results and imported files.
    outputs : bool
        Whether to read what units wrote to stdout, stderr and logs.
    scrubber : Scrubber
        Objects that contain what it finds are left out.
    """

    def __init__(
        self, lake: Lake, frames: Mapping[str, pl.DataFrame], *, results: bool, outputs: bool, scrubber: Scrubber
    ) -> None:
        self._lake = lake
        self._scrubber = scrubber
        # digests of imported files are those of their content, uncompressed
        self._digests: dict[str, str | None] = {}
        if results:
            named = frames["results"].filter(pl.col("object_path").is_not_null())
            for path, digest in named.select("object_path", "digest").iter_rows():
                self._digests[path] = None if path.startswith("imports/") else digest
            self._digests |= dict.fromkeys(frames["imports"]["object_path"])
        if outputs:
            for column in _OUTPUTS:
                self._digests |= dict.fromkeys(frames["unit_results"][column].drop_nulls())
        self._of_results = set(frames["results"]["object_path"].drop_nulls())
        self._scopes = set(frames["networks"]["scope"])
        self._elsewhere: dict[str, set[str]] = {}
        self._left_out: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def left_out(self) -> dict[str, str]:
        """Return the number of objects left out so far, by reason."""
        return {why: str(n) for why, n in sorted(self._left_out.items())}

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of each, in order."""
        paths = list(self._digests)
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            for path, (data, why) in zip(batch, at_once(self._read, batch), strict=True):
                if data is None:
                    self._left_out[why] += 1
                    continue
                self._note_shared(path, data)
                yield path, data

    def shared_elsewhere(self) -> pl.DataFrame:
        """Return the rows of `gufe_objects` that copied results refer to in the Scopes where they were computed."""
        rows = self._lake.table("gufe_objects").scan()
        wanted = [
            collect(rows.filter(pl.col("scope") == scope, pl.col("key").is_in(list(keys))), "table 'gufe_objects'")
            for scope, keys in sorted(self._elsewhere.items())
        ]
        return pl.concat([collect(rows.head(0), "table 'gufe_objects'"), *wanted])

    def _read(self, path: str) -> tuple[bytes | None, str]:
        """Return the content of an object, or None and why it is left out."""
        try:
            data = self._lake.objects.get(path, digest=self._digests[path])
        except NotFoundError:
            return None, "objects that are missing in the lake"
        except DamagedError:
            return None, "objects that are damaged in the lake"
        found = self._scrubber.finds(data, path)
        return (data, "") if found is None else (None, f"objects that contain names of {found}")

    def _note_shared(self, path: str, data: bytes) -> None:
        if path not in self._of_results or path.startswith("imports/") or scope_of_object(path) in self._scopes:
            return
        try:
            content = decompress(data, path)
            keys = shared_keys(content, path) if is_shared(content) else []
        except ContentError:
            return  # it is as it was recorded, and no reader of this lake can read it either
        self._elsewhere.setdefault(scope_of_object(path), set()).update(keys)


def kept_file(lake: Lake, path: str, digest: str) -> Iterator[bytes]:
    """Yield the content of a kept file, and compare it with its digest at the end.

    Parameters
    ----------
    lake : Lake
    path : str
        Column `object_path` of `result_files`.
    digest : str
        Column `digest`.

    Raises
    ------
    DamagedError
        If it is not as it was written.
    NotFoundError, StorageError
    """
    read = hashlib.sha256()
    for block in lake.objects.read_stream(path):
        read.update(block)
        yield block
    if read.hexdigest() != digest:
        raise DamagedError(
            f"{path} in the lake is damaged, so it cannot be archived; see `alchemiscale-lake verify`. An archive "
            "without --files has everything else",
            path=path,
        )
