"""Flow `dispatch`: claim Tasks for one pool, run them there, record what comes back."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from alchemiscale_lake.ids import Scope
from alchemiscale_lake.ledger.claims import Selection
from alchemiscale_lake.store import Lake

from ._credentials import load_credentials
from ._dispatching import Dispatched, dispatch_tasks, handed_back
from ._plans import plan_dispatch
from ._progress import reported
from ._task_runs import task_runner

__all__ = ["dispatch"]


@flow(
    name="dispatch",
    flow_run_name="dispatch-{pool}",
    task_runner=task_runner(),
    persist_result=False,
)
def dispatch(
    lake: str = "./lake",
    pool: str = "local",
    pools_file: str | None = None,
    scopes: list[str] | None = None,
    networks: list[str] | None = None,
    workers: int | None = None,
    cores_per_task: int | None = None,
    timeout_s: float | None = None,
    unit_retries: int | None = None,
    drain: bool = True,
    once: bool = False,
) -> Dispatched | State[Dispatched]:
    """Run the Tasks of a lake that may be claimed, in one pool.

    Parameters
    ----------
    lake : str
        Folder or URL.
    pool : str
        Name of the pool, in the pools file; without a file, the name that claims of this machine carry.
    pools_file : str, optional
        By default `ALCHEMISCALE_LAKE_POOLS`, else `pools.yaml` here if there is one.
    scopes, networks : list of str, optional
        Only Tasks in these Scopes (wildcards allowed), actioned on these networks (ScopedKeys).
    workers, cores_per_task : int, optional
        Without a pools file: Tasks that run at a time (as many as the cores allow), and cores for each (1).
    timeout_s : float, optional
        An attempt that takes longer fails.
    unit_retries : int, optional
        Times a failed ProtocolUnit is run again within an attempt (1).
    drain : bool
        End when nothing is left to do; otherwise wait for more until stopped.
    once : bool
        Submit jobs, collect what finished since the last time, and end.
    """
    load_credentials()
    place = Lake.open(lake)
    selection = Selection(tuple(Scope.parse(s) for s in scopes or ()), tuple(networks or ()))
    plan = plan_dispatch(
        place,
        pool,
        selection,
        pools_file=pools_file,
        workers=workers,
        cores_per_task=cores_per_task,
        timeout_s=timeout_s,
        unit_retries=unit_retries,
        once=once,
    )
    dispatched = dispatch_tasks(place, plan, title=f"dispatch-{pool}", until="drained" if drain else "stopped")
    reported(dispatched)
    return handed_back(dispatched) if dispatched.interrupted else dispatched
