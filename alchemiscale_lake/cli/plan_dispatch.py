"""`alchemiscale-lake plan-dispatch`: a dry run of placement, with reasons."""

from __future__ import annotations

import click

from ._errors import say
from ._options import lake_of_pools, lake_option, pools_option
from ._show import output_options, show_table

__all__ = ["command"]


@click.command("plan-dispatch")
@lake_option
@pools_option
@click.option("--all-pools", is_flag=True, help="Plan as if every pool had a dispatcher.")
@output_options
@click.pass_context
def command(
    ctx: click.Context, /, lake: str, pools_file: str | None, all_pools: bool, tsv: bool, output: str | None
) -> None:
    """Show which pool would claim which Tasks, and why, without claiming any.

    One turn of every pool's dispatcher is simulated, in pool order. Pools whose dispatcher was not seen within
    the last ten minutes are included only if no dispatcher was seen at all, or with --all-pools.

    \b
    Example:
      alchemiscale-lake plan-dispatch --pools pools.yaml
    """
    from ..dispatch.plan import plan_dispatch
    from ..errors import SettingsError
    from ..pools_file import find_pools_file, load_pools
    from ..report.plan import plan_lines, plan_table
    from ..store import Lake

    found = find_pools_file(pools_file)
    if found is None:
        raise SettingsError(
            "there is no pools file; give --pools FILE, or copy one of deployments/pools/ to ./pools.yaml"
        )
    pools = load_pools(found)
    opened = Lake.open(lake_of_pools(ctx, lake, str(found)))
    plan = plan_dispatch(opened, pools, all_pools=all_pools)
    show_table(plan_table(opened, plan), tsv=tsv, output=output)
    for line in plan_lines(plan):
        say(line)
