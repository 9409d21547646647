"""Output for people: tables of estimates and Tasks, plots, campaign summaries.

Reads through `query`; computes and prints nothing. Commands and flows show what it returns.
"""

from __future__ import annotations

from .digits import round_to_uncertainty
from .ligand_table import ligand_table
from .plots import ddg_pairs, dg_pairs, performance_line, plot_pairs
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
    "ddg_pairs",
    "ddg_table",
    "dg_pairs",
    "dg_table",
    "lay_out",
    "ligand_table",
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
