"""Flow `gather_network`: estimates of Transformations, edges and ligands from new results."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from ..estimates.gathering import GatherReport, gather_networks, gather_scope
from ..estimators.network.leg_uncertainties import LegRule
from ..flow_steps.campaigns import network_name
from ..flow_steps.network_pages import keep_pages, publish_page
from ..flow_steps.summary import publish_estimates
from ..prefect_api.credentials import load_credentials
from ..query import find_network
from ..store import Lake

__all__ = ["gather_network"]

#: Maximum number of changed networks published as artifacts.
_MOST_SHOWN = 20


def _name() -> str:
    given = flow_run.parameters
    return f"gather-{given.get('network') or given.get('scope') or 'all'}"


@flow(
    name="gather-network",
    description="Update the estimates of networks. Only new results are processed.",
    flow_run_name=_name,
    persist_result=False,
)
def gather_network(
    network: str | None = None, lake: str = "./lake", scope: str | None = None, rule: LegRule | None = None
) -> list[GatherReport]:
    """Update the estimates of networks. Only new results are processed.

    Args:
        network: Name or ScopedKey of one network. Empty: all networks of the Scope.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        scope: Scope of the networks, or in which to look for the name (* is the wildcard). Empty: all Scopes.
        rule: Uncertainty of a leg: from the repeats of all legs (pooled), or from its own results only: their standard
            deviation (sd), their standard error (sem), the uncertainty they report (own), the larger of the last two
            (larger). Empty: the network's last rule.
    """
    load_credentials()
    place = Lake.open(lake)
    if network is None:
        reports = gather_scope(place, scope or "*-*-*", rule=rule)
    else:
        reports = gather_networks(place, [find_network(place, network, scope=scope)], rule=rule)
    changed = [report for report in reports if report.new_round] if network is None else reports
    for report in changed[:_MOST_SHOWN]:
        title = network_name(place, report.network) or report.network
        publish_estimates(place, report, title=title)
        publish_page(place, report.network, title=title)
    keep_pages(place, changed[_MOST_SHOWN:])
    return reports
