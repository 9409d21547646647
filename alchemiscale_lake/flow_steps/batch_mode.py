"""Batch mode (`--once`): collect finished jobs, submit jobs for waiting Tasks, and exit.

For sites that forbid long-running processes. It needs no Prefect API and leaves no scheduler behind.
"""

from __future__ import annotations

from collections.abc import Callable

from ..dispatch.dispatch_report import DispatchReport, Progress
from ..dispatch.dispatcher import Dispatcher
from ..engines.registry import open_executor
from ..statestore.claims import Selection
from ..store import Lake
from .dispatch_setup import set_up_dispatch

__all__ = ["dispatch_once"]


def dispatch_once(
    lake: Lake,
    pool: str,
    selection: Selection,
    *,
    pools_file: str | None = None,
    timeout_s: float | None = None,
    unit_retries: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> DispatchReport:
    """Run one dispatch turn for a pool whose jobs continue without this process.

    Parameters
    ----------
    lake : Lake
    pool : str
        Name of the pool.
    selection : Selection
        Tasks to claim from.
    pools_file : str, optional
        Path of the pools file.
    timeout_s : float, optional
        An attempt that takes longer fails; by default, as in the pools file.
    unit_retries : int, optional
        Retries of a failed ProtocolUnit; by default, as in the pools file.
    on_progress : callable, optional
        Called after the turn and whenever counts change.

    Raises
    ------
    SettingsError
        If the pools file has no such pool, or it is a local pool.
    """
    plan = set_up_dispatch(
        lake, pool, selection, pools_file=pools_file, timeout_s=timeout_s, unit_retries=unit_retries, once=True
    )
    with open_executor(plan.name, plan.pool, lake, once=True) as executor:
        dispatcher = Dispatcher(lake, executor, plan.settings, pools=plan.pools, on_progress=on_progress)
        return dispatcher.run(until="once")
