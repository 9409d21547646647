"""Flow `advance_network`: the next Strategy round of networks."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from ..caller import Caller
from ..errors import StrategyError
from ..flow_steps.campaigns import network_name
from ..flow_steps.round_reports import keep_round_page, publish_rounds
from ..pools_file import find_pools_file, load_pools
from ..prefect_api.credentials import load_credentials
from ..query import find_network
from ..rounds import RoundReport, advance_scope
from ..rounds import advance_network as advance_one
from ..store import Lake

__all__ = ["advance_network"]

#: Maximum number of networks whose rounds are published as artifacts.
_MOST_SHOWN = 20


def _name() -> str:
    given = flow_run.parameters
    return f"advance-{given.get('network') or given.get('scope') or 'all'}"


@flow(
    name="advance-network",
    description="Run the next Strategy round of networks in which something has ended since the last one.",
    flow_run_name=_name,
    persist_result=False,
)
def advance_network(
    network: str | None = None,
    lake: str = "./lake",
    scope: str | None = None,
    pools_file: str | None = None,
    now: bool = False,
) -> list[RoundReport]:
    """Run the next Strategy round of networks in which something has ended since the last one.

    Args:
        network: Name or ScopedKey of one network. Empty: all networks of the Scope that have a Strategy.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        scope: Scope of the networks, or in which to look for the name (* is the wildcard). Empty: all Scopes.
        pools_file: Pools file, which declares what Tasks need. Empty: ALCHEMISCALE_LAKE_POOLS, else pools.yaml in the
            folder of the flow, if any.
        now: Run a round of the network even if nothing has ended since the last one.
    """
    load_credentials()
    place, caller = Lake.open(lake), Caller.this_user()
    path = find_pools_file(pools_file)
    pools = None if path is None else load_pools(path)
    if network is None:
        reports = advance_scope(place, scope or "*-*-*", caller=caller, pools=pools)
    else:
        found = find_network(place, network, scope=scope)
        reports = [advance_one(place, found, caller=caller, pools=pools, now=now)]
    held = [report for report in reports if report.state in ("asked", "idle", "finished", "error")]
    for report in held[:_MOST_SHOWN]:
        publish_rounds(place, report.network, title=network_name(place, report.network) or report.network)
    for report in held[_MOST_SHOWN:]:
        keep_round_page(place, report.network)
    failed = [report for report in reports if (report.last_state or report.state) == "error"]
    if failed:
        # an alert: the rounds of the other networks are recorded
        raise StrategyError(
            f"{failed[0].network}: {failed[0].exception}", networks=[report.network for report in failed]
        )
    return reports
