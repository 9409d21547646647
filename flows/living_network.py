"""Flow `living_network`: a night of a living network."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from ..caller import Caller
from ..errors import LakeError
from ..flow_steps.network_pages import publish_page
from ..flow_steps.round_reports import publish_growth, publish_rounds
from ..flow_steps.summary import publish_estimates
from ..pools_file import find_pools_file, load_pools
from ..prefect_api.credentials import load_credentials
from ..rounds.night import Night, run_night
from ..rounds.setting import plan_of
from ..store import Lake

__all__ = ["living_network"]


def _name() -> str:
    return f"grow-{flow_run.parameters.get('name')}"


@flow(
    name="living-network",
    description="Grow a network by new design files, gather it, and run the next round of its Strategy.",
    flow_run_name=_name,
    persist_result=False,
)
def living_network(
    source: str,
    scope: str,
    name: str,
    lake: str = "./lake",
    strategy: str | None = None,
    strategy_settings: dict[str, Any] | None = None,
    budget_gpu_hours: float | None = None,
    gpu_hours_per_day: float | None = None,
    tasks_per_transformation: int = 0,
    pools_file: str | None = None,
    settle_s: float = 60.0,
) -> Night:
    """Grow a network by new design files, gather it, and run the next round of its Strategy.

    Its Tasks run wherever dispatchers run. Run it as often as you like: each file is picked up once.

    Args:
        source: Folder with design files on the machine where the flow runs, or the URL of a prefix in a bucket.
        scope: Scope of the network, as org-campaign-project.
        name: Name of the network, which it keeps while it grows.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        strategy: Name of its Strategy, if it has never had one. What is set or cleared later is left as it is.
        strategy_settings: Settings of the Strategy. Empty: its defaults.
        budget_gpu_hours: GPU-hours that the network may cost. Empty: no limit.
        gpu_hours_per_day: GPU-hours that it may cost in any 24 hours. Empty: no limit.
        tasks_per_transformation: Tasks that every Transformation gets without a Strategy, or besides it.
        pools_file: Pools file, which declares what Tasks need. Empty: ALCHEMISCALE_LAKE_POOLS, else pools.yaml in the
            folder of the flow, if any.
        settle_s: Age in seconds from which a file in a folder is taken to be complete.
    """
    load_credentials()
    limits = {"budget_gpu_hours": budget_gpu_hours, "gpu_hours_per_day": gpu_hours_per_day}
    plan = None if strategy is None else plan_of(strategy, strategy_settings, limits)
    path = find_pools_file(pools_file)
    place = Lake.open(lake)
    night = run_night(
        place,
        source,
        scope,
        name,
        caller=Caller.this_user(),
        plan=plan,
        tasks_per_transformation=tasks_per_transformation,
        pools=None if path is None else load_pools(path),
        settle_s=settle_s,
    )
    publish_growth(night)
    if night.network is not None:
        publish_rounds(place, night.network, title=name)
        if night.gathered is not None:
            publish_estimates(place, night.gathered, title=name)
            publish_page(place, night.network, title=name)
    if night.failures:
        # an alert; whatever could be done is done, and the next night continues
        raise LakeError("; ".join(night.failures), name=name)
    return night
