"""What people look at: tables of estimates and of Tasks, plots, the last words of a campaign.

Reads through `query`, reckons nothing itself, prints nothing: commands and flows show what it returns.
"""

from __future__ import annotations

from .plots import ddg_pairs, dg_pairs, performance_line, plot_pairs
from .status import STATUS_STYLES, network_status_table, status_table, transformation_status_table
from .summary import Summary, ligand_table, summarise
from .table import ERROR, Table, round_to_uncertainty
from .tables import REPORTS, EstimateTable, ddg_table, dg_table, raw_table

__all__ = [
    "ERROR",
    "REPORTS",
    "STATUS_STYLES",
    "EstimateTable",
    "Summary",
    "Table",
    "ddg_pairs",
    "ddg_table",
    "dg_pairs",
    "dg_table",
    "ligand_table",
    "network_status_table",
    "performance_line",
    "plot_pairs",
    "raw_table",
    "round_to_uncertainty",
    "status_table",
    "summarise",
    "transformation_status_table",
]
