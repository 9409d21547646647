"""Flows for commands: imported on demand, with a clear error where Prefect or Dask is not installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from ..dispatch.dispatch_report import DispatchReport
    from ..flow_steps.launch import Session
    from ..store import Lake

__all__ = ["dispatch_once", "lake_to_plan", "open_lake", "require_engines", "require_port", "session", "up"]


def session(lake: Lake, *, say: Callable[[str], None], verbose: bool = False) -> AbstractContextManager[Session]:
    """Open a session that calls flows on a lake.

    Parameters
    ----------
    lake : Lake
    say : callable
        Called with messages for the user.
    verbose : bool, default False
        Show the log of Prefect.

    Raises
    ------
    MissingDependencyError
        If Prefect or Dask is not installed.
    """
    require_engines()
    from ..flow_steps import launch

    return launch.session(lake, say=say, verbose=verbose)


def up(lake: Lake, **settings: Any) -> None:
    """Serve the Prefect UI and the deployments until stopped.

    Parameters
    ----------
    lake : Lake
    **settings : object
        Arguments of `flow_steps.serve.up`.
    """
    require_engines()
    from ..flow_steps import serve

    serve.up(lake, **settings)


def dispatch_once(lake: Lake, pool: str, **settings: Any) -> DispatchReport:
    """Run one dispatch turn for a pool whose jobs continue without this process.

    Parameters
    ----------
    lake : Lake
    pool : str
        Name of the pool.
    **settings : object
        Further arguments of `flow_steps.batch_mode.dispatch_once`.
    """
    require_engines()
    from ..flow_steps import batch_mode

    return batch_mode.dispatch_once(lake, pool, **settings)


@contextmanager
def lake_to_plan(place: str) -> Iterator[Lake]:
    """Open a lake to read; if there is none, a temporary empty one, so that bad input leaves nothing behind."""
    from ..errors import NotALakeError
    from ..store import Lake

    try:
        found = Lake.open(place)
    except NotALakeError:
        found = None
    if found is not None:
        yield found
        return
    with TemporaryDirectory(prefix="alchemiscale-lake-") as folder:
        yield Lake.create(Path(folder) / "lake")


def open_lake(place: str, say: Callable[[str], None], *, check: Callable[[], object] | None = None) -> Lake:
    """Open a lake; create it, with a message, if it does not exist.

    Parameters
    ----------
    place : str
        Folder or URL.
    say : callable
        Called with messages for the user.
    check : callable, optional
        Called before a lake is created; raises for input that would be refused later, so that it leaves nothing behind.
    """
    from ..errors import NotALakeError
    from ..store import Lake

    try:
        return Lake.open(place)
    except NotALakeError:
        if check is not None:
            check()
        lake = Lake.create(place, exist_ok=True)
        say(f"created a lake at {lake.url}")
        return lake


def require_engines() -> None:
    """Raise MissingDependencyError unless Prefect and Dask are installed."""
    missing = [name for name in ("prefect", "distributed") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"this command needs {' and '.join(missing)}; install alchemiscale-lake[flows]", packages=missing
        )


def require_port(host: str, port: int) -> None:
    """Raise if the Prefect server of `up` could not listen on an address.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        TCP port.
    """
    require_engines()
    from ..prefect_api.addresses import listen

    if not os.environ.get("PREFECT_API_URL"):
        listen(host, port).close()
