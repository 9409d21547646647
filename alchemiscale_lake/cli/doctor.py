"""`alchemiscale-lake doctor`: what is wrong with a lake, and what helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..caller import Caller
from ._bar import StepLine
from ._errors import put_out, say
from ._options import at_this_lake, lake_option
from ._show import is_for_people, output_options, show_table

if TYPE_CHECKING:
    from ..doctor import Diagnosis

__all__ = ["command"]


@click.command("doctor")
@lake_option
@click.option("--quick", is_flag=True, help="Compare sizes and rows only: do not read data files and objects.")
@click.option("--repair", "repair_first", is_flag=True, help="Apply the repairs that lose nothing, then examine again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@output_options
@click.pass_context
def command(
    ctx: click.Context, /, lake: str, quick: bool, repair_first: bool, as_json: bool, tsv: bool, output: str | None
) -> None:
    """Examine a lake from end to end: files, digests, references, histories, clocks, upkeep.

    Each finding has its severity and the command that repairs it. Nothing is changed without --repair, which
    deletes nothing: damaged files are moved to the folder 'damaged' of the lake. Stop all writers before it.
    Exit code 0: nothing but notes; 3: warnings; 4: damage; 1: the examination failed.

    \b
    Examples:
      alchemiscale-lake doctor
      alchemiscale-lake doctor --quick --json
      alchemiscale-lake doctor --repair
    """
    from ..doctor import examine, repair_findings
    from ..report.doctor import diagnosis_line, finding_lines, findings_table

    with StepLine() as step:
        diagnosis = examine(lake, quick=quick, tell=step)
    done: list[str] = []
    if repair_first and any(finding.is_repairable for finding in diagnosis.findings):
        with StepLine() as step:
            done = repair_findings(lake, diagnosis.findings, caller=Caller.this_user(), tell=step)
        for line in done:
            say(f"repaired: {line}")
        with StepLine() as step:
            diagnosis = examine(lake, quick=quick, tell=step)
    if as_json:
        put_out(json.dumps(_json(lake, diagnosis, done), indent=2))
    elif diagnosis.findings and is_for_people(tsv, output):
        # in a table, long paths would push the commands off the screen
        put_out("\n".join(finding_lines(diagnosis.findings, at_this_lake)))
    elif diagnosis.findings:
        show_table(findings_table(diagnosis.findings, at_this_lake), tsv=tsv, output=output)
    say(diagnosis_line(diagnosis))
    ctx.exit(diagnosis.exit_code)


def _json(lake: str, diagnosis: Diagnosis, done: list[str]) -> dict[str, object]:
    findings = [
        {
            "severity": str(found.severity),
            "check": found.check,
            "subject": found.subject,
            "finding": found.what,
            "command": found.command and at_this_lake(found.command),
            "advice": found.advice and at_this_lake(found.advice),
        }
        for found in diagnosis.findings
    ]
    return {
        "lake": lake,
        "exit_code": diagnosis.exit_code,
        "quick": diagnosis.quick,
        "n_files": diagnosis.n_files,
        "n_bytes": diagnosis.n_bytes,
        "wall_time_s": round(diagnosis.wall_time_s, 3),
        "repaired": done,
        "findings": findings,
    }
