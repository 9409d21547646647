"""Strategies: which Transformations of a network get the next Tasks. Pure rules on rows; no reads, no writes.

`base` has the contract, `rows` what a Strategy sees, `proposal` what it answers. One file per Strategy; `committee`
combines several, `catalog` finds them, `stratocaster_adapter` runs stratocaster's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .base import Strategy, StrategySettings
    from .catalog import LoadedStrategy, load_strategy, make_strategy, strategy_names
    from .proposal import Proposal, apportion
    from .strategy_rows import LigandRow, LinkRow, NetworkRows, TransformationRow

__all__ = [
    "LigandRow",
    "LinkRow",
    "LoadedStrategy",
    "NetworkRows",
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
        "catalog": ("LoadedStrategy", "load_strategy", "make_strategy", "strategy_names"),
        "strategy_rows": ("LigandRow", "LinkRow", "NetworkRows", "TransformationRow"),
    },
)
