"""`alchemiscale-lake maintain`: compact and clean a lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ..amounts import parse_seconds
from ..caller import Caller
from ..plurals import count, verb
from ._bar import StepLine
from ._errors import say
from ._options import lake_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..store import Lake

__all__ = ["command"]

#: Tasks listed individually.
_SHOWN: Final = 5


def _duration(_: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return float(parse_seconds(value))
    except ValueError as e:
        raise click.BadParameter(str(e), param=parameter) from e


@click.command("maintain")
@lake_option
@click.option("--dry-run", is_flag=True, help="Print what would be done, without doing it.")
@click.option(
    "--keep-log",
    "keep_log_s",
    default="1h",
    show_default=True,
    callback=_duration,
    metavar="DURATION",
    help="Retention of the tables' log entries.",
)
@click.option(
    "--keep-files",
    "keep_files_s",
    default="24h",
    show_default=True,
    callback=_duration,
    metavar="DURATION",
    help="Retention of replaced files; set it longer than the longest query.",
)
@click.option(
    "--repair",
    "repair_first",
    is_flag=True,
    help="First repair damage; removed files are moved to the folder 'damaged' of the lake.",
)
@output_options
def command(
    lake: str,
    dry_run: bool,
    keep_log_s: float,
    keep_files_s: float,
    repair_first: bool,
    tsv: bool,
    output: str | None,
) -> None:
    """Compact small files, clean the tables' logs, and delete files that are no longer needed.

    No row changes. Readers and writers can continue meanwhile, and the command may be killed at any time.
    Run it daily if Tasks are short or there are many dispatchers. Results whose receipts are stored but in no
    table are recorded.

    \b
    Example:
      alchemiscale-lake maintain --dry-run
    """
    from ..report.upkeep import upkeep_line, upkeep_table
    from ..schemas import FORMAT
    from ..statestore.task_ends import end_lost, end_recorded
    from ..statestore.unrecorded_receipts import forgotten_receipts, record_forgotten
    from ..store import Lake, UpkeepSettings, maintain

    settings = UpkeepSettings(keep_log_s=keep_log_s, keep_files_s=keep_files_s, dry_run=dry_run)
    lost_from = _repair(lake, dry_run) if repair_first else set()
    opened = Lake.open(lake)
    if lost_from:
        _record_lost_rows(opened, lost_from)
    forgotten = forgotten_receipts(opened)
    if forgotten and dry_run:
        say(f"{count(len(forgotten), 'receipt')} {verb(len(forgotten))} in no table, and would be recorded")
    elif forgotten:
        recorded = record_forgotten(opened, forgotten, caller=Caller.this_user())
        n_new = sum(r.new for r in recorded)
        say(f"{count(n_new, 'result')} recorded from receipts that were in no table")
        if n_failed := sum(r.new and not r.ok for r in recorded):
            say(f"of them, {n_failed} failed or had invalid receipts: see `alchemiscale-lake failures --all`")
    ended = [] if dry_run else end_recorded(opened, caller=Caller.this_user())
    if ended:
        say(f"{count(len(ended), 'Task')} had recorded results but had not ended; set ended now")
    lost = end_lost(opened, caller=Caller.this_user()) if repair_first and not dry_run else []
    if lost:
        say(f"{count(len(lost), 'complete Task')} lost all results; status is now error:")
        for task in lost[:_SHOWN]:
            say(f"  {task}")
        if len(lost) > _SHOWN:
            say(f"  ... and {len(lost) - _SHOWN} more")
        say("next: alchemiscale-lake tasks retry")
    with StepLine() as step:
        report = maintain(opened, settings, tell=step)
    show_table(upkeep_table(report), tsv=tsv, output=output)
    say(upkeep_line(report))
    if opened.format < FORMAT:
        say(f"this lake has format {opened.format}, the current one is {FORMAT}; next: alchemiscale-lake migrate")


def _repair(place: str, dry_run: bool) -> set[str]:
    """Repair the marker, then the key and the tables; return the tables that lost rows.

    Exits with 1 if a dry run finds damage.
    """
    from ..store import Lake, Location, repair, restore_marker

    location = Location.parse(place)
    problem = restore_marker(location, dry_run=dry_run)
    if problem is not None:
        say(f"lake.json is {problem}; " + ("it would be rewritten" if dry_run else "it has been rewritten"))
        if dry_run:
            raise SystemExit(1)
    repaired = repair(Lake.open(place), tell=say, dry_run=dry_run)
    for loss in repaired.losses:
        say(str(loss))
    say(count(len(repaired.losses), "damaged item") if repaired.losses else "nothing is damaged")
    if dry_run and repaired.losses:
        raise SystemExit(1)
    return {loss.table for loss in repaired.losses if loss.table is not None and not loss.is_restored}


def _record_lost_rows(lake: Lake, tables: set[str]) -> None:
    """Record receipts again whose rows were lost from tables other than `results`."""
    from ..statestore.unrecorded_receipts import receipts_of_lost_rows, record_forgotten

    attempts = receipts_of_lost_rows(lake, tables)
    if attempts:
        record_forgotten(lake, attempts, caller=Caller.this_user())
        say(f"{count(len(attempts), 'receipt')} read again for rows lost from {', '.join(sorted(tables))}")
