"""Strategies: which Transformations of a network get the next Tasks. Pure rules on rows; no reads, no writes.

`base` has the contract, `rows` what a Strategy sees, `proposal` what it answers. One file per Strategy; `committee`
combines several, `registry` finds them, `stratocaster_adapter` runs stratocaster's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .base import Strategy, StrategySettings
    from .proposal import Proposal, apportion
    from .registry import LoadedStrategy, load_strategy, make_strategy, strategy_names
    from .rows import LigandRow, NetworkState, TransformationRow

__all__ = [
    "LigandRow",
    "LoadedStrategy",
    "NetworkState",
    "Proposal",
    "Strategy",
    "StrategySettings",
    "TransformationRow",
    "apportion",
    "load_strategy",
    "make_strategy",
    "strategy_names",
]

__getattr__ = lazy_names(
    __name__,
    {
        "base": ("Strategy", "StrategySettings"),
        "proposal": ("Proposal", "apportion"),
        "registry": ("LoadedStrategy", "load_strategy", "make_strategy", "strategy_names"),
        "rows": ("LigandRow", "NetworkState", "TransformationRow"),
    },
)
