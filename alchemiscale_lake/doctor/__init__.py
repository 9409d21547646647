"""Examination of a lake from end to end: what is damaged, what contradicts itself, what upkeep is missing, what helps.

Reads only; `repairs` applies what is safe. Single files are checked by `store.verification`, and damaged tables are
repaired by `store.repair`.
"""

from __future__ import annotations

from .examination import Diagnosis, examine
from .lake_finding import EXIT_CODES, LakeFinding, Severity
from .repairs import repair_findings

__all__ = ["EXIT_CODES", "Diagnosis", "LakeFinding", "Severity", "examine", "repair_findings"]
