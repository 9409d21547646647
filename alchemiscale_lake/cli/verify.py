"""`alchemiscale-lake verify`: check that every file of a lake is as it was written."""

from __future__ import annotations

import click

from ._bar import StepLine
from ._errors import put_out, say
from ._options import at_this_lake, lake_option
from ._show import is_for_people, output_options, show_table

__all__ = ["command"]


@click.command("verify")
@lake_option
@output_options
@click.pass_context
def command(ctx: click.Context, /, lake: str, tsv: bool, output: str | None) -> None:
    """Check every file of a lake: tables, result objects, receipts.

    Data files, log entries, result objects and kept files are compared with the SHA-256 recorded when they
    were written. Nothing is changed. Exit code 1 if something is damaged; with what to do for each.

    \b
    Example:
      alchemiscale-lake verify --lake ./lake
    """
    from ..report.verification import flaw_lines, flaws_table, verification_line
    from ..statestore.lake_verification import verify_lake
    from ..store import Lake

    with StepLine() as step:
        verified = verify_lake(Lake.open(lake), tell=step)
    if verified.flaws and is_for_people(tsv, output):
        # in a table, long paths would push the advice off the screen
        put_out("\n".join(flaw_lines(verified, at_this_lake)))
    elif verified.flaws:
        show_table(flaws_table(verified, at_this_lake), tsv=tsv, output=output)
    say(verification_line(verified))
    if verified.flaws:
        ctx.exit(1)
