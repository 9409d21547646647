"""From the name of a pool to the settings of its dispatcher. Nothing here imports Prefect."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ..dispatch.dispatch_settings import DispatchSettings
from ..engines.local_pool import local_pool
from ..engines.registry import engine_of, no_batch_mode
from ..errors import MissingClassError, SettingsError
from ..pools_file import find_pools_file, load_pools
from ..resources import Resources
from ..settings import Pool, Pools
from ..statestore.claims import Selection
from ..statestore.runnable import not_runnable, stays_waiting
from ..store import Lake

__all__ = ["DispatchSetup", "set_up_dispatch"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DispatchSetup:
    """A pool and the settings of its dispatcher.

    Attributes
    ----------
    name : str
    pool : Pool
    pools : Pools or None
        All pools of the pools file, if there is one.
    settings : DispatchSettings
    once : bool
        Batch mode: one turn only.
    """

    name: str
    pool: Pool
    pools: Pools | None
    settings: DispatchSettings
    once: bool = False


def set_up_dispatch(
    lake: Lake,
    name: str,
    selection: Selection,
    *,
    pools_file: str | None = None,
    workers: int | None = None,
    cores_per_task: int | None = None,
    timeout_s: float | None = None,
    unit_retries: int | None = None,
    once: bool = False,
    is_patient: bool = False,
) -> DispatchSetup:
    """Find the settings of a pool: in a pools file if there is one, else this machine's.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the pool.
    selection : Selection
        Tasks to claim from.
    pools_file : str, optional
        Path of the pools file; None looks for one at the usual places.
    workers : int, optional
        Number of Tasks at a time on this machine.
    cores_per_task : int, optional
        Cores of each Task on this machine.
    timeout_s : float, optional
        An attempt that takes longer fails; by default, as in the pools file.
    unit_retries : int, optional
        Retries of a failed ProtocolUnit; by default, as in the pools file.
    once : bool, default False
        Batch mode: jobs continue without the dispatcher.
    is_patient : bool, default False
        The dispatcher waits for more Tasks.

    Raises
    ------
    SettingsError
        If the file has no such pool, or the options do not apply to it.
    MissingClassError
        If the pool is this machine and no Task's Protocol is installed here, unless the dispatcher waits for more
        Tasks (`is_patient`).
    """
    path = find_pools_file(pools_file)
    pools = None if path is None else load_pools(path)
    if pools is None or (name == "local" and name not in pools.pools and pools_file is None):
        if once:
            raise SettingsError(
                f"--once needs a pool whose jobs outlive this command; define {name!r} in a pools file",
                pool=name,
            )
        pool = local_pool(workers, cores_per_task or 1)
        each = Resources(cores=cores_per_task or 1, gpus=float(pool.gpus))
        plan = DispatchSetup(name, pool, None, DispatchSettings(pool=name, selection=selection, resources=each))
    else:
        plan = _from_file(lake, name, pools, selection, str(path), once=once)
        if workers is not None or cores_per_task is not None:
            raise SettingsError(
                f"pool {name!r} is defined in {path}; change limits, cores and protocols there instead of "
                "giving --workers or --cores-per-task",
                pool=name,
            )
    if plan.pool.is_local:
        plan = replace(plan, settings=replace(plan.settings, runs_here=True))
        if not is_patient:
            plan = _without_missing(lake, plan)
    settings = plan.settings
    if timeout_s is not None:
        settings = replace(settings, timeout_s=timeout_s)
    if unit_retries is not None:
        settings = replace(settings, unit_retries=unit_retries)
    return replace(plan, settings=settings)


def _without_missing(lake: Lake, plan: DispatchSetup) -> DispatchSetup:
    """Exclude Tasks whose Protocol is not installed here, for a pool whose workers use this environment.

    Raises
    ------
    MissingClassError
        If no other Tasks are left.
    """
    found = not_runnable(lake, plan.settings.selection)
    if found is None:
        return plan
    why = "; ".join(found.why)
    if not found.n_others:
        raise MissingClassError(f"{stays_waiting(found.n_tasks)}: {why}", missing=found.why)
    _log.warning("%s: %s", stays_waiting(found.n_tasks), why)
    selection = replace(plan.settings.selection, without=found.transformations)
    return replace(plan, settings=replace(plan.settings, selection=selection))


def _from_file(lake: Lake, name: str, pools: Pools, selection: Selection, path: str, *, once: bool) -> DispatchSetup:
    pool = pools.named(name, path)
    engine = engine_of(pool.kind)
    if once and engine.open_once is None:
        raise SettingsError(no_batch_mode(name, pool), pool=name)
    durable = once or engine.durable
    settings = DispatchSettings.of_pool(
        name, pools, selection=selection, durable=durable, bucket=lake.local_path is None
    )
    return DispatchSetup(name, pool, pools, settings, once)
