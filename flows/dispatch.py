"""Flow `dispatch`: claim Tasks for one pool, run them there, record their results."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from ..flow_steps.dispatch_setup import set_up_dispatch
from ..flow_steps.dispatching import Dispatched, dispatch_tasks, handed_back
from ..flow_steps.progress_listeners import reported
from ..ids import Scope
from ..prefect_api.credentials import load_credentials
from ..statestore.claims import Selection
from ..store import Lake

__all__ = ["dispatch"]


@flow(
    name="dispatch",
    description="Run the waiting Tasks of a lake, in one pool.",
    flow_run_name="dispatch-{pool}",
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
    """Run the waiting Tasks of a lake, in one pool.

    Args:
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        pool: Name of the pool in the pools file. Without a file: the name under which this machine claims Tasks.
        pools_file: Pools file. Empty: ALCHEMISCALE_LAKE_POOLS, else pools.yaml in the folder of the flow, if any.
        scopes: Only Tasks in these Scopes (org-campaign-project; * is the wildcard). Empty: all Scopes.
        networks: Only Tasks that are actioned on these networks (ScopedKeys). Empty: all networks.
        workers: Without a pools file: number of Tasks run at a time. Empty: as many as the cores allow.
        cores_per_task: Without a pools file: cores per Task. Empty: 1.
        timeout_s: Time limit of a Task attempt in seconds; longer attempts fail. Empty: the pool's, else no limit.
        unit_retries: Number of retries of a failed ProtocolUnit within an attempt. Empty: the pool's, else 1.
        drain: Exit when nothing is left to do. Otherwise wait for more work until stopped.
        once: Collect finished jobs, submit new ones and exit.
    """
    load_credentials()
    place = Lake.open(lake)
    selection = Selection(tuple(Scope.parse(s) for s in scopes or ()), tuple(networks or ()))
    plan = set_up_dispatch(
        place,
        pool,
        selection,
        pools_file=pools_file,
        workers=workers,
        cores_per_task=cores_per_task,
        timeout_s=timeout_s,
        unit_retries=unit_retries,
        once=once,
        is_patient=not drain,
    )
    dispatched = dispatch_tasks(place, plan, title=f"dispatch-{pool}", until="drained" if drain else "stopped")
    reported(dispatched)
    return handed_back(dispatched) if dispatched.interrupted else dispatched
