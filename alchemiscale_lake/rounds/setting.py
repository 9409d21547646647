"""Set, read and clear the Strategy of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ..caller import Caller
from ..errors import StrategyError
from ..statestore.network_members import require_networks
from ..store import Lake
from ..strategies.base import Strategy
from ..strategies.catalog import LoadedStrategy, load_strategy, strategy_names
from .strategy_plan import OURS, StrategyPlan

__all__ = ["adopt_plan", "clear_strategy", "get_strategy", "plan_of", "set_strategy"]


def set_strategy(
    lake: Lake,
    networks: Sequence[str],
    strategy: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    caller: Caller,
    reason: str | None = None,
    **limits: Any,
) -> StrategyPlan:
    """Set the Strategy of networks; it replaces the one that they have, and wakes networks that are finished.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        ScopedKeys of the networks.
    strategy : str, Strategy or object
        Name of an installed Strategy, ``path/to/file.py:Name``, ``package.module:Name``, or an object of an installed
        class, also one of stratocaster.
    settings : mapping of str to object, optional
        Its settings; defaults for those not named.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    **limits
        Other fields of `StrategyPlan`, such as `budget_gpu_hours`.

    Returns
    -------
    StrategyPlan
        What was stored.

    Raises
    ------
    NotFoundError
        If a network is not in the lake. Nothing is written.
    StrategyError
        If there is no such Strategy, or settings or limits do not fit. Nothing is written.
    """
    caller.require_for("write", networks)
    require_networks(lake, networks)
    plan = plan_of(strategy, settings, limits)
    lake.network_log.set_strategy(networks, plan.model_dump_json(), caller=caller, reason=reason)
    return plan


def adopt_plan(lake: Lake, network: str, plan: StrategyPlan, *, caller: Caller) -> bool:
    """Give a network this plan unless it has it already, so that repeating it wakes nothing; return whether it did.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    plan : StrategyPlan
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    """
    caller.require_for("write", [network])
    if get_strategy(lake, network) == plan:
        return False
    lake.network_log.set_strategy([network], plan.model_dump_json(), caller=caller)
    return True


def plan_of(
    strategy: Any, settings: Mapping[str, Any] | None = None, limits: Mapping[str, Any] | None = None
) -> StrategyPlan:
    """Return the plan of a Strategy with these settings and limits, checked.

    Parameters
    ----------
    strategy : str, Strategy or object
        As for `set_strategy`.
    settings : mapping of str to object, optional
        Its settings.
    limits : mapping of str to object, optional
        Other fields of `StrategyPlan`.

    Raises
    ------
    StrategyError
        As for `set_strategy`.
    """
    loaded = load_strategy(strategy, settings)
    source = _registered_name(strategy) if isinstance(strategy, Strategy) else loaded.source
    try:
        return StrategyPlan(
            strategy=source,
            # all settings of ours, so that later defaults change nothing; what was given for others
            settings=loaded.strategy.plain_settings() if _has_all_settings(loaded) else settings or {},
            needs_objects=loaded.strategy.needs_objects,
            code=loaded.code,
            digest=loaded.digest,
            **(limits or {}),
        )
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        raise StrategyError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", strategy=source) from e


def _has_all_settings(loaded: LoadedStrategy) -> bool:
    """Return whether all settings are stored: of one that ships, and of one that can be imported from stratocaster."""
    return loaded.code is None and type(loaded.strategy).__module__.startswith(OURS)


def _registered_name(strategy: Strategy[Any]) -> str:
    for name in strategy_names():
        if type(load_strategy(name).strategy) is type(strategy):
            return name
    raise StrategyError(
        f"{type(strategy).__name__} is not an installed Strategy; store it in a file and set 'file.py:Name', so that "
        "rounds on other machines can run it",
        strategy=type(strategy).__name__,
    )


def get_strategy(lake: Lake, network: str) -> StrategyPlan | None:
    """Return the Strategy of a network, None if it has none.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    found = lake.network_log.strategies().get(network)
    return None if found is None else StrategyPlan.parse(found.text)


def clear_strategy(lake: Lake, networks: Sequence[str], *, caller: Caller, reason: str | None = None) -> list[str]:
    """Clear the Strategy of networks; existing Tasks and rounds are kept.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        ScopedKeys of the networks.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.

    Returns
    -------
    list of str
        Networks that had one.

    Raises
    ------
    NotFoundError
        If a network is not in the lake. Nothing is written.
    """
    caller.require_for("write", networks)
    require_networks(lake, networks)
    had = [network for network in dict.fromkeys(networks) if network in lake.network_log.strategies()]
    if had:
        lake.network_log.set_strategy(had, None, caller=caller, reason=reason)
    return had
