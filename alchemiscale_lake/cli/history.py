"""`alchemiscale-lake history`: what happened to a network between two times."""

from __future__ import annotations

from datetime import datetime

import click

from ..plurals import count
from ._errors import say
from ._options import lake_option, scope_option
from ._show import output_options, show_table

__all__ = ["command"]


def _time(_: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """Parse a date or a time; `--since` a date is since its beginning, `--until` a date is until its end."""
    if value is None:
        return None
    from ..errors import SettingsError
    from ..store import parse_moment

    try:
        found = parse_moment(value).at
    except SettingsError as e:
        raise click.BadParameter(f"{value!r} is not a date or a time, such as 2026-11-29 or 2026-11-29T12:00") from e
    if found is None:
        raise click.BadParameter(f"{value!r} is not a date or a time, such as 2026-11-29 or 2026-11-29T12:00")
    is_date = "T" not in value and " " not in value.strip()
    return found.replace(hour=0, minute=0, second=0, microsecond=0) if is_date and option.name == "since" else found


@click.command("history")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--since", callback=_time, default=None, metavar="TIME", help="Only what happened after this time, UTC.")
@click.option("--until", callback=_time, default=None, metavar="TIME", help="Only what happened up to it, UTC.")
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    since: datetime | None,
    until: datetime | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Show what happened to a network: results, estimates that changed, decisions, rounds, experimental values.

    NETWORK is a name, a ScopedKey or a prefix of one; it may be omitted if there is only one. How a network grew from
    week to week is shown by `networks growth`. To see tables as they were, use --as-of of `query`, `rank`, `gather`.

    \b
    Example:
      alchemiscale-lake history tyk2 --since 2026-11-22 --until 2026-11-29
    """
    from ..query import find_network
    from ..query.network_history import network_history
    from ..report.network_history import history_line, history_table
    from ..store import Lake

    opened = Lake.open(lake)
    events = network_history(opened, find_network(opened, network, scope=scope), since=since, until=until)
    show_table(history_table(events), tsv=tsv, output=output, counted=count(len(events), "event"), empty="")
    say(history_line(events))
