"""Flow `dispatch`: claim Tasks for one pool, run them there, record what comes back."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from alchemiscale_lake.ids import Scope
from alchemiscale_lake.ledger.claims import Selection
from alchemiscale_lake.store import Lake

from ._dispatching import Dispatched, dispatch_tasks, handed_back
from ._progress import reported
from ._runners import PoolSettings, default_workers
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
    scopes: list[str] | None = None,
    networks: list[str] | None = None,
    workers: int | None = None,
    cores_per_task: int = 1,
    timeout_s: float | None = None,
    unit_retries: int = 1,
    drain: bool = True,
) -> Dispatched | State[Dispatched]:
    """Run the Tasks of a lake that may be claimed.

    Parameters
    ----------
    lake : str
        Folder or URL.
    pool : str
        Name of the pool that claims carry.
    scopes, networks : list of str, optional
        Only Tasks in these Scopes (wildcards allowed), actioned on these networks (ScopedKeys).
    workers : int, optional
        Tasks that run at a time; as many as the cores allow, by default.
    cores_per_task : int
        Cores for each of them.
    timeout_s : float, optional
        An attempt that takes longer fails.
    unit_retries : int
        Times a failed ProtocolUnit is run again within an attempt.
    drain : bool
        End when nothing is left to do; otherwise wait for more until stopped.
    """
    selection = Selection(tuple(Scope.parse(s) for s in scopes or ()), tuple(networks or ()))
    dispatched = dispatch_tasks(
        Lake.open(lake),
        PoolSettings(pool, workers or default_workers(cores_per_task), cores_per_task),
        selection,
        title=f"dispatch-{pool}",
        until="drained" if drain else "stopped",
        timeout_s=timeout_s,
        unit_retries=unit_retries,
    )
    reported(dispatched)
    return handed_back(dispatched) if dispatched.interrupted else dispatched
