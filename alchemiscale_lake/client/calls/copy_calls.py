"""Copies and merges of networks."""

from __future__ import annotations

from collections.abc import Sequence

from ...caller import Caller
from ...statestore import network_copies
from ...store import Lake

__all__ = ["copy_network", "merge_networks", "merge_scopes"]


def copy_network(
    lake: Lake, caller: Caller, *, network: str, scope: str, name: str | None = None, state: str | None = None
) -> str:
    """Copy a network to another Scope; return the ScopedKey there.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    scope : str
        Target Scope.
    name, state : str, optional
        Those of the network by default.
    """
    return network_copies.copy_network(lake, network, scope, name=name, state=state, caller=caller).network


def merge_networks(
    lake: Lake, caller: Caller, *, networks: Sequence[str], name: str, scope: str, state: str | None = None
) -> str:
    """Make one network of several; return its ScopedKey.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    name : str
        Name of the new network.
    scope : str
        Its Scope.
    state : str, optional
    """
    return network_copies.merge_networks(lake, networks, name, scope, state=state, caller=caller).network


def merge_scopes(lake: Lake, caller: Caller, *, scopes: Sequence[str], target_scope: str) -> list[str]:
    """Copy the active networks of Scopes to another; return their ScopedKeys there.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    scopes : sequence of str
        Scopes or patterns.
    target_scope : str
    """
    return [copy.network for copy in network_copies.merge_scopes(lake, scopes, target_scope, caller=caller)]
