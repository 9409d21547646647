"""Strategy rounds: what to compute next in a network, asked for once, whoever asks and whatever is killed.

`strategies` has the rules, as pure functions of rows; here the rows are read, a Strategy decides, and its round is
recorded before the Tasks it asks for are created.
"""

from __future__ import annotations

from .advance import RoundReport, advance_network, advance_scope
from .setting import clear_strategy, get_strategy, set_strategy
from .strategy_plan import StrategyPlan

__all__ = [
    "RoundReport",
    "StrategyPlan",
    "advance_network",
    "advance_scope",
    "clear_strategy",
    "get_strategy",
    "set_strategy",
]
