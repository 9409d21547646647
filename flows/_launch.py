"""Launch a flow from a command: an API for it, the flow by its deployment's name, clear errors.

What the commands' `_launch` module calls. Nothing of Prefect is imported before the API's address is set.
"""

from __future__ import annotations

import importlib.metadata
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemiscale_lake.dispatch.report import Progress
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.store import Lake

from ._api import Api, local_api
from ._progress import keeping, listening
from ._state import state_dir

__all__ = ["Session", "session"]

_GROUP = "alchemiscale_lake.flows"
_OURS = ("alchemiscale_lake", "flows")


@dataclass(frozen=True, slots=True)
class Session:
    """A Prefect API, and flows to call with it."""

    api: Api
    say: Callable[[str], None]

    @property
    def ui_url(self) -> str:
        """Address of the Prefect UI."""
        return self.api.ui_url

    @property
    def is_ours(self) -> bool:
        """Whether the server ends with this command."""
        return self.api.ours

    @property
    def is_kept(self) -> bool:
        """Whether what its pages show is kept, so that `up` shows it later."""
        return self.api.kept

    @property
    def login(self) -> Path | None:
        """File with what the Prefect UI asks for; None for a server of the user's own."""
        return self.api.login

    def call(self, deployment: str, on_progress: Callable[[Progress], None] | None = None, **parameters: Any) -> Any:
        """Run a flow in this process and return what it returns.

        Raises
        ------
        StorageError
            If the Prefect API stopped answering. What had run is in the lake.
        """
        import httpx

        (entry,) = importlib.metadata.entry_points(group=_GROUP, name=deployment)
        flow = entry.load()
        with listening(on_progress or _ignore), keeping() as kept:
            try:
                # an interrupted flow ends in the state Cancelled, and still has something to say
                said = flow(**parameters, return_state=True).result(raise_on_failure=False)
            except httpx.HTTPError as e:
                what = f"the Prefect API at {self.api.api_url} stopped answering ({type(e).__name__}: {e})"
                if kept:
                    self.say(f"{what}; its pages show less than was done, the lake holds everything")
                    return kept[-1]
                raise StorageError(
                    f"{what}. Every result that came back is in the lake; `alchemiscale-lake run --resume` continues",
                    api=self.api.api_url,
                ) from e
        if isinstance(said, BaseException):
            raise said
        return said


@contextmanager
def session(lake: Lake, *, say: Callable[[str], None], verbose: bool = False) -> Iterator[Session]:
    """Yield a way to call flows on a lake; a local Prefect server lives as long, if one is needed.

    Parameters
    ----------
    lake : Lake
    say : callable
        Told what people should know, such as that the server had to be started again.
    verbose : bool
        Show Prefect's and Dask's logs.
    """
    with _warnings_told(say), _local_api(lake, say=say, verbose=verbose) as api:
        yield Session(api, say)


@contextmanager
def _warnings_told(say: Callable[[str], None]) -> Iterator[None]:
    """Tell people what our own loggers warn of, which Prefect's settings would leave unsaid."""
    handler = _Teller(say)
    loggers = [logging.getLogger(name) for name in _OURS]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True


class _Teller(logging.Handler):
    """Says what is logged, with the time: dispatchers run for weeks."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._say(self.format(record))


@contextmanager
def _local_api(lake: Lake, *, say: Callable[[str], None], verbose: bool) -> Iterator[Api]:
    if not verbose:
        # third parties' talk among themselves; a command's user can do nothing about it
        warnings.filterwarnings("ignore")
        # and Prefect's handler would print to stderr what it cannot send
        logging.raiseExceptions = False
    with local_api(state_dir(lake), verbose=verbose, on_restart=say) as api:
        if api.ours:
            from ._stale import close_stale_runs  # imports Prefect

            close_stale_runs()
        yield api


def _ignore(progress: Progress) -> None:
    """Hear, and do nothing."""
