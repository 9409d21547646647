"""`alchemiscale-lake usage`: compute, failures and storage."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._errors import say
from ._files import PlotFile
from ._options import lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..report.usage import Dimension

__all__ = ["command"]


@click.command("usage")
@lake_option
@scope_option
@click.option(
    "--by",
    type=click.Choice(["day", "scope", "protocol", "host", "pool", "network"], case_sensitive=False),
    default="scope",
    show_default=True,
    help="Group by this, one row each; days are UTC.",
)
@click.option(
    "--since", default=None, metavar="TIME", help="Only attempts that ended within this time, as in 7d or 36h."
)
@output_options
@click.option(
    "--plot",
    default=None,
    type=PlotFile(),
    metavar="FILE",
    help="Plot cumulative results and hours over time (png, pdf, svg).",
)
def command(
    lake: str,
    scope: str | None,
    by: Dimension,
    since: str | None,
    tsv: bool,
    output: str | None,
    plot: str | None,
) -> None:
    """Show compute usage: Tasks, hours, failures, storage.

    Tasks are those with a good result; failure rates are per attempt, with 95% Wilson intervals. By network,
    a Transformation shared by two networks counts in both. Bytes are those of all results, regardless of
    --since.

    \b
    Examples:
      alchemiscale-lake usage --by host --since 7d
      alchemiscale-lake usage --by day --scope 'org-campaign-*' --plot throughput.png
    """
    from ..query import connect_for, require_scope
    from ..report.usage import usage_table
    from ..store import Lake, now_utc

    window, now = None if since is None else _window(since), now_utc()
    opened = Lake.open(lake)
    require_scope(opened, scope)
    connection = connect_for(opened, "usage", "throughput", "network_storage", "scope_storage")
    table = usage_table(connection, by, scope=scope, window=window, now=now)
    show_table(table, tsv=tsv, output=output)
    if plot is not None:
        from ..report.usage_plots import THROUGHPUT_BY, plot_throughput

        split = by if by in THROUGHPUT_BY else "scope"
        plot_throughput(connection, by=split, scope=scope, window=window, now=now).savefig(Path(plot))
        say(f"wrote {plot}")


def _window(since: str) -> timedelta:
    from ..amounts import parse_seconds

    try:
        seconds = float(parse_seconds(since))
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--since") from e
    if not 0 < seconds < 1e10:
        raise click.BadParameter(f"{since!r} is not a positive duration below 300 years", param_hint="--since")
    return timedelta(seconds=seconds)
