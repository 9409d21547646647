"""Methods about kept files: listed, copied to this machine, their URLs and their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from ..errors import NotFoundError
from ..ids import ScopedKey
from ..store import copy_content
from .client_part import AnyKey, ClientPart, bytes_bar, text, texts

__all__ = ["FileMethods"]

_BLOCK_BYTES: Final = 8 * 2**20


class FileMethods(ClientPart):
    """List and copy kept files."""

    def list_files(self, key: AnyKey, pattern: str = "*", *, attempt: str | None = None) -> pl.DataFrame:
        """Return the kept files of a Task or network, and those that were not kept or were deleted, with the reason.

        Parameters
        ----------
        key : ScopedKey or str
            A Task or a network.
        pattern : str, default "*"
            Only files whose path matches, as in `*.nc`; `*` also matches `/`.
        attempt : str, optional
            Only files of this attempt.

        Returns
        -------
        polars.DataFrame
            Columns task, attempt, path, unit, n_bytes, kept_by, digest, reason, stored; newest attempt of each Task
            first. `stored`: whether the content is in the lake.
        """
        return self._frame("kept_files", keys=[text(key)], pattern=pattern, attempt=attempt)

    def get_file(
        self,
        task: AnyKey,
        path: str,
        folder: str | Path = ".",
        *,
        attempt: str | None = None,
        visualize: bool = True,
    ) -> Path:
        """Copy a kept file of a Task to this machine, and return where it is.

        Parameters
        ----------
        task : ScopedKey or str
        path : str
            As `list_files` returns it.
        folder : str or Path, default "."
            The file is below it, at its path.
        attempt : str, optional
            By default, the newest attempt that has the file.
        visualize : bool, default True
            Show progress.

        Raises
        ------
        NotFoundError
            If no such file is kept.
        DamagedError
            If the content does not have the recorded digest.
        """
        rows = [row for row in self._stored(task, "*", attempt) if row["path"] == path]
        if not rows:
            raise NotFoundError(f"no file {path!r} of {text(task)} is kept; `list_files` has those that are", path=path)
        with bytes_bar(path, rows[0]["n_bytes"], visualize=visualize) as tell:
            return self._copied(rows[0], Path(folder), tell)

    def get_files(
        self,
        key: AnyKey,
        pattern: str = "*",
        folder: str | Path = ".",
        *,
        attempt: str | None = None,
        visualize: bool = True,
    ) -> list[Path]:
        """Copy kept files to this machine, and return where they are: of each Task, those of its newest attempt.

        A file appears when it is complete and its digest is right; an interrupted copy is continued, and a file that
        is there is not copied again.

        Parameters
        ----------
        key : ScopedKey or str
            A Task, or a network: then there is a folder per Task, named by its gufe key.
        pattern : str, default "*"
            Only files whose path matches, as in `*.nc`; `*` also matches `/`.
        folder : str or Path, default "."
            The files are below it, at their paths.
        attempt : str, optional
            Take the files of this attempt.
        visualize : bool, default True
            Show progress.

        Raises
        ------
        DamagedError
            If the content of a file does not have the recorded digest.
        """
        rows = self._newest(key, pattern, attempt)
        is_task = all(row["task"] == text(key) for row in rows)
        total = sum(row["n_bytes"] for row in rows)
        with bytes_bar("files", total, visualize=visualize) as tell:
            return [self._copied(row, Path(folder) / ("" if is_task else _name(row)), tell) for row in rows]

    def get_file_urls(
        self, task: AnyKey, pattern: str = "*", *, valid_s: float = 3600.0, attempt: str | None = None
    ) -> dict[str, str]:
        """Return by path URLs of the kept files of a Task's newest attempt, if the lake is in a bucket.

        Parameters
        ----------
        task : ScopedKey or str
        pattern : str, default "*"
            Only files whose path matches.
        valid_s : float, default 3600.0
            Time until they expire, seconds. Anyone who has a URL can read the file until then.
        attempt : str, optional
            Take the files of this attempt.

        Raises
        ------
        SettingsError
            If the lake is a folder.
        """
        return {
            row["path"]: self._ask("file_url", **_place(row), valid_s=valid_s)
            for row in self._newest(task, pattern, attempt)
        }

    def get_tasks_storage(self, tasks: Sequence[AnyKey]) -> list[dict[str, int]]:
        """Return of each Task n_files, result_bytes, file_bytes and shared_bytes, those that other Tasks have too."""
        return list(self._ask("tasks_storage", tasks=texts(tasks)))

    def get_networks_storage(self, networks: Sequence[AnyKey]) -> list[dict[str, int]]:
        """Return of each network n_files, result_bytes, file_bytes and shared_bytes, those that others have too."""
        return list(self._ask("networks_storage", networks=texts(networks)))

    def _stored(self, key: AnyKey, pattern: str, attempt: str | None) -> list[dict[str, Any]]:
        return self.list_files(key, pattern, attempt=attempt).filter("stored").to_dicts()

    def _newest(self, key: AnyKey, pattern: str, attempt: str | None) -> list[dict[str, Any]]:
        """Return the files of the newest attempt of each Task that has some."""
        rows = self._stored(key, pattern, attempt)
        newest: dict[str, str] = {}
        for row in rows:
            newest.setdefault(row["task"], row["attempt"])
        return [row for row in rows if newest[row["task"]] == row["attempt"]]

    def _copied(self, row: Mapping[str, Any], folder: Path, tell: Any) -> Path:
        def blocks(start: int) -> Iterator[bytes]:
            while block := self._ask("file_block", **_place(row), start=start, n_bytes=_BLOCK_BYTES):
                yield block
                start += len(block)

        target: Path = folder / row["path"]
        copy_content(blocks, target, what=row["path"], digest=row["digest"], n_bytes=row["n_bytes"], tell=tell)
        return target


def _place(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in ("task", "attempt", "path")}


def _name(row: Mapping[str, Any]) -> str:
    return str(ScopedKey.from_str(row["task"]).gufe_key)
