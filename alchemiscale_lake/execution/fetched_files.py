"""Kept files of the Task that an attempt extends, copied to where its units find them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import ContentError, NotFoundError
from ..store import Lake, copy_content
from .assignment import ExtendedFile
from .patience import StoppedError, patiently
from .watch import Watch

__all__ = ["fetch_extended_files"]

_log = logging.getLogger(__name__)


def fetch_extended_files(lake: Lake, files: Iterable[ExtendedFile], folder: Path, watch: Watch) -> None:
    """Copy files below a folder, each to its location. One that is not in the lake any more is left out.

    Parameters
    ----------
    lake : Lake
    files : iterable of ExtendedFile
    folder : Path
        Folder with the permanent files of the ProtocolDAGs of this work folder.
    watch : Watch
        Decides when to stop.

    Raises
    ------
    ContentError
        If a location is not within the folder.
    DamagedError
        If a file does not have its digest.
    StoppedError
        If the attempt was stopped meanwhile.
    StorageError, OSError
    """

    def look(_: int) -> None:
        cut = watch.cut()
        if cut is not None and cut.releases:
            raise StoppedError

    for file in files:
        parts = PurePosixPath(file.location).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ContentError(f"{file.location!r} is not the location of a kept file", location=file.location)
        try:
            patiently(partial(_copy, lake, file, folder, look), watch)
        except NotFoundError:
            _log.warning("%s of the extended Task is not in the lake any more", file.location)


def _copy(lake: Lake, file: ExtendedFile, folder: Path, look: Callable[[int], None]) -> bool:
    return copy_content(
        lambda start: lake.objects.read_stream(file.object_path, start=start),
        folder / file.location,
        what=file.object_path,
        digest=file.digest,
        n_bytes=file.n_bytes,
        tell=look,
    )
