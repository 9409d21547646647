"""Flow `run_campaign`: submit a network, run all of its Tasks, gather."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from ..caller import Caller
from ..errors import NotALakeError
from ..estimates.gathering import GatherReport, gather_network
from ..flow_steps.campaigns import (
    Campaign,
    finish_campaign,
    network_name,
    new_campaign,
    prepare_campaign,
    stored_network,
)
from ..flow_steps.dispatch_setup import set_up_dispatch
from ..flow_steps.dispatching import Dispatched, dispatch_tasks, handed_back
from ..flow_steps.progress_listeners import reported
from ..flow_steps.summary import publish_campaign, publish_estimates
from ..ids import Scope, ScopedKey
from ..networks import read_network
from ..prefect_api.credentials import load_credentials
from ..rounds import advance_network, get_strategy
from ..rounds.setting import plan_of
from ..settings import Pools
from ..statestore.claims import Selection
from ..store import Lake

__all__ = ["CampaignReport", "run_campaign"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Outcome of a campaign.

    Attributes
    ----------
    campaign : Campaign
        The campaign, with its network.
    n_created : int
        Number of Tasks created.
    dispatched : Dispatched
    gathered : GatherReport or None
        None if the run was asked to stop.
    """

    campaign: Campaign
    n_created: int
    dispatched: Dispatched
    gathered: GatherReport | None


def _opened(lake: str, network: str, scope: str) -> Lake:
    """Open the lake; create it only for a network that can be stored, so that bad input leaves nothing behind."""
    try:
        return Lake.open(lake)
    except NotALakeError:
        Scope.parse(scope).require_specific()
        read_network(network)
        return Lake.create(lake, exist_ok=True)


def _plan(strategy: str | None, settings: dict[str, Any] | None, budget_gpu_hours: float | None) -> str | None:
    """Return the plan for a network as JSON; a stored one is taken as it is."""
    if strategy is None or strategy.startswith("{"):
        return strategy
    return plan_of(strategy, settings, {"budget_gpu_hours": budget_gpu_hours}).model_dump_json()


def _rounds_of(lake: Lake, network: str, pools: Pools | None) -> Callable[[], int] | None:
    """Return a function that runs a round of the Strategy and returns the number of new Tasks; None without one."""
    if get_strategy(lake, network) is None:
        return None

    def advance() -> int:
        report = advance_network(lake, network, caller=Caller.this_user(), pools=pools)
        outcome = report.exception or report.stop or report.state
        _log.info("round %s: %s, %s Tasks", report.round, outcome, report.n_tasks)
        return report.n_tasks

    return advance


def _name() -> str:
    given = flow_run.parameters
    return f"run-{given.get('name') or str(given.get('network') or '').rpartition('/')[2].partition('.')[0]}"


@flow(
    name="run-campaign",
    description="Submit a network, run all of its Tasks in one pool, and gather it. Run it again to continue.",
    flow_run_name=_name,
    persist_result=False,
)
def run_campaign(
    network: str,
    scope: str,
    lake: str = "./lake",
    name: str | None = None,
    tasks_per_transformation: int | None = None,
    strategy: str | None = None,
    strategy_settings: dict[str, Any] | None = None,
    budget_gpu_hours: float | None = None,
    assays: str | None = None,
    assay_kind: Literal["binding", "hydration", "direct"] = "binding",
    pool: str = "local",
    pools_file: str | None = None,
    workers: int | None = None,
    cores_per_task: int | None = None,
    timeout_s: float | None = None,
    unit_retries: int | None = None,
) -> CampaignReport | State[CampaignReport]:
    """Submit a network, run all of its Tasks in one pool, and gather it.

    Run it again to continue: completed work is not repeated.

    Args:
        network: File or folder of the network on the machine where the flow runs, or the name or ScopedKey of a network
            in the lake.
        scope: Scope to store the network in, as org-campaign-project, or the Scope that it is in.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket. Created if it does not exist.
        name: Name of the network in the lake. Empty: the network's own name.
        tasks_per_transformation: Number of independent Tasks per Transformation. 0 runs existing Tasks only. Empty: 1,
            or 0 with a Strategy.
        strategy: Name of the Strategy that chooses Tasks until it is finished, or one with its limits as JSON. Empty:
            the network's, if any.
        strategy_settings: Settings of the Strategy. Empty: its defaults.
        budget_gpu_hours: GPU-hours that the network may cost. Empty: no limit.
        assays: CSV of experimental values (columns ligand and value_kcal_mol), on the machine where the flow runs.
        assay_kind: Quantity that was measured.
        pool: Name of the pool in the pools file. Without a file: the name under which this machine claims Tasks.
        pools_file: Pools file. Empty: ALCHEMISCALE_LAKE_POOLS, else pools.yaml in the folder of the flow, if any.
        workers: Without a pools file: number of Tasks run at a time. Empty: as many as the cores allow.
        cores_per_task: Without a pools file: cores per Task. Empty: 1.
        timeout_s: Time limit of a Task attempt in seconds; longer attempts fail. Empty: the pool's, else no limit.
        unit_retries: Number of retries of a failed ProtocolUnit within an attempt. Empty: the pool's, else 1.
    """
    load_credentials()
    chosen = _plan(strategy, strategy_settings, budget_gpu_hours)
    if tasks_per_transformation is None:
        tasks_per_transformation = 1 if chosen is None else 0
    place = _opened(lake, network, scope)
    stored = stored_network(place, network, scope)
    if stored is not None:
        scope, name = str(ScopedKey.from_str(stored).scope), name or network_name(place, stored)
    campaign = new_campaign(
        place,
        scope,
        source=None if stored else network,
        network=stored,
        name=name,
        tasks_per_transformation=tasks_per_transformation,
        assays=assays,
        assay_kind=assay_kind,
        strategy=chosen,
    )
    campaign, n_created = prepare_campaign(place, campaign)
    assert campaign.network is not None
    plan = set_up_dispatch(
        place,
        pool,
        Selection(networks=(campaign.network,)),
        pools_file=pools_file,
        workers=workers,
        cores_per_task=cores_per_task,
        timeout_s=timeout_s,
        unit_retries=unit_retries,
    )
    refill = _rounds_of(place, campaign.network, plan.pools)
    n_created += 0 if refill is None else refill()
    dispatched = dispatch_tasks(
        place, plan, title=campaign.title, gather_at_end=False, refill=None if refill is None else lambda: refill() > 0
    )
    if dispatched.interrupted:
        return handed_back(reported(CampaignReport(campaign, n_created, dispatched, None)))
    gathered = gather_network(place, campaign.network)
    finish_campaign(place, campaign.network)
    report = reported(CampaignReport(campaign, n_created, dispatched, gathered))
    publish_estimates(place, gathered, title=campaign.title)
    publish_campaign(place, campaign.title, campaign.network, dispatched, gathered)
    return report
