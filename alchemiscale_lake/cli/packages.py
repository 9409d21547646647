"""`alchemiscale-lake packages`: versions of the packages that computed results."""

from __future__ import annotations

import click

from ._options import lake_option, scope_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("packages")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("--package", default=None, metavar="NAME", help="Only this package.")
@output_options
def command(
    network: str | None, lake: str, scope: str | None, package: str | None, tsv: bool, output: str | None
) -> None:
    """Show which package versions computed results.

    One row per package and version, with the number of results, also of NETWORK alone.

    \b
    Example:
      alchemiscale-lake packages tyk2 --package openmm
    """
    from ..query import find_network, require_scope
    from ..report import Table
    from ..statestore.package_use import package_versions
    from ..store import Lake

    opened = Lake.open(lake)
    require_scope(opened, scope)
    found = None if network is None else find_network(opened, network, scope=scope)
    rows = package_versions(opened, scope=scope, network=found, package=package)
    show_table(Table.of(rows), tsv=tsv, output=output, empty="no result names its packages")
