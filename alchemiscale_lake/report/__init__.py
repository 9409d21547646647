"""Output for people: tables of estimates and Tasks, plots, campaign summaries.

Reads through `query`, and prints nothing. It computes nothing: numbers come from `estimates` and `costs`. Commands and
flows show what it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .digits import round_to_uncertainty
    from .plots import performance_line, plot_pairs
    from .screen import Screen, lay_out
    from .status import STATUS_STYLES, network_status_table, status_table, transformation_status_table
    from .summary import Summary, summarise
    from .table import ERROR, NO_ESTIMATE, Table
    from .table_files import table_bytes
    from .tables import REPORTS, EstimateTable, ddg_table, dg_table, raw_table

__all__ = [
    "ERROR",
    "NO_ESTIMATE",
    "REPORTS",
    "STATUS_STYLES",
    "EstimateTable",
    "Screen",
    "Summary",
    "Table",
    "ddg_table",
    "dg_table",
    "lay_out",
    "network_status_table",
    "performance_line",
    "plot_pairs",
    "raw_table",
    "round_to_uncertainty",
    "status_table",
    "summarise",
    "table_bytes",
    "transformation_status_table",
]

__getattr__ = lazy_names(
    __name__,
    {
        "digits": ("round_to_uncertainty",),
        "plots": ("performance_line", "plot_pairs"),
        "screen": ("Screen", "lay_out"),
        "status": ("STATUS_STYLES", "network_status_table", "status_table", "transformation_status_table"),
        "summary": ("Summary", "summarise"),
        "table": ("ERROR", "NO_ESTIMATE", "Table"),
        "table_files": ("table_bytes",),
        "tables": ("REPORTS", "EstimateTable", "ddg_table", "dg_table", "raw_table"),
    },
)
