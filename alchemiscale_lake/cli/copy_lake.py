"""`alchemiscale-lake copy-lake`: a consistent copy of a lake in use, as a backup or to go on there."""

from __future__ import annotations

import click

from ..hints import with_lake
from ..plurals import count
from ._bar import StepLine
from ._errors import put_out, say
from ._options import lake_option

__all__ = ["command"]


@click.command("copy-lake")
@click.argument("target", metavar="FOLDER|URL")
@lake_option
@click.option("--verify", is_flag=True, help="Compare every file of the copy with its digest, not only its size.")
@click.pass_context
def command(ctx: click.Context, /, target: str, lake: str, verify: bool) -> None:
    """Copy a lake that is in use to FOLDER or URL, which is new, empty or an earlier copy.

    The copy is the lake at one moment; dispatchers can go on. Repeating the command brings the copy up to date,
    and continues an interrupted one. The copy is examined afterwards; exit code 4 if it is damaged.

    \b
    Examples:
      alchemiscale-lake copy-lake /backup/lake --lake s3://bucket/lake
      alchemiscale-lake copy-lake s3://bucket/lake --verify
    """
    from ..doctor import EXIT_CODES, Severity, examine
    from ..report.doctor import diagnosis_line, finding_lines
    from ..store import Lake, copy_lake

    with StepLine() as step:
        copied = copy_lake(Lake.open(lake), target, tell=step)
    say(
        f"{count(copied.n_copied, 'file')} copied ({copied.n_bytes / 1e6:.1f} MB), "
        f"{copied.n_files} in {count(len(copied.versions), 'table')} and beside them"
    )
    with StepLine() as step:
        diagnosis = examine(target, quick=not verify, tell=step)
    put_out(target)
    for line in finding_lines(diagnosis.findings, lambda text: with_lake(text, target)):
        say(line)
    say(diagnosis_line(diagnosis))
    # warnings are those of the lake, or of what was being recorded at that moment
    if diagnosis.exit_code == EXIT_CODES[Severity.DAMAGE]:
        ctx.exit(diagnosis.exit_code)
