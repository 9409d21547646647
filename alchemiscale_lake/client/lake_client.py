"""The client of a lake: the methods of `AlchemiscaleClient`, and what a lake adds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from ..caller import Caller
from ..errors import NotFoundError
from ..store import Lake
from .analysis_methods import AnalysisMethods
from .archive_file_methods import ArchiveFileMethods
from .archive_methods import ArchiveMethods
from .copy_methods import CopyMethods
from .file_methods import FileMethods
from .introspection_methods import IntrospectionMethods
from .restart_methods import RestartMethods
from .result_cache import client_cache
from .strategy_methods import StrategyMethods
from .task_methods import TaskMethods
from .transport import InProcess, Transport

__all__ = ["LakeClient"]

_PLACE: Final = "ALCHEMISCALE_LAKE"


class LakeClient(
    TaskMethods,
    AnalysisMethods,
    ArchiveFileMethods,
    ArchiveMethods,
    CopyMethods,
    FileMethods,
    IntrospectionMethods,
    RestartMethods,
    StrategyMethods,
):
    """A client of a lake.

    Names, arguments and return values are those of `AlchemiscaleClient` 0.8, so that a script moves over by changing
    its import and constructor. A call about many Tasks, networks or results is one commit or one question.

    Parameters
    ----------
    lake : str, Path or Lake, optional
        A folder, or the URL of a bucket; by default, the environment variable `ALCHEMISCALE_LAKE`.
    caller : Caller, optional
        Recorded as the author; by default, the user of this process.
    transport : Transport, optional
        Carries the calls instead, for a lake that this process does not reach itself.
    cache_directory : str or Path, optional
        Folder of a cache of results; by default that of `ALCHEMISCALE_LAKE_CACHE`, or one below `$XDG_CACHE_HOME`.
    cache_size_limit : int, optional
        Its size, bytes; by default that of `ALCHEMISCALE_LAKE_CACHE_BYTES`, or 1 GiB.
    use_local_cache : bool, optional
        By default, a cache is used if a folder is named, or if the lake itself is not in a folder.

    Raises
    ------
    NotFoundError
        If there is no lake there, or none was named.

    Examples
    --------
    >>> client = LakeClient("lake")
    >>> client.get_scope_status(visualize=False)
    {}
    """

    def __init__(
        self,
        lake: str | Path | Lake | None = None,
        *,
        caller: Caller | None = None,
        transport: Transport | None = None,
        cache_directory: str | Path | None = None,
        cache_size_limit: int | None = None,
        use_local_cache: bool | None = None,
    ) -> None:
        self._objects: dict[str, Any] = {}
        if transport is None:
            place = lake if lake is not None else os.environ.get(_PLACE)
            if place is None:
                raise NotFoundError(f"no lake was named: give its folder or URL, or set {_PLACE}")
            opened = place if isinstance(place, Lake) else Lake.open(place)
            transport = InProcess(opened, caller or Caller.this_user())
        self._transport = transport
        far = not transport.place.startswith("file:")
        self._cache = client_cache(cache_directory, cache_size_limit, use_local_cache, far=far)

    def __repr__(self) -> str:
        return f"LakeClient({self._transport.place!r})"
