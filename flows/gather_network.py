"""Flow `gather_network`: new results become estimates of Transformations, edges and ligands."""

from __future__ import annotations

from prefect import flow

from alchemiscale_lake.ledger.estimates import GatherReport
from alchemiscale_lake.ledger.estimates import gather_network as gather
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake

from ._credentials import load_credentials
from ._summary import publish_estimates

__all__ = ["gather_network"]


@flow(name="gather-network", flow_run_name="gather-{network}", persist_result=False)
def gather_network(network: str, lake: str = "./lake", scope: str | None = None) -> GatherReport:
    """Bring the estimates of a network up to date. Costs follow what is new.

    Parameters
    ----------
    network : str
        Name or ScopedKey.
    lake : str
        Folder or URL.
    scope : str, optional
        Where to look for a name.
    """
    load_credentials()
    place = Lake.open(lake)
    report = gather(place, find_network(place, network, scope=scope))
    publish_estimates(place, report, title=network)
    return report
