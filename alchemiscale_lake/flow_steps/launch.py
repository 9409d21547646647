"""Launch a flow from a command: provide an API, load the flow by its deployment's name, raise clear errors.

Called by the commands' `_launch` module. Prefect is not imported before the API's address is set.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dispatch.dispatch_report import Progress
from ..errors import StorageError
from ..prefect_api.flow_entry_points import load_flow
from ..prefect_api.local_api import Api, local_api
from ..prefect_api.server_files import state_dir
from ..store import Lake
from .progress_listeners import keeping, listening

__all__ = ["Session", "session"]

_OURS = "alchemiscale_lake"


@dataclass(frozen=True, slots=True)
class Session:
    """A Prefect API and the flows to call with it.

    Attributes
    ----------
    api : Api
        The Prefect API that shows the flow runs.
    say : callable
        Called with messages for the user.
    """

    api: Api
    say: Callable[[str], None]

    @property
    def ui_url(self) -> str:
        """Address of the Prefect UI."""
        return self.api.ui_url

    @property
    def is_ours(self) -> bool:
        """Return whether the server ends with this command."""
        return self.api.ours

    @property
    def is_kept(self) -> bool:
        """Return whether the content of its pages is kept, so that `up` shows it later."""
        return self.api.kept

    @property
    def login(self) -> Path | None:
        """File with the login of the Prefect UI; None if the user runs the server."""
        return self.api.login

    def call(self, deployment: str, on_progress: Callable[[Progress], None] | None = None, **parameters: Any) -> Any:
        """Run a flow in this process and return what it returns.

        Parameters
        ----------
        deployment : str
            Name of the flow's deployment.
        on_progress : callable, optional
            Called whenever counts change.
        **parameters : object
            Parameters of the flow.

        Raises
        ------
        StorageError
            If the Prefect API stopped responding. Finished results are in the lake.
        """
        import httpx

        flow = load_flow(deployment)
        with listening(on_progress or _ignore), keeping() as kept:
            try:
                # an interrupted flow ends in the state Cancelled, and still has a report
                result = flow(**parameters, return_state=True).result(raise_on_failure=False)
            except httpx.HTTPError as e:
                what = f"the Prefect API at {self.api.api_url} stopped responding ({type(e).__name__}: {e})"
                if kept:
                    self.say(f"{what}; its UI is incomplete, the lake has all results")
                    return kept[-1]
                raise StorageError(
                    f"{what}. All finished results are in the lake; continue with `alchemiscale-lake run --resume`",
                    api=self.api.api_url,
                ) from e
        if isinstance(result, BaseException):
            raise result
        return result


@contextmanager
def session(lake: Lake, *, say: Callable[[str], None], verbose: bool = False) -> Iterator[Session]:
    """Yield a session that calls flows on a lake, with a local Prefect server if one is needed.

    Parameters
    ----------
    lake : Lake
    say : callable
        Called with messages for the user, such as a restart of the server.
    verbose : bool
        Show Prefect's and Dask's logs.
    """
    with _warnings_shown(say), _local_api(lake, say=say, verbose=verbose) as api:
        yield Session(api, say)


@contextmanager
def _warnings_shown(say: Callable[[str], None]) -> Iterator[None]:
    """Show warnings of our own loggers, which Prefect's settings would suppress."""
    handler = _WarningHandler(say)
    logger = logging.getLogger(_OURS)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class _WarningHandler(logging.Handler):
    """Prints log records with their time, since dispatchers run for weeks."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._say(self.format(record))


@contextmanager
def _local_api(lake: Lake, *, say: Callable[[str], None], verbose: bool) -> Iterator[Api]:
    if not verbose:
        # warnings of third-party packages, about which the user can do nothing
        warnings.filterwarnings("ignore")
        # Prefect's handler would print log records that it cannot send to stderr
        logging.raiseExceptions = False
    with local_api(state_dir(lake), verbose=verbose, on_restart=say) as api:
        if api.ours:
            from ..prefect_api.stale_runs import close_stale_runs  # imports Prefect

            close_stale_runs()
        yield api


def _ignore(progress: Progress) -> None:
    """Ignore progress."""
