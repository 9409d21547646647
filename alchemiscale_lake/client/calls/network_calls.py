"""Networks: submit them, find them, set their state and weight."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import polars as pl

from ...caller import Caller
from ...errors import InvalidKeyError
from ...ids import Scope
from ...plurals import count
from ...schemas import NETWORK_STATES
from ...statestore.network_state import set_network_state, set_network_weight
from ...statestore.submit import submit_network
from ...store import Lake, NetworkState
from ...tasks.task_values import bad_weight
from ._rows import in_scope, list_scopes, readable, require_possible, rows_of

__all__ = [
    "create_network",
    "list_scopes",
    "networks_state",
    "networks_weight",
    "query_networks",
    "set_networks_state",
    "set_networks_weight",
]

_Value = TypeVar("_Value", str, float)


def create_network(
    lake: Lake, caller: Caller, *, network: bytes, scope: str, state: str, name: str | None = None
) -> dict[str, Any]:
    """Submit a network; return its ScopedKey, and the key map of Transformations known under other keys.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : bytes
        Its keyed chain, as JSON.
    scope : str
    state : str
    name : str, optional
    """
    _require_state(state)
    submitted = submit_network(lake, network, Scope.from_str(scope), name=name, caller=caller)
    states = lake.network_log.states()
    if submitted.new and state != states.get(submitted.network, NetworkState()).state:
        lake.network_log.set([submitted.network], caller=caller, state=state)
    return {"network": submitted.network, "new": submitted.new, "key_map": dict(submitted.key_map)}


def query_networks(
    lake: Lake, caller: Caller, *, name: str | None = None, scope: str = "*-*-*", state: str | None = None
) -> list[str]:
    """Return the ScopedKeys of networks, oldest first.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    name, state : str, optional
        Regular expressions that the whole name or state has to match.
    scope : str, default "*-*-*"
        A Scope or a pattern.
    """
    called, stated = _pattern(name, "name"), _pattern(state, "state")
    rows = rows_of(lake, "networks", in_scope(scope), ["network", "name", "created_at"]).sort("created_at", "network")
    states = lake.network_log.states()
    found = [
        network
        for network, own, _ in rows.iter_rows()
        if (called is None or called.fullmatch(own or ""))
        and (stated is None or stated.fullmatch(states.get(network, NetworkState()).state))
    ]
    return readable(caller, found)


def networks_state(lake: Lake, caller: Caller, *, networks: Sequence[str]) -> list[str | None]:
    """Return the state of each network, None for one that the lake lacks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    """
    return [None if one is None else one.state for one in _decisions(lake, caller, networks)]


def networks_weight(lake: Lake, caller: Caller, *, networks: Sequence[str]) -> list[float | None]:
    """Return the weight of each network, None for one that the lake lacks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    """
    return [None if one is None else one.weight for one in _decisions(lake, caller, networks)]


def set_networks_state(
    lake: Lake, caller: Caller, *, networks: Sequence[str], states: Sequence[str], reason: str | None = None
) -> list[bool]:
    """Set the state of each network in one commit; return for each whether the lake has it.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks, states : sequence of str
        As many states as networks.
    reason : str, optional
        Recorded in the log.
    """
    chosen = _by_network(networks, states, "state")
    for state in states:
        _require_state(state)
    known = [network for network, one in zip(networks, _decisions(lake, caller, networks), strict=True) if one]
    if known:
        set_network_state(lake, known, {network: chosen[network] for network in known}, caller=caller, reason=reason)
    return [network in set(known) for network in networks]


def set_networks_weight(
    lake: Lake, caller: Caller, *, networks: Sequence[str], weights: Sequence[float], reason: str | None = None
) -> list[bool]:
    """Set the weight of each network in one commit; return for each whether the lake has it.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
    weights : sequence of float
        As many as networks, within [0, 1].
    reason : str, optional
        Recorded in the log.
    """
    chosen = _by_network(networks, weights, "weight")
    for weight in weights:
        require_possible("a weight must be between 0 and 1, not None" if weight is None else bad_weight(weight))
    known = [network for network, one in zip(networks, _decisions(lake, caller, networks), strict=True) if one]
    if known:
        set_network_weight(lake, known, {network: chosen[network] for network in known}, caller=caller, reason=reason)
    return [network in set(known) for network in networks]


def _require_state(state: str) -> None:
    if state not in NETWORK_STATES:
        require_possible(f"the state of a network is one of {', '.join(NETWORK_STATES)}, not {state!r}")


def _decisions(lake: Lake, caller: Caller, networks: Sequence[str]) -> list[NetworkState | None]:
    caller.require_for("read", networks)
    known = set(rows_of(lake, "networks", pl.col("network").is_in(list(networks)), ["network"])["network"])
    states = lake.network_log.states()
    return [states.get(network, NetworkState()) if network in known else None for network in networks]


def _by_network(networks: Sequence[str], values: Sequence[_Value], what: str) -> dict[str, _Value]:
    if len(networks) != len(values):
        raise InvalidKeyError(
            f"{count(len(networks), 'network')} but {count(len(values), what)}; give one {what} per network"
        )
    return dict(zip(networks, values, strict=True))


def _pattern(text: str | None, what: str) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as e:
        raise InvalidKeyError(f"{what} {text!r} is not a regular expression: {e}", value=text) from e
