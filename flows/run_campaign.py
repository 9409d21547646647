"""Flow `run_campaign`: the main job, start to finish: submit, run every Task, gather."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from alchemiscale_lake.ledger.campaigns import Campaign, finish_campaign, new_campaign, prepare_campaign
from alchemiscale_lake.ledger.claims import Selection
from alchemiscale_lake.ledger.estimates import GatherReport, gather_network
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake

from ._credentials import load_credentials
from ._dispatching import Dispatched, dispatch_tasks, handed_back
from ._plans import plan_dispatch
from ._progress import reported
from ._summary import publish_campaign, publish_estimates
from ._task_runs import task_runner

__all__ = ["CampaignReport", "run_campaign"]


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """What became of a campaign.

    Attributes
    ----------
    campaign : Campaign
        With its network.
    n_created : int
        Tasks that were created.
    dispatched : Dispatched
    gathered : GatherReport or None
        None if the run was asked to stop.
    """

    campaign: Campaign
    n_created: int
    dispatched: Dispatched
    gathered: GatherReport | None


def _stored_network(lake: Lake, network: str) -> str | None:
    """Return the ScopedKey if that is what `network` is, None if it should be a file."""
    if network.count("-") != 4 or Path(network).exists():
        return None
    return find_network(lake, network)


def _name() -> str:
    given = flow_run.parameters
    return f"run-{given.get('name') or str(given.get('network') or '').rpartition('/')[2].partition('.')[0]}"


@flow(
    name="run-campaign",
    description="Submit a network, run all of its Tasks in one pool, and gather it. Running it again continues.",
    flow_run_name=_name,
    task_runner=task_runner(),
    persist_result=False,
)
def run_campaign(
    network: str,
    scope: str,
    lake: str = "./lake",
    name: str | None = None,
    tasks_per_transformation: int = 1,
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

    Running it again continues: what is there is not done twice.

    Args:
        network: File or folder of the network on the machine where the flow runs, or the ScopedKey of a network in the
            lake.
        scope: Where the network is stored, as org-campaign-project.
        lake: The lake: a folder on the machine where the flow runs, or the URL of a bucket. Created if there is none.
        name: Name of the network in the lake. Empty: its own.
        tasks_per_transformation: Independent Tasks that each Transformation is to have. 0 runs those that are there.
        assays: CSV of experimental values (columns ligand and value_kcal_mol), on the machine where the flow runs.
        assay_kind: What was measured.
        pool: Name of the pool in the pools file. Without a file: the name under which this machine claims Tasks.
        pools_file: The pools file. Empty: ALCHEMISCALE_LAKE_POOLS, else pools.yaml in the folder of the flow, if any.
        workers: Without a pools file: Tasks that run at a time. Empty: as many as the cores allow.
        cores_per_task: Without a pools file: cores for each Task. Empty: 1.
        timeout_s: An attempt at a Task that takes longer, in seconds, fails. Empty: as the pool says, else no limit.
        unit_retries: Times that a failed ProtocolUnit is run again within an attempt. Empty: as the pool says, else 1.
    """
    load_credentials()
    place = Lake.create(lake, exist_ok=True)
    stored = _stored_network(place, network)
    campaign = new_campaign(
        place,
        scope,
        source=None if stored else network,
        network=stored,
        name=name,
        tasks_per_transformation=tasks_per_transformation,
        assays=assays,
        assay_kind=assay_kind,
    )
    campaign, n_created = prepare_campaign(place, campaign)
    assert campaign.network is not None
    plan = plan_dispatch(
        place,
        pool,
        Selection(networks=(campaign.network,)),
        pools_file=pools_file,
        workers=workers,
        cores_per_task=cores_per_task,
        timeout_s=timeout_s,
        unit_retries=unit_retries,
    )
    dispatched = dispatch_tasks(place, plan, title=campaign.title, gather_at_end=False)
    if dispatched.interrupted:
        return handed_back(reported(CampaignReport(campaign, n_created, dispatched, None)))
    gathered = gather_network(place, campaign.network)
    finish_campaign(place, campaign.network)
    report = reported(CampaignReport(campaign, n_created, dispatched, gathered))
    publish_estimates(place, gathered, title=campaign.title)
    publish_campaign(place, campaign.title, campaign.network, dispatched, gathered)
    return report
