"""`alchemiscale-lake dispatch`: run the Tasks of a lake that wait."""

from __future__ import annotations

from typing import Any

import click

from ._bar import TaskBar
from ._errors import INTERRUPTED, say
from ._launch import session
from ._options import lake_option, pool_options, verbose_option

__all__ = ["command"]


@click.command("dispatch")
@lake_option
@click.option("--pool", default="local", show_default=True, help="Name of the pool that claims carry.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="ORG-CAMPAIGN-PROJECT", help="Only these Scopes ('*' is the wildcard)."
)
@click.option("--network", "networks", multiple=True, help="Only these networks, by name or ScopedKey.")
@pool_options
@click.option("--drain/--forever", default=True, show_default=True, help="End when nothing is left, or wait for more.")
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    lake: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    verbose: bool,
    **settings: Any,
) -> None:
    """Run the Tasks of a lake that wait, on this machine.

    Several dispatchers, here and elsewhere, may work on one lake. Ctrl-C hands running Tasks back;
    twice, it ends at once. Nothing is lost either way.

    \b
    Example:
      alchemiscale-lake dispatch --workers 4 --scope org-campaign-*
    """
    from ..ids import Scope
    from ..query import find_network
    from ..store import Lake

    place = Lake.open(lake)
    selected = {
        "scopes": [str(Scope.parse(scope)) for scope in scopes],
        "networks": [find_network(place, network) for network in networks],
    }
    with session(place, say=say, verbose=verbose) as flows, TaskBar() as bar:
        done = flows.call("dispatch", bar, lake=place.url, **selected, **settings)
    report = done.report
    say(f"{report.completed} complete, {report.failed} failed, {report.released} handed back")
    if done.interrupted:
        say(f"to continue: alchemiscale-lake dispatch --lake {lake}")
        ctx.exit(INTERRUPTED)
