"""State and weight of whole networks, as set by users.

Only active networks are claimed from. When a network ceases to be active, its running Tasks are released, unless
another active network wants them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from ..caller import Caller
from ..execution.assignment import AttemptSpec
from ..faults import fault_point
from ..store import Lake, NetworkState
from .network_members import require_networks
from .unwanted_tasks import release_unwanted

__all__ = ["on_active_networks", "set_network_state", "set_network_weight", "why_unclaimed"]


def set_network_state(
    lake: Lake, networks: Sequence[str], state: str | Mapping[str, str], *, caller: Caller, reason: str | None = None
) -> list[AttemptSpec]:
    """Set the state of networks, in one commit: `active`, `inactive`, `invalid` or `deleted`.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        ScopedKeys.
    state : str or mapping of str to str
        State of all, or of each by ScopedKey.
        All transitions are allowed. Tasks, results and actions are kept; waiting Tasks are claimed again once the
        network is active.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.

    Returns
    -------
    list of AttemptSpec
        Attempts that lost their Tasks and were asked to stop.

    Raises
    ------
    NotFoundError
        If a network is not in the lake. Nothing is written.
    SchemaError
        If the state is unknown. Nothing is written.
    """
    caller.require_for("write", networks)
    require_networks(lake, networks)
    lake.network_log.set(networks, caller=caller, state=state, reason=reason)
    fault_point("network-state:before-release")
    states = set(state.values()) if isinstance(state, Mapping) else {state}
    return [] if states <= {"active"} else release_unwanted(lake, caller=caller)


def set_network_weight(
    lake: Lake,
    networks: Sequence[str],
    weight: float | Mapping[str, float],
    *,
    caller: Caller,
    reason: str | None = None,
) -> None:
    """Set the weight of networks in [0, 1], relative to others, for claiming; 0 gets no new compute.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        ScopedKeys of the networks.
    weight : float or mapping of str to float
        Within [0, 1]; of all, or of each by ScopedKey.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.

    Raises
    ------
    NotFoundError
        If a network is not in the lake. Nothing is written.
    SchemaError
        If the weight is not within 0 and 1. Nothing is written.
    """
    caller.require_for("write", networks)
    require_networks(lake, networks)
    lake.network_log.set(networks, caller=caller, weight=weight, reason=reason)


def on_active_networks(claimable: pl.DataFrame, networks: Mapping[str, NetworkState]) -> pl.DataFrame:
    """Keep actions on active networks with a positive weight; networks without a decision are active.

    Parameters
    ----------
    claimable : polars.DataFrame
        Claimable actions, with a column `network`.
    networks : mapping of str to NetworkState
        By ScopedKey; a network that is not listed is active with the default weight.
    """
    shut = [network for network, state in networks.items() if state.state != "active" or state.weight <= 0]
    return claimable.filter(~pl.col("network").is_in(shut)) if shut else claimable


def why_unclaimed(lake: Lake, network: str) -> str | None:
    """Return why no Task of a network is claimed, and the command that changes this; None if its Tasks are claimed.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network; one that is not in the lake yet will be active.
    """
    state = lake.network_log.states().get(network)
    if state is None or (state.state == "active" and state.weight > 0):
        return None
    if state.state != "active":
        return (
            f"{network} is {state.state}, so none of its Tasks is run; to run them: "
            f"`alchemiscale-lake networks set-state {network} active`"
        )
    return (
        f"{network} has weight 0, so none of its Tasks is run; to run them: "
        f"`alchemiscale-lake networks set-weight {network} 0.5`"
    )
