"""`alchemiscale-lake status`: counts of Tasks."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import click

from ..plurals import count
from ._errors import say
from ._options import as_of_option, lake_option, open_lake, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..store import Lake

__all__ = ["command"]

#: Stalled Tasks that are named.
_NAMED: Final = 3


@click.command("status")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--transformations", is_flag=True, help="One row per Transformation of the network.")
@as_of_option
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    transformations: bool,
    as_of: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Count Tasks by status.

    Without NETWORK, prints one row per network of the lake (or of --scope). NETWORK is a name, a
    ScopedKey or a prefix of one; all Tasks of its Transformations are counted, actioned or not. Tasks that make
    no progress are named on stderr.

    \b
    Example:
      alchemiscale-lake status tyk2
    """
    from ..query import find_network, require_scope, status_counts
    from ..report import network_status_table, status_table, transformation_status_table
    from ..statestore.network_members import network_transformations

    opened = open_lake(lake, as_of)
    require_scope(opened, scope)
    if network is None and not transformations:
        table, members = network_status_table(opened, scope), None
    else:
        found = find_network(opened, network, scope=scope)
        members = network_transformations(opened, found)
        table = (
            transformation_status_table(opened, found)
            if transformations
            else status_table(status_counts(opened, network=found), found)
        )
    show_table(table, tsv=tsv, output=output)
    if as_of is None:  # stalled are Tasks that heartbeats of now say nothing of
        _name_stalled(opened, scope, members)


def _name_stalled(lake: Lake, scope: str | None, transformations: Collection[str] | None) -> None:
    from ..statestore.stalled_tasks import stalled_tasks

    stalled = stalled_tasks(lake, scope, transformations=transformations)
    if stalled.is_empty():
        return
    one = len(stalled) == 1
    say(f"{count(len(stalled), 'Task')} {'makes' if one else 'make'} no progress:")
    for name, why in stalled.head(_NAMED).select("name", "why").iter_rows():
        say(f"  {name}: {why}")
    say("see `alchemiscale-lake tasks stalled`")
