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


@flow(name="gather-network", flow_run_name=_name, persist_result=False)
def gather_network(
    network: str | None = None, lake: str = "./lake", scope: str | None = None, rule: LegRule | None = None
) -> list[GatherReport]:
    """Bring the estimates of networks up to date. Costs follow what is new.

    Parameters
    ----------
    network : str, optional
        Name or ScopedKey; by default all networks of the Scope.
    lake : str
        Folder or URL.
    scope : str, optional
        Which networks, or where to look for a name (wildcards allowed); by default anywhere.
    rule : {"pooled", "larger", "own", "sem", "sd"}, optional
        Which uncertainty a leg enters its network with; by default what it was last gathered by.
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
