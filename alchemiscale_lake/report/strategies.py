"""The installed Strategies as a table."""

from __future__ import annotations

import inspect
import json

from ..strategies.catalog import make_strategy, strategy_names
from .table import Table

__all__ = ["strategies_table"]


def strategies_table() -> Table:
    """Build a table with one row per installed Strategy: what it does, and its settings with their defaults."""
    rows = []
    for name in strategy_names():
        strategy = make_strategy(name)
        summary = (inspect.getdoc(type(strategy)) or "").partition("\n")[0]
        settings = strategy.settings.model_dump(mode="json", exclude_none=True)
        text = ", ".join(f"{key}={json.dumps(value)}" for key, value in settings.items())
        rows.append((name, summary, text))
    return Table(("strategy", "summary", "settings"), rows, is_sheet=True)
