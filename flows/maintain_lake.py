"""Flow `maintain_lake`: compact and clean a lake; schedule it once a day."""

from __future__ import annotations

import logging

from prefect import flow

from ..amounts import parse_seconds
from ..caller import Caller
from ..errors import SettingsError
from ..flow_steps.artifacts import publish_table
from ..prefect_api.credentials import load_credentials
from ..report.upkeep import upkeep_line, upkeep_table
from ..statestore.task_ends import end_recorded
from ..statestore.unrecorded_receipts import forgotten_receipts, record_forgotten
from ..store import Lake, MaintenanceReport, UpkeepSettings, maintain

__all__ = ["maintain_lake"]

_log = logging.getLogger(__name__)


@flow(
    name="maintain-lake",
    description="Compact small files, clean the tables' logs, and delete files that are no longer needed.",
    flow_run_name="maintain-lake",
    persist_result=False,
)
def maintain_lake(
    lake: str = "./lake", dry_run: bool = False, keep_log: str = "1h", keep_files: str = "24h"
) -> MaintenanceReport:
    """Compact small files, clean the tables' logs, and delete files that are no longer needed.

    Args:
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        dry_run: Report what would be done, without doing it.
        keep_log: Retention of the tables' log entries, as in 90m, 1h or 2d.
        keep_files: Retention of replaced files; set it longer than the longest query.
    """
    settings = UpkeepSettings(_seconds("keep_log", keep_log), _seconds("keep_files", keep_files), dry_run=dry_run)
    load_credentials()
    opened = Lake.open(lake)
    if not dry_run:
        record_forgotten(opened, forgotten_receipts(opened), caller=Caller.this_user())
    ended = [] if dry_run else end_recorded(opened, caller=Caller.this_user())
    if ended:
        _log.info("%d Tasks had recorded results but had not ended; they have ended now", len(ended))
    report = maintain(opened, settings, tell=_log.info)
    table = upkeep_table(report)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    publish_table("maintain-lake", rows, description=upkeep_line(report))
    return report


def _seconds(name: str, text: str) -> float:
    try:
        return float(parse_seconds(text))
    except ValueError as e:
        raise SettingsError(f"{name}: {e}", value=text) from e
