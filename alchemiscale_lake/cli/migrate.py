"""`alchemiscale-lake migrate`: bring a lake of an older format to the current one."""

from __future__ import annotations

import click

from ._errors import say
from ._options import lake_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("migrate")
@lake_option
@click.option("--dry-run", is_flag=True, help="Print the missing steps, without running them.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, lake: str, dry_run: bool, tsv: bool, output: str | None) -> None:
    """Bring a lake to the format of this version, step by step.

    Most steps only add tables and columns: readers, dispatchers and running Tasks continue meanwhile. A step that
    changes existing tables is refused while Tasks are running. The command may be killed at any time; run it again
    to continue. Afterwards, older versions of alchemiscale-lake refuse the lake.

    Exit code 0 if the lake has the current format; 1 if steps are missing (--dry-run) or were refused.

    \b
    Example:
      alchemiscale-lake migrate --dry-run
    """
    from ..report.migration import migration_line, migration_table
    from ..store import migrate

    report = migrate(lake, dry_run=dry_run, tell=say)
    if report.steps:
        show_table(migration_table(report), tsv=tsv, output=output)
    say(migration_line(report))
    if report.refusal is not None:
        say(f"the migration would be refused now: {report.refusal}")
    if dry_run and report.steps:
        say("next: alchemiscale-lake migrate")
        ctx.exit(1)
