"""Flows for commands: imported on demand, with a clear error where Prefect or Dask is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from ..dispatch.report import DispatchReport
    from ..flow_steps.launch import Session
    from ..store import Lake

__all__ = ["dispatch_once", "open_lake", "session", "up"]


def session(lake: Lake, *, say: Callable[[str], None], verbose: bool = False) -> AbstractContextManager[Session]:
    """Open a session that calls flows on a lake.

    Raises
    ------
    MissingDependencyError
        If Prefect or Dask is not installed.
    """
    _require_engines()
    from ..flow_steps import launch

    return launch.session(lake, say=say, verbose=verbose)


def up(lake: Lake, **settings: Any) -> None:
    """Serve the Prefect UI and the deployments until stopped."""
    _require_engines()
    from ..flow_steps import serve

    serve.up(lake, **settings)


def dispatch_once(lake: Lake, pool: str, **settings: Any) -> DispatchReport:
    """Run one dispatch turn for a pool whose jobs continue without this process."""
    _require_engines()
    from ..flow_steps import batch_mode

    return batch_mode.dispatch_once(lake, pool, **settings)


def open_lake(place: str, say: Callable[[str], None]) -> Lake:
    """Open a lake; create it, with a message, if it does not exist."""
    from ..errors import NotALakeError
    from ..store import Lake

    try:
        return Lake.open(place)
    except NotALakeError:
        lake = Lake.create(place, exist_ok=True)
        say(f"created a lake at {lake.url}")
        return lake


def _require_engines() -> None:
    """Raise MissingDependencyError unless Prefect and Dask are installed."""
    missing = [name for name in ("prefect", "distributed") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"this command needs {' and '.join(missing)}; install alchemiscale-lake[flows]", packages=missing
        )
