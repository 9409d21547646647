"""`alchemiscale-lake estimate-cost`: the cost of a network, before it is submitted or while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..plurals import count, verb
from ._errors import say
from ._launch import lake_to_plan
from ._options import is_given, lake_of_pools, lake_option, pools_option, scope_option
from ._show import is_for_people, output_options, show_table

if TYPE_CHECKING:
    from ..costs.remaining_work import Remaining
    from ..store import Lake

__all__ = ["command"]


@click.command("estimate-cost")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--tasks-per-transformation",
    "-t",
    type=click.IntRange(min=0),
    default=None,
    show_default="1 for a file, the existing Tasks for a network in the lake",
    metavar="N",
    help="Number of independent Tasks per Transformation, including existing ones.",
)
@pools_option
@click.option("--pool", default=None, metavar="NAME", help="Only this pool of the pools file.")
@click.option(
    "--gpu",
    default=None,
    show_default="the models that pools and Protocols ran on",
    metavar="MODEL",
    help='GPU model to price for: its nvidia-smi name, or a multiple of another, as in "0.8 x RTX 4090".',
)
@click.option("--by-transformation", is_flag=True, help="One row per Transformation instead of per pool.")
@output_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    network: str | None,
    lake: str,
    scope: str | None,
    tasks_per_transformation: int | None,
    pools_file: str | None,
    pool: str | None,
    gpu: str | None,
    by_transformation: bool,
    tsv: bool,
    output: str | None,
) -> None:
    """Estimate the cost of a network: GPU-hours, wall time and money, with 90 % intervals.

    NETWORK is a file or folder that submit can read (it is not submitted), or a network in the lake. What is left to
    compute is priced: running and waiting Tasks and, for a file, those that it would add; good results of the same
    Transformations in the Scope cost nothing. Protocols without a GPU cost worker-hours. Wall times and money need a
    pools file.

    \b
    Examples:
      alchemiscale-lake estimate-cost network.json --scope org-campaign-project -t 3 --pools pools.yaml
      alchemiscale-lake estimate-cost tyk2 --by-transformation
    """
    from ..costs.pricing import price
    from ..pools_file import find_pools_file, load_pools
    from ..report.cost import price_lines, price_table, transformations_table
    from ..statestore.simulation_count import ONE_TASK_EACH, repeats_within, simulations_of
    from ..store import now_utc

    found = find_pools_file(pools_file)
    pools = None if found is None else load_pools(found)
    place = lake_of_pools(ctx, lake, None if found is None else str(found))
    with _opened(place, network, asked=place != lake or is_given(ctx, "lake")) as opened:
        remaining = _remaining(opened, network, scope, tasks_per_transformation)
        priced = price(opened, remaining, pools, pool=pool, gpu=gpu, now=now_utc())
    compact = is_for_people(tsv, output)
    table = (transformations_table if by_transformation else price_table)(priced, compact=compact)
    show_table(table, tsv=tsv, output=output)
    for line in price_lines(priced):
        say(line)
    if remaining.network is None and (started := remaining.n_started):
        say(
            f"{count(started, 'Task')} of these already {verb(started, 'waits or runs', 'wait or run')} in "
            f"{remaining.scope}: the estimate is of what is left of them and of what the file would add"
        )
    n_repeats = remaining.rows["n_repeats"].to_list()
    multiplied = simulations_of(n_repeats, remaining.n_tasks)
    if multiplied and (tasks_per_transformation or 0) > 1 and not remaining.n_started:
        multiplied += ONE_TASK_EACH
    if repeated := multiplied or repeats_within(n_repeats):
        say(repeated)


@contextmanager
def _opened(place: str, network: str | None, *, asked: bool) -> Iterator[Lake]:
    """Open the lake; for a file with no lake given and none at the default place, an empty temporary one."""
    from ..store import Lake

    if asked or network is None or not Path(network).exists() or Path(place).exists():
        yield Lake.open(place)
        return
    say("there is no lake here to take earlier results from: costs are estimated from physics alone")
    with lake_to_plan(place) as empty:
        yield empty


def _remaining(lake: Lake, network: str | None, scope: str | None, tasks_per_transformation: int | None) -> Remaining:
    """Return what is left to compute of a file, if there is one of that name, else of a network in the lake."""
    from ..costs.remaining_work import remaining_of_file, remaining_of_network
    from ..errors import InvalidScopeError
    from ..networks import read_network
    from ..query import find_network
    from ..store import now_utc

    now = now_utc()
    if network is not None and Path(network).exists():
        if scope is None:
            raise InvalidScopeError(
                f"{network} is a file: give --scope ORG-CAMPAIGN-PROJECT; results already in that Scope cost nothing",
                value=None,
            )
        wanted = 1 if tasks_per_transformation is None else tasks_per_transformation
        return remaining_of_file(lake, read_network(network), scope, tasks_per_transformation=wanted, now=now)
    found = find_network(lake, network, scope=scope)
    return remaining_of_network(lake, found, tasks_per_transformation=tasks_per_transformation, now=now)
