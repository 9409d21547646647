"""Format 4: findings, Strategy rounds, withdrawn experimental values, links, copies of networks, attempts, kept files.

The text of a finding is `description` (table `network_findings`), formerly `says`. The step adds tables and columns,
and copies that text. Both columns of it are written from now on, so that older versions find theirs.

The readmission of a host is `readmitted` in table `host_log`, formerly `forgiven`. Readers know both; an older version
that is still running counts earlier failures of a host again that is readmitted meanwhile, until it is restarted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .fill import fill, rename_values
from .step import Step, add_new

if TYPE_CHECKING:
    from ..lake import Lake

__all__ = ["TO_4"]


def _run(lake: Lake, to: int, tell: Callable[[str], None]) -> None:
    add_new(lake, to, tell)
    fill(lake.table("network_findings"), ["description"], lambda rows: rows.select(description="says"))
    rename_values(lake.table("host_log"), "event", {"forgiven": "readmitted"})


TO_4 = Step(
    4,
    "description of network_findings, formerly says; rounds; assay_log, link_log, design_files; copies of networks; "
    "attempt_ends; refused_files, pruned_files; readmitted in host_log, formerly forgiven",
    _run,
)
