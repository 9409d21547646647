"""Restart patterns of networks."""

from __future__ import annotations

from collections.abc import Sequence

from ...caller import Caller
from ...statestore import restarts
from ...store import Lake

__all__ = [
    "add_task_restart_patterns",
    "clear_task_restart_patterns",
    "get_task_restart_patterns",
    "remove_task_restart_patterns",
    "set_task_restart_patterns_allowed_restarts",
]


def add_task_restart_patterns(
    lake: Lake, caller: Caller, *, network: str, patterns: Sequence[str], num_allowed_restarts: int
) -> None:
    """Add patterns to a network, see `statestore.restarts`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    patterns : sequence of str
        Regular expressions.
    num_allowed_restarts : int
        Restarts of each Task by each pattern.
    """
    restarts.add_task_restart_patterns(lake, network, patterns, num_allowed_restarts, caller=caller)


def get_task_restart_patterns(lake: Lake, caller: Caller, *, network: str) -> dict[str, int]:
    """Return the patterns of a network with the restarts that each allows.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    caller.require_for("read", [network])
    return restarts.get_task_restart_patterns(lake, network)


def set_task_restart_patterns_allowed_restarts(
    lake: Lake, caller: Caller, *, network: str, patterns: Sequence[str], num_allowed_restarts: int
) -> list[str]:
    """Change the restarts that patterns of a network allow; return those that it has.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    patterns : sequence of str
    num_allowed_restarts : int
    """
    return restarts.set_task_restart_patterns_allowed_restarts(
        lake, network, patterns, num_allowed_restarts, caller=caller
    )


def remove_task_restart_patterns(lake: Lake, caller: Caller, *, network: str, patterns: Sequence[str]) -> list[str]:
    """Remove patterns from a network; return those that it has.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    patterns : sequence of str
    """
    return restarts.remove_task_restart_patterns(lake, network, patterns, caller=caller)


def clear_task_restart_patterns(lake: Lake, caller: Caller, *, network: str) -> None:
    """Remove all patterns from a network.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    restarts.clear_task_restart_patterns(lake, network, caller=caller)
