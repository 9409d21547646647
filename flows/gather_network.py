"""Flow `gather_network`: new results become estimates of Transformations, edges and ligands."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from alchemiscale_lake.ledger.estimates import GatherReport, gather_networks, gather_scope
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake
from estimators.leg_uncertainties import LegRule

from ._credentials import load_credentials
from ._summary import publish_estimates

__all__ = ["gather_network"]

#: Of many networks that changed, so many are shown as artifacts.
_MOST_SHOWN = 20


def _name() -> str:
    given = flow_run.parameters
    return f"gather-{given.get('network') or given.get('scope') or 'all'}"


@flow(
    name="gather-network",
    description="Bring the estimates of networks up to date. Costs follow what is new.",
    flow_run_name=_name,
    persist_result=False,
)
def gather_network(
    network: str | None = None, lake: str = "./lake", scope: str | None = None, rule: LegRule | None = None
) -> list[GatherReport]:
    """Bring the estimates of networks up to date. Costs follow what is new.

    Args:
        network: Name or ScopedKey of one network. Empty: all networks of the Scope.
        lake: The lake: a folder on the machine where the flow runs, or the URL of a bucket.
        scope: Which networks to gather, or where to look for the name (* is the wildcard). Empty: everywhere.
        rule: How the uncertainty of a leg is made: from the repeats of all legs together (pooled), or from its own:
            standard deviation (sd), standard error (sem), as stated by the results (own), the larger of the last two
            (larger). Empty: the rule that the network was last gathered by.
    """
    load_credentials()
    place = Lake.open(lake)
    if network is None:
        reports = gather_scope(place, scope or "*-*-*", rule=rule)
    else:
        reports = gather_networks(place, [find_network(place, network, scope=scope)], rule=rule)
    changed = [report for report in reports if report.new_round] if network is None else reports
    for report in changed[:_MOST_SHOWN]:
        publish_estimates(place, report, title=network or report.network)
    return reports
