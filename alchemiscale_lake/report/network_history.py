"""What happened to a network, as a table and in one line."""

from __future__ import annotations

import polars as pl

from ..plurals import count
from .table import Table

__all__ = ["history_line", "history_table"]

#: Kind of event -> the noun it is counted by.
_NOUNS = {
    "result": "result",
    "failure": "failed result",
    "estimate": "changed estimate",
    "decision": "decision",
    "round": "round",
    "Tasks": "change of Tasks",
    "experiment": "experimental value",
    "link": "link",
}


def history_table(events: pl.DataFrame) -> Table:
    """Build a table with one row per event.

    Parameters
    ----------
    events : polars.DataFrame
        From `network_history`.
    """
    rows = list(events.iter_rows())
    precision = {"value_kcal_mol": "uncertainty_kcal_mol"}
    return Table(
        tuple(events.columns),
        rows,
        precision_of=precision,
        decimals={"before_kcal_mol": 2},
        keep=("at", "what", "subject", "change", "value_kcal_mol", "before_kcal_mol"),
    )


def history_line(events: pl.DataFrame) -> str:
    """Return in one line how many events of each kind there are.

    Parameters
    ----------
    events : polars.DataFrame
        From `network_history`.
    """
    counted = dict(events.group_by("what").len().iter_rows())
    parts = [count(counted[what], noun) for what, noun in _NOUNS.items() if what in counted]
    return ", ".join(parts) or "nothing happened"
