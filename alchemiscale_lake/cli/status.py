"""`alchemiscale-lake status`: counts of Tasks."""

from __future__ import annotations

import click

from ._options import lake_option, scope_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("status")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--transformations", is_flag=True, help="One row per Transformation of the network.")
@output_options
def command(
    network: str | None, lake: str, scope: str | None, transformations: bool, tsv: bool, output: str | None
) -> None:
    """Count Tasks by status.

    Without NETWORK, prints one row per network of the lake (or of --scope). NETWORK is a name, a
    ScopedKey or a prefix of one; all Tasks of its Transformations are counted, actioned or not.

    \b
    Example:
      alchemiscale-lake status tyk2
    """
    from ..query import find_network, require_scope, status_counts
    from ..report import network_status_table, status_table, transformation_status_table
    from ..store import Lake

    opened = Lake.open(lake)
    require_scope(opened, scope)
    if network is None and not transformations:
        table = network_status_table(opened, scope)
    else:
        found = find_network(opened, network, scope=scope)
        table = (
            transformation_status_table(opened, found)
            if transformations
            else status_table(status_counts(opened, network=found), found)
        )
    show_table(table, tsv=tsv, output=output)
