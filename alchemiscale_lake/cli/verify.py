"""`alchemiscale-lake verify`: check that every file of a lake is as it was written."""

from __future__ import annotations

import click

from ._errors import say
from ._options import at_this_lake, lake_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("verify")
@lake_option
@output_options
@click.pass_context
def command(ctx: click.Context, /, lake: str, tsv: bool, output: str | None) -> None:
    """Check every file of a lake: tables, result objects, receipts.

    Data files, log entries, result objects and kept files are compared with the SHA-256 recorded when they
    were written. Nothing is changed. Exit code 1 if something is damaged; the table says what to do.

    \b
    Example:
      alchemiscale-lake verify --lake ./lake
    """
    from ..report.verification import flaws_table, verification_line
    from ..statestore.lake_verification import verify_lake
    from ..store import Lake

    verified = verify_lake(Lake.open(lake), tell=say)
    if verified.flaws:
        show_table(flaws_table(verified, at_this_lake), tsv=tsv, output=output)
    say(verification_line(verified))
    if verified.flaws:
        ctx.exit(1)
