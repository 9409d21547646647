"""Flows for commands, found through the entry points of their deployments and never imported by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from ..dispatch.report import DispatchReport, Progress
    from ..store import Lake

__all__ = ["Session", "dispatch_once", "open_lake", "session", "up"]

_GROUP = "alchemiscale_lake.flows"


class Session(Protocol):
    """Callable flows and the Prefect API they report to."""

    @property
    def ui_url(self) -> str:
        """Address of the Prefect UI."""

    @property
    def is_ours(self) -> bool:
        """Whether these pages end with this command."""

    @property
    def is_kept(self) -> bool:
        """Whether what they show is kept, so that `up` shows it later."""

    @property
    def login(self) -> Path | None:
        """File with the login of the UI; None if the user runs the server."""

    def call(self, deployment: str, on_progress: Callable[[Progress], None] | None = None, **parameters: Any) -> Any:
        """Run a flow in this process and return what it returns."""


def session(lake: Lake, *, say: Callable[[str], None], verbose: bool = False) -> AbstractContextManager[Session]:
    """Open a session that calls flows on a lake.

    Raises
    ------
    MissingDependencyError
        If Prefect or Dask is not installed.
    """
    found: AbstractContextManager[Session] = _engine("_launch").session(lake, say=say, verbose=verbose)
    return found


def up(lake: Lake, **settings: Any) -> None:
    """Serve the Prefect UI and the deployments until stopped."""
    _engine("_serve").up(lake, **settings)


def dispatch_once(lake: Lake, pool: str, **settings: Any) -> DispatchReport:
    """Run one dispatch turn for a pool whose jobs continue without this process."""
    report: DispatchReport = _engine("_once").dispatch_once(lake, pool, **settings)
    return report


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


def _engine(module: str) -> Any:
    """Import a sibling module of the flows, wherever the entry points locate them."""
    missing = [name for name in ("prefect", "distributed") if importlib.util.find_spec(name) is None]
    entries = importlib.metadata.entry_points(group=_GROUP, name="run-campaign")
    if missing or not entries:
        raise MissingDependencyError(
            f"this command needs {' and '.join(missing) or 'the flows'}; install alchemiscale-lake[flows]",
            packages=missing,
        )
    (entry,) = entries
    return importlib.import_module(f"{entry.module.rpartition('.')[0]}.{module}")
